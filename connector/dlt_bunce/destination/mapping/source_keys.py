"""Primary keys of sources: part of a composite key is not a customer's id."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping
from typing import Any

from dlt_bunce.errors import MappingError
from dlt_bunce.records.mapping.instructions import options

_REMEDY = (
    "If it does identify a customer, map it explicitly: {option}, or "
    "bunce_adapter(…, customer_id={column!r}). For snapshots and histories, load only the current "
    "rows, such as --query 'SELECT … WHERE valid_to IS NULL'. For several tenants, use one account "
    "for each, or combine both columns into one id in a query."
)


def key_of(table: Mapping[str, Any]) -> list[str]:
    """Return the columns of the source's primary key, as dlt knows it."""
    columns: Mapping[str, Any] = table.get("columns", {})
    return [name for name, column in columns.items() if column.get("primary_key")]


def refuse_part_of_key(key: Collection[str], column: str | None) -> None:
    """Raise MappingError if `column`, matched to customer_id by name, is not the whole key."""
    if column is None or not key or set(key) == {column}:
        return
    raise MappingError(
        f"The source's key is ({', '.join(key)}), but only column {column!r} was matched to "
        "customer_id: rows that share its value would become one customer.",
        remedy=_REMEDY.format(column=column, option=shlex.join(options({"customer_id": column}))),
    )
