"""What resources of customers have in common: table, size of tables, cursor, and name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import Any

import dlt
from dlt.extract import DltResource

from dlt_bunce.errors import SourceError

ROWS = 20_000
"""Rows an Arrow table handed to dlt holds at most."""
TABLE = "customers"


def resource(
    rows: Callable[[Any], Iterator[Any]], incremental: str | None, name: str
) -> DltResource:
    """The Arrow tables that `rows` yields; it is given what the cursor has reached, or None."""
    if incremental is None:
        whole: DltResource = dlt.resource(rows(None), name=TABLE, write_disposition="merge")
        return whole

    @dlt.resource(name=name, table_name=TABLE, write_disposition="merge")
    def since(cursor: Any = new_cursor(incremental)) -> Iterator[Any]:  # noqa: B008, dlt finds the cursor by its default
        for table in rows(cursor.last_value):
            check_column(incremental, table.schema.names)
            yield table

    return since()


def new_cursor(column: str) -> Any:
    """Dlt's incremental cursor on a column, that drops no row by itself."""
    # dlt would drop rows at the newest value that it has seen, by key alone where there is one:
    # a row that changed within the resolution of the cursor would be lost
    return dlt.sources.incremental(column, primary_key=(), on_cursor_value_missing="include")


def check_column(column: str | None, columns: list[str]) -> None:
    """Raises SourceError when rows are to be chosen by a column that is not there."""
    if column is not None and column not in columns:
        raise SourceError(
            f"There is no column {column!r} to choose rows by. "
            f"Columns there are: {', '.join(columns)}.",
            remedy="Correct its name: in the setting incremental, or in the shard's key.",
        )


def resource_name(prefix: str, *parts: str | None) -> str:
    """A name that is the same for the same source alone."""
    return f"{prefix}_{digest(*parts)}"


def digest(*parts: str | None) -> str:
    """Ten hexadecimal digits."""
    key = "\x1f".join(part or "" for part in parts)
    return blake2b(key.encode(), digest_size=5).hexdigest()
