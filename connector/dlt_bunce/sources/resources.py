"""Common parts of the customer resources: table name, table size, cursor, and resource name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import Any

import dlt
from dlt.extract import DltResource

from dlt_bunce.errors import SourceError

ROWS = 20_000
"""Maximum rows of an Arrow table passed to dlt."""
TABLE = "customers"


def resource(
    rows: Callable[[Any], Iterator[Any]], incremental: str | None, name: str
) -> DltResource:
    """Return a resource of the Arrow tables that `rows` yields.

    `rows` is called with the last value of the cursor, or None.
    """
    if incremental is None:
        whole: DltResource = dlt.resource(rows(None), name=TABLE, write_disposition="merge")
        return whole

    @dlt.resource(name=name, table_name=TABLE, write_disposition="merge")
    def since(cursor: Any = new_cursor(incremental)) -> Iterator[Any]:  # noqa: B008, dlt finds the cursor in the default
        for table in rows(cursor.last_value):
            check_column(incremental, table.schema.names)
            yield table

    return since()


def new_cursor(column: str) -> Any:
    """Return dlt's incremental cursor on a column, configured not to drop any row itself."""
    # by default, dlt drops rows at the last value that it has seen, by primary key if there is one:
    # a row that changed again within the resolution of the cursor would be lost
    return dlt.sources.incremental(column, primary_key=(), on_cursor_value_missing="include")


def check_column(column: str | None, columns: list[str]) -> None:
    """Raise SourceError if the column that selects rows does not exist."""
    if column is not None and column not in columns:
        raise SourceError(
            f"Column {column!r}, which selects the rows to read, does not exist. "
            f"Available columns: {', '.join(columns)}.",
            remedy="Correct the name in the setting incremental or in the shard key.",
        )


def resource_name(prefix: str, *parts: str | None) -> str:
    """Return a name that is unique to a source and stable across runs."""
    return f"{prefix}_{digest(*parts)}"


def digest(*parts: str | None) -> str:
    """Return a digest of texts as ten hexadecimal digits."""
    key = "\x1f".join(part or "" for part in parts)
    return blake2b(key.encode(), digest_size=5).hexdigest()
