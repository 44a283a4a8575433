"""Customer ids in a file: lines of text, or a column of a table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from dlt_bunce.errors import UsageError
from dlt_bunce.load import parquet
from dlt_bunce.records.identifiers import parse_identifiers
from dlt_bunce.records.mapping import column_of
from dlt_bunce.records.text import flat
from dlt_bunce.sources import csv_files, file_columns

_ROWS = 10_000


def ids_in(file: Path, column: str | None) -> list[str]:
    """Return the ids in a file: its lines, or the values of one column of a .csv or .parquet.

    The column is `column`, or else the one whose name maps to customer_id. Raises UsageError for a
    file that cannot be read, and for a table without such a column.
    """
    is_csv = csv_files.is_csv(file.name)
    if not is_csv and file.suffix.lower() != ".parquet":
        try:
            lines = file.read_text("utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{file} cannot be read: {type(error).__name__}.") from None
        return [line.strip() for line in lines if line.strip()]
    names = file_columns(str(file))
    column = column or column_of("customer_id", names)
    if column not in names:
        raise UsageError(
            f"No column of {file} maps to customer_id. Its columns are: {', '.join(names)}.",
            remedy="Name the column with --map customer_id=COLUMN.",
        )
    found: list[str] = []
    for batch in _batches(file, is_csv=is_csv):
        values = parse_identifiers(flat(pa.Table.from_batches([batch]).column(column))).values
        found += values.drop_null().to_pylist()
    return found


def _batches(file: Path, *, is_csv: bool) -> Iterator[Any]:
    if not is_csv:
        yield from parquet.record_batches(str(file), _ROWS)
        return
    with file.open("rb") as opened:
        yield from csv_files.record_batches(opened, _ROWS, file.name)
