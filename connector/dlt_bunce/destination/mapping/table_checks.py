"""Checks for tables that Bunce cannot load, each with a remedy."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, cast

from dlt.common.destination.typing import PreparedTableSchema

from dlt_bunce.destination.mapping.adapter import (
    DIFFERING_HINT,
    REPLACE_REFUSED,
    REPLACE_REMEDY,
    TABLE_HINT,
)
from dlt_bunce.errors import DispositionError, MappingError, UnknownTableError
from dlt_bunce.records.mapping.mapping import FieldMapping

GIVEN_UP = " The rows that this run extracted are dropped; the next run reads them again."


def refuse_table(
    table: PreparedTableSchema,
    customers_tables: Collection[str],
    all_tables: Sequence[PreparedTableSchema],
) -> None:
    """Raise UnknownTableError for a table that holds no customers, DispositionError for one that
    requires deletions, and MappingError for one with several mappings.

    `all_tables` are the tables of the same load.
    """
    name = table["name"] or ""
    if not _is_ours(table, customers_tables):
        known = [
            str(other.get("resource") or other["name"])
            for other in all_tables
            if _is_ours(other, customers_tables)
        ]
        raise UnknownTableError(
            f"Table {name!r} is not configured to hold customers, so nothing was sent.",
            remedy=_remedy(name, table.get("parent"), known) + GIVEN_UP,
        )
    if table["write_disposition"] == "replace":
        raise DispositionError(REPLACE_REFUSED, remedy=REPLACE_REMEDY + GIVEN_UP)
    if table["write_disposition"] == "skip":
        raise DispositionError(
            f'write_disposition="skip" would load no row of {name!r}.',
            remedy=REPLACE_REMEDY + GIVEN_UP,
        )
    hard_deletes = [n for n, c in table["columns"].items() if c.get("hard_delete")]
    if hard_deletes:
        raise DispositionError(
            f"Column {hard_deletes[0]!r} of {name!r} has a hard_delete hint, but Bunce has no API "
            "call that deletes customers.",
            remedy="Filter out such rows and remove the hint." + GIVEN_UP,
        )
    if differing := cast("Any", table).get(DIFFERING_HINT):
        names = " and ".join(map(repr, differing))
        raise MappingError(
            f"The resources {names} load into table {name!r} with different mappings, of which "
            "one would be used for all rows.",
            remedy="Give them the same mapping, or each a table of its own: "
            f"dlt.resource(…, table_name=…) before bunce_adapter(…).{GIVEN_UP}",
        )


def refuse_dedup_sort(
    table: PreparedTableSchema, columns: Collection[str], mapping: FieldMapping
) -> None:
    """Raise MappingError for a column with a dedup_sort hint, by which dlt would choose one of the
    rows with one id, if no version is mapped. `columns` are those of the load.
    """
    if table["write_disposition"] != "merge" or mapping.version:
        return
    for name, column in table["columns"].items():
        if name in columns and column.get("dedup_sort"):
            raise MappingError(
                f"Column {name!r} of {table['name']!r} has a dedup_sort hint, which has no effect "
                "here: of the rows with one id, the one with the largest version is loaded.",
                remedy=f"Map it with bunce_adapter(…, version={name!r}), or remove the hint."
                f"{GIVEN_UP}",
            )


def _is_ours(table: PreparedTableSchema, customers_tables: Collection[str]) -> bool:
    return table["name"] in customers_tables or bool(table.get(TABLE_HINT))


def _remedy(name: str, parent: str | None, known: Sequence[str]) -> str:
    if parent:
        return (
            f"It holds values nested in {parent!r}: set max_table_nesting=0 on that resource to "
            "keep them in their rows."
        )
    if known:
        names = ", ".join(f'"{resource}"' for resource in known)
        return f"Load only the resource of customers: source.with_resources({names})."
    return (
        "If its rows are customers, wrap the resource in bunce_adapter(…), or set "
        f'customers_table = "{name}" under [destination.bunce].'
    )
