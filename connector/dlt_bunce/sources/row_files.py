"""Excel workbooks, Avro files, and Arrow files, read a part at a time."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from itertools import islice
from typing import IO, Any

import pyarrow as pa
from pyarrow import feather, ipc

from dlt_bunce.errors import SourceError
from dlt_bunce.records.cells import unmarked
from dlt_bunce.records.row_origin import counted_from, with_lines
from dlt_bunce.records.rows import typed_table
from dlt_bunce.sources.csv_header import column_names, columns_of_export

_EXACT = 2**53


def excel_columns(file: IO[bytes], name: str, sheet: str | None = None) -> list[str]:
    """Return the columns of a sheet. Raises SourceError if it does not begin with a header."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        names = _sheet(file, name, sheet)[0]
        return [column for column in columns_of_export(names) or names if column]


def excel_tables(
    file: IO[bytes], rows: int, name: str, kinds: dict[str, pa.DataType], sheet: str | None = None
) -> Iterator[pa.Table]:
    """Yield tables of at most `rows` rows of the first sheet, or the named one.

    The first row that is not blank is the header; blank rows are skipped. A cell has the value that
    the workbook shows for its formula. An export of dead letters is read as from CSV. Raises
    SourceError.
    """
    found, numbered = _sheet(file, name, sheet)
    of_export = columns_of_export(found)
    names = found if of_export is None else of_export
    while part := list(islice(numbered, rows)):
        numbers, cells = zip(*part, strict=True)
        columns = zip(*(_padded(row, len(names)) for row in cells), strict=True)
        values = {column: list(v) for column, v in zip(names, columns, strict=True) if column}
        table = typed_table(values, kinds)
        table = table if of_export is None else _unmarked(table)
        yield with_lines(table, pa.array(numbers, pa.int64()))


def _unmarked(table: pa.Table) -> pa.Table:
    whole = (column.combine_chunks() for column in table.columns)
    columns = [unmarked(array) if pa.types.is_string(array.type) else array for array in whole]
    return pa.Table.from_arrays(columns, table.column_names)


def _sheet(
    file: IO[bytes], name: str, sheet: str | None
) -> tuple[tuple[str, ...], Iterator[tuple[int, tuple[Any, ...]]]]:
    """Return the header, and the other rows that are not blank, with their numbers in the sheet."""
    import openpyxl

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about styles and extensions that are not read
        workbook = openpyxl.load_workbook(file, read_only=True, data_only=True)
    sheets = [known for known in workbook.worksheets if known.sheet_state == "visible"]
    chosen = next((s for s in workbook.worksheets if s.title == sheet), None)
    if sheet is None and sheets:
        chosen = sheets[0]
    if chosen is None:
        titles = ", ".join(repr(known.title) for known in workbook.worksheets)
        raise SourceError(
            f"{name} has no sheet {sheet!r}. Its sheets are {titles}.",
            remedy="Pass one of them with --sheet.",
        )
    chosen.reset_dimensions()  # writers may give dimensions that are not true
    filled = (
        (number, row)
        for number, row in enumerate(chosen.iter_rows(values_only=True), start=1)
        if any(cell is not None and cell != "" for cell in row)
    )
    _, first = next(filled, (0, ()))
    titles_ = ["" if cell is None else str(cell).strip() for cell in first]
    rows = ((number, tuple(map(_value, row))) for number, row in filled)
    return column_names(titles_, name), rows


def _value(cell: Any) -> Any:
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < _EXACT:
        return int(cell)  # a workbook has no whole numbers
    return None if cell == "" else cell


def _padded(row: tuple[Any, ...], length: int) -> tuple[Any, ...]:
    return (*row[:length], *[None] * (length - len(row)))


def avro_columns(file: IO[bytes]) -> list[str]:
    """Return the fields of an Avro file."""
    import fastavro

    schema: Any = fastavro.reader(file).writer_schema
    return [field["name"] for field in schema.get("fields", [])]


def avro_tables(
    file: IO[bytes], rows: int, name: str, kinds: dict[str, pa.DataType]
) -> Iterator[pa.Table]:
    """Yield tables of at most `rows` records. Raises SourceError if the file has no records."""
    import fastavro

    reader = fastavro.reader(file)
    schema: Any = reader.writer_schema
    if not isinstance(schema, dict) or schema.get("type") != "record":
        raise SourceError(
            f"{name} contains no records.", remedy="Each item of an Avro file must be a record."
        )
    names = [field["name"] for field in schema["fields"]]
    records: Iterator[Any] = iter(reader)
    read = 0
    while part := list(islice(records, rows)):
        table = typed_table({column: [r.get(column) for r in part] for column in names}, kinds)
        yield with_lines(table, counted_from(read + 1, len(part)))
        read += len(part)


def arrow_schema(file: IO[bytes]) -> pa.Schema:
    """Return the schema of an Arrow file, stream, or Feather file."""
    return _arrow(file)[0]


def arrow_batches(file: IO[bytes], rows: int) -> Iterator[Any]:
    """Yield record batches of at most `rows` rows."""
    for batch in _arrow(file)[1]:
        for start in range(0, batch.num_rows, rows):
            yield batch.slice(start, rows)


def _arrow(file: IO[bytes]) -> tuple[pa.Schema, Iterator[Any]]:
    head = file.read(6)
    file.seek(0)
    if head.startswith(b"FEA1"):
        table = feather.read_table(file, memory_map=False)
        return table.schema, iter(table.to_batches())
    if head == b"ARROW1":
        reader = ipc.open_file(pa.PythonFile(file, "r"))
        numbers = range(reader.num_record_batches)
        return reader.schema, (reader.get_batch(number) for number in numbers)
    stream = ipc.open_stream(pa.PythonFile(file, "r"))
    return stream.schema, iter(stream)
