"""Tables that Bunce cannot take, each refused with what to do instead."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from dlt.common.destination.typing import PreparedTableSchema

from dlt_bunce.destination.adapter import REPLACE_REFUSED, REPLACE_REMEDY, TABLE_HINT
from dlt_bunce.errors import DispositionError, UnknownTableError

GIVEN_UP = " What this run has extracted is given up, and read again by the next one."


def refuse_table(
    table: PreparedTableSchema, customers_tables: Collection[str], all_tables: Sequence[str]
) -> None:
    """Raises UnknownTableError for a table that holds no customers, DispositionError for one that
    asks for a deletion.

    `all_tables` are those of the same load.
    """
    name = table["name"] or ""
    if name not in customers_tables and not table.get(TABLE_HINT):
        known = [one for one in all_tables if one in customers_tables]
        raise UnknownTableError(
            f"Table {name!r} is not configured to hold customers, so nothing was sent.",
            remedy=_remedy(name, table.get("parent"), known) + GIVEN_UP,
        )
    if table["write_disposition"] == "replace":
        raise DispositionError(REPLACE_REFUSED, remedy=REPLACE_REMEDY + GIVEN_UP)
    deleting = [n for n, c in table["columns"].items() if c.get("hard_delete")]
    if deleting:
        raise DispositionError(
            f"Column {deleting[0]!r} of {name!r} carries a hard_delete hint: Bunce has no call "
            "that deletes customers.",
            remedy="Filter such rows out and remove the hint." + GIVEN_UP,
        )


def _remedy(name: str, parent: str | None, known: Sequence[str]) -> str:
    if parent:
        return (
            f"It holds what is nested in {parent!r}: set max_table_nesting=0 on that resource, "
            "and nested values stay in their rows."
        )
    if known:
        names = ", ".join(f'"{one}"' for one in known)
        return f"Load the resource of customers alone: source.with_resources({names})."
    return (
        "If its rows are customers, wrap the resource in bunce_adapter(…), or set "
        f'customers_table = "{name}" under [destination.bunce].'
    )
