"""Customers from files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Optional

import dlt
import pyarrow as pa
from dlt.extract import DltResource

from dlt_bunce.load import parquet
from dlt_bunce.logs import logger
from dlt_bunce.records.row_origin import FILE, LINE, counted_from, with_file, with_lines
from dlt_bunce.records.text.plain import plain
from dlt_bunce.records.unreadable import UNREADABLE
from dlt_bunce.sources import csv_files, drift, json_files, row_files, table_formats
from dlt_bunce.sources.csv_header import SameColumns
from dlt_bunce.sources.formats import Kind
from dlt_bunce.sources.listing import listed, on_disk, shown_name
from dlt_bunce.sources.opening import opened
from dlt_bunce.sources.resources import ROWS, TABLE, resource_name

_ADDED = frozenset({FILE, LINE, UNREADABLE})
"""Columns that readers add to those of a file."""
RowGroups = Callable[[str, int], Sequence[int]]
"""Function from a file's path within the location and its number of parts to the parts to read.
The parts are the row groups of a Parquet file; any other file is a single part.
"""


def _log(note: str) -> None:
    logger().warning("source.read_as", note=note)


@dataclass(frozen=True)
class Reading:
    """How to read files: the encoding of text (None: detected), the sheet of a workbook (None: the
    first), and who is told what was assumed.
    """

    encoding: str | None = None
    sheet: str | None = None
    note: Callable[[str], None] = _log


def from_parquet(
    location: str, *, changed_files_only: bool = False, row_groups: RowGroups | None = None
) -> DltResource:
    """Read Parquet files: a path, folder, glob, or URL such as s3://bucket/customers/*.parquet.

    Files are read in the order of their names. With `changed_files_only`, later runs of a pipeline
    read only files modified after the newest file read so far; a file copied in with an older
    modification time is not seen. Without `row_groups`, every file is read completely. Credentials
    for remote storage come from dlt's configuration (`[sources.filesystem.credentials]`). Raises
    SourceError if no file is found (immediately for a local location) and if a file is not Parquet.
    """
    return _files_resource(location, "parquet", row_groups, Reading(), changed_files_only)


def from_csv(
    location: str,
    *,
    changed_files_only: bool = False,
    row_groups: RowGroups | None = None,
    encoding: str | None = None,
) -> DltResource:
    """Read CSV files with a header, separated by comma, ;, tab, or |, compressed or not.

    Without an `encoding`, a byte order mark decides, and otherwise UTF-8 or Windows-1252, whichever
    the text is. Every column is text, so ids and phone numbers keep their digits; an empty cell is
    null. All files must have the same columns, in any order. Single lines that cannot be read
    become rejected rows; a file with many of them is a SourceError. Arguments and errors are those
    of `from_parquet`; for `row_groups`, a file is a single part. From a dead-letter export, only
    the source's own columns and `dead_letter_id` are read, and the apostrophes that protect its
    cells are removed.
    """
    return _files_resource(location, "csv", row_groups, Reading(encoding), changed_files_only)


def from_files(
    location: str,
    *,
    row_groups: RowGroups | None = None,
    reading: Reading = Reading(),
) -> DltResource:
    """Read files of whichever format the location has: CSV, Parquet, JSON, Excel, Avro, Arrow, or a
    Delta or Iceberg table. Raises SourceError, also if it has files of several formats.
    """
    return _files_resource(location, None, row_groups, reading, changed_files_only=False)


def paths(location: str) -> list[str]:
    """Return the sorted paths of the files within a location. Raises like `from_files`."""
    return [file["relative_path"] for file in listed(location)]


def columns(location: str, reading: Reading = Reading()) -> list[str]:
    """Return the columns of the first file of a local location; none if it is remote, and for JSON,
    whose objects may differ.
    """
    if "://" in on_disk(location):
        return []
    return _local_columns(listed(location)[:1], location, reading)


def _local_columns(found: Sequence[Any], location: str, reading: Reading) -> list[str]:
    """Return the columns of the files. Raises SourceError for files that do not match."""
    kind = found[0]["kind"]
    if kind in _SCHEMAS:
        common = drift.common_schema(dict(_schemas(found, location)))
        return [] if common is None else list(common.names)
    same = SameColumns()
    for file in found if kind in _COLUMNS else ():
        same.check(_columns(file, reading), file["relative_path"])
    return same.names


def _files_resource(
    location: str,
    kind: Kind | None,
    row_groups: RowGroups | None,
    reading: Reading,
    changed_files_only: bool,
) -> DltResource:
    if "://" not in on_disk(location):
        _local_columns(listed(location, kind), location, reading)

    def files() -> Iterator[list[Any]]:
        yield listed(location, kind)

    def batches(found: Iterable[Any]) -> Iterator[Any]:
        read = list(found)
        if read:
            if read[0]["kind"] in _SCHEMAS:
                yield from _typed_batches(read, location, row_groups)
            else:
                yield from _row_batches(read, location, row_groups, reading)

    listing = dlt.resource(files, name="files")
    if changed_files_only:
        listing = listing.with_name(resource_name("files", _absolute(location)))
        listing.apply_hints(incremental=dlt.sources.incremental("modification_date"))
    resource: DltResource = (listing | dlt.transformer(batches)).with_name(TABLE)
    return resource


def _row_batches(
    found: Sequence[Any], location: str, row_groups: RowGroups | None, reading: Reading
) -> Iterator[Any]:
    """Yield the rows of CSV, JSON, Excel, and Avro files, which are single parts."""
    kind, same = found[0]["kind"], SameColumns()
    # check all headers before reading any row: the file without a header may be the first
    for file in found if kind in _COLUMNS else ():
        same.check(_columns(file, reading), file["relative_path"])
    kinds: dict[str, pa.DataType] = {}
    for file in found:
        path = file["relative_path"]
        if row_groups is not None and not row_groups(path, 1):
            continue
        with opened(file, kind) as content:
            name = shown_name(file, location, content)
            for table in _READERS[kind](content, path, kinds, reading):
                rows = table if kind != "csv" else _in_order(table, same, path)
                yield with_file(rows, name)


def _in_order(table: Any, same: SameColumns, path: str) -> Any:
    """Return the table with its columns in the order of the first file's. Raises SourceError if the
    file was replaced by one with other columns since its header was checked.
    """
    added = [n for n in table.schema.names if n not in set(same.names)]
    if len(table.schema.names) - len(added) < len(same.names):
        same.check([n for n in table.schema.names if n not in _ADDED], path)
    return table.select([*same.names, *added])


def _typed_batches(
    found: Sequence[Any], location: str, row_groups: RowGroups | None
) -> Iterator[Any]:
    """Yield the rows of Parquet and Arrow files, and of tables, in a common schema."""
    schemas = dict(_schemas(found, location))
    common = drift.common_schema(schemas)
    for file in found:
        path = file["relative_path"]
        name = shown_name(file, location)
        chosen = None if row_groups is None else partial(row_groups, path)
        for batch, lines in _SCHEMAS[file["kind"]][1](file, location, chosen):
            rows = plain(drift.fitted(batch, common, path))
            yield with_file(with_lines(rows, lines), name)


def _columns(file: Any, reading: Reading) -> list[str]:
    with opened(file, file["kind"]) as content:
        return _COLUMNS[file["kind"]](content, file["relative_path"], reading)


def _schemas(found: Sequence[Any], location: str) -> Iterator[tuple[str, pa.Schema]]:
    for file in found:
        yield file["relative_path"], _SCHEMAS[file["kind"]][0](file, location)


Chosen = Optional[Callable[[int], Sequence[int]]]
_Numbered = Iterator[tuple[Any, Optional[pa.Array]]]


def _parquet_schema(file: Any, _location: str) -> pa.Schema:
    with opened(file, "parquet") as content:
        return parquet.schema(content)


def _parquet_batches(file: Any, _location: str, chosen: Chosen) -> _Numbered:
    with opened(file, "parquet") as content:
        yield from parquet.numbered_batches(content, ROWS, chosen)


def _arrow_schema(file: Any, _location: str) -> pa.Schema:
    with opened(file, "arrow") as content:
        return row_files.arrow_schema(content)


def _arrow_batches(file: Any, _location: str, chosen: Chosen) -> _Numbered:
    read = 0
    if chosen is None or chosen(1):
        with opened(file, "arrow") as content:
            for batch in row_files.arrow_batches(content, ROWS):
                yield batch, counted_from(read + 1, batch.num_rows)
                read += batch.num_rows


def _table_batches(file: Any, location: str, chosen: Chosen) -> _Numbered:
    if chosen is None or chosen(1):
        for batch in table_formats.batches(file, location, ROWS):
            yield batch, None  # the order of its files tells nobody where a row is


_SCHEMAS: dict[Kind, tuple[Callable[..., pa.Schema], Callable[..., _Numbered]]] = {
    "parquet": (_parquet_schema, _parquet_batches),
    "arrow": (_arrow_schema, _arrow_batches),
    "delta": (table_formats.schema, _table_batches),
    "iceberg": (table_formats.schema, _table_batches),
}
_COLUMNS: dict[Kind, Callable[..., list[str]]] = {
    "csv": lambda file, name, reading: csv_files.columns(file, name, reading.encoding),
    "excel": lambda file, name, reading: row_files.excel_columns(file, name, reading.sheet),
    "avro": lambda file, _name, _reading: row_files.avro_columns(file),
}
_READERS: dict[Kind, Callable[..., Iterator[Any]]] = {
    "csv": lambda file, name, _kinds, reading: csv_files.record_batches(
        file, ROWS, name, reading.encoding, reading.note
    ),
    "json": lambda file, name, kinds, reading: json_files.tables(
        file, ROWS, name, kinds, reading.encoding, reading.note
    ),
    "excel": lambda file, name, kinds, reading: row_files.excel_tables(
        file, ROWS, name, kinds, reading.sheet
    ),
    "avro": lambda file, name, kinds, _reading: row_files.avro_tables(file, ROWS, name, kinds),
}


def _absolute(location: str) -> str:
    return location if "://" in location else str(Path(location).resolve())
