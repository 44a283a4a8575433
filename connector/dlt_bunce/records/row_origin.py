"""Where rows came from: two columns that readers of files add, for dead letters alone.

They are named like columns of dlt, which nothing maps, digests, or counts as the user's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

FILE = "_dlt_bunce_file"
"""Column with the file, or the table that is kept in files, that a row came from."""
LINE = "_dlt_bunce_line"
"""Column with the line of a row in its file; the number of the row where a file has no lines."""


def counted_from(first: int, rows: int) -> pa.Array:
    """Return the numbers of so many consecutive rows, as LINE takes them."""
    return pc.cumulative_sum(pa.repeat(pa.scalar(1, pa.int64()), rows), start=first - 1)


def with_lines(rows: Any, lines: pa.Array | None) -> Any:
    """Return a table or a record batch with the line of each row; None if they are not known.

    Rows that were read from a file before, such as those of a load package, keep their origin.
    """
    if _have_origin(rows.schema):
        return rows
    known = lines if lines is not None else pa.nulls(rows.num_rows, pa.int64())
    return without_origin(rows).append_column(LINE, known)


def with_file(rows: Any, file: str) -> Any:
    """Return rows that `with_lines` has returned with a file for all of them."""
    if FILE in rows.schema.names:
        return rows
    return rows.append_column(FILE, pa.repeat(pa.scalar(file, pa.string()), rows.num_rows))


def _have_origin(schema: pa.Schema) -> bool:
    return {FILE, LINE} <= {*schema.names} and (
        pa.types.is_string(schema.field(FILE).type) and pa.types.is_int64(schema.field(LINE).type)
    )


def without_origin(rows: Any) -> Any:
    """Return a table or a record batch without the columns of this module."""
    own = {FILE, LINE}.intersection(rows.schema.names)
    return rows.drop_columns(sorted(own)) if own else rows


def origins(rows: pa.Table) -> pa.Table:
    """Return the columns of this module, as far as a table has them."""
    return rows.select([name for name in (FILE, LINE) if name in rows.column_names])


def origin_of(row: Mapping[str, Any]) -> tuple[str | None, int | None]:
    """Return the file and the line of a row, None where they are not known."""
    file, line = row.get(FILE), row.get(LINE)
    return (
        None if file is None else str(file),
        int(line) if isinstance(line, int) else None,
    )


def told(source: str | None, line: int | None) -> str | None:
    """Return where a row came from, as people write it: crm.csv:1042."""
    return source if source is None or line is None else f"{source}:{line}"
