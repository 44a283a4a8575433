"""Customer ids in a file: lines of text, or a column of a table."""

from __future__ import annotations

from pathlib import Path

from dlt_bunce.errors import UsageError
from dlt_bunce.records.identifiers import parse_identifiers
from dlt_bunce.records.mapping import column_of
from dlt_bunce.records.text import flat
from dlt_bunce.sources import file_columns, from_files
from dlt_bunce.sources.formats import kind_of


def ids_in(file: Path, column: str | None) -> list[str]:
    """Return the ids in a file: its lines, or the values of one column of a table.

    The column is `column`, or else the one whose name maps to customer_id. Raises UsageError for a
    file that cannot be read, and for a table without such a column.
    """
    if kind_of(file.name) is None or file.suffix.lower() == ".txt":
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
    for table in from_files(str(file)):
        values = parse_identifiers(flat(table.column(column))).values
        found += values.drop_null().to_pylist()
    return found
