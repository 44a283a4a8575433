"""Customer ids in a file: lines of text, or a column of a table."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from dlt_bunce.errors import UsageError
from dlt_bunce.records.fields.fields import first_filled
from dlt_bunce.records.fields.identifiers import parse_identifiers
from dlt_bunce.records.mapping.matching import as_spelled, columns_of
from dlt_bunce.records.mapping.schema import ColumnNames, names_of
from dlt_bunce.records.mapping.source_columns import values_of
from dlt_bunce.records.text.spreadsheet_traces import DEFAULT_TRACES
from dlt_bunce.records.text.text import without_invisible
from dlt_bunce.sources import file_columns, from_files
from dlt_bunce.sources.formats import kind_of


def ids_in(file: Path, columns: ColumnNames | None) -> list[str]:
    """Return the ids in a file: its lines, or the values of a column of a table.

    `columns` are tried in order for each row; without them, those whose names map to customer_id.
    Raises UsageError for a file that cannot be read, and for a table without such a column.
    """
    if kind_of(file.name) is None or file.suffix.lower() == ".txt":
        try:
            lines = file.read_text("utf-8-sig").splitlines()
        except UnicodeDecodeError:
            raise UsageError(
                f"{file} is not UTF-8 text.", remedy="Save it as UTF-8, with one id per line."
            ) from None
        except OSError as error:
            raise UsageError(f"{file} cannot be read: {error.strerror}.") from None
        return [line for line in map(without_invisible, lines) if line]
    names = file_columns(str(file))
    given = names_of(columns or ())
    own = [as_spelled(column, names) for column in given] or columns_of("customer_id", names)
    found_in = [column for column in own if column is not None]
    if not found_in or len(found_in) < len(given):
        raise UsageError(
            f"No column of {file} maps to customer_id. Its columns are: {', '.join(names)}.",
            remedy="Name the column with --map customer_id=COLUMN.",
        )
    found: list[str] = []
    for table in from_files(str(file)):
        arrays = [values_of(table, column) for column in found_in]
        parsed = first_filled(arrays, partial(parse_identifiers, traces=DEFAULT_TRACES))
        found += parsed.values.drop_null().to_pylist()
    return found
