"""What a source says of its key: a part of it is no customer's id."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from dlt_bunce.errors import MappingError

_REMEDY = (
    "If it does name one customer, say so by hand: --map customer_id={column}, or "
    "bunce_adapter(…, customer_id={column!r}). Of snapshots and histories load the current rows "
    "only, such as --query 'SELECT … WHERE valid_to IS NULL'; of several tenants give one account "
    "to each, or make the id of both columns in a query."
)


def key_of(table: Mapping[str, Any]) -> list[str]:
    """The columns of the source's primary key, as dlt knows it."""
    columns: Mapping[str, Any] = table.get("columns", {})
    return [name for name, column in columns.items() if column.get("primary_key")]


def refuse_part_of_key(key: Collection[str], column: str | None) -> None:
    """Raises MappingError where the id was found by its name in `column`, which is not the key."""
    if column is None or not key or set(key) == {column}:
        return
    raise MappingError(
        f"The source's key is ({', '.join(key)}), and column {column!r} alone was taken for "
        "customer_id: several rows may share its value and would become one customer.",
        remedy=_REMEDY.format(column=column),
    )
