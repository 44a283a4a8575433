"""Customers from Parquet and CSV files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import dlt
from dlt.extract import DltResource

from dlt_bunce.load import parquet
from dlt_bunce.records.plain import plain
from dlt_bunce.sources import csv_files, drift
from dlt_bunce.sources.listing import Kind, listed
from dlt_bunce.sources.resources import ROWS, TABLE, resource_name

RowGroups = Callable[[str, int], Sequence[int]]
"""Function from a file's path within the location and its number of parts to the parts to read.
The parts are row groups; a CSV file is a single part.
"""


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
    return _files_resource(location, "parquet", row_groups, changed_files_only)


def from_csv(
    location: str, *, changed_files_only: bool = False, row_groups: RowGroups | None = None
) -> DltResource:
    """Read CSV files (.csv or .csv.gz): UTF-8 with a header, separated by comma, ;, tab, or |.

    Every column is text, so ids and phone numbers keep their digits; an empty cell is null. All
    files must have the same columns, in any order. Arguments and errors are those of
    `from_parquet`; for `row_groups`, a file is a single part. From a dead-letter export, only the
    source's own columns and `dead_letter_id` are read, and the apostrophes that protect its cells
    are removed.
    """
    return _files_resource(location, "csv", row_groups, changed_files_only)


def from_files(location: str, *, row_groups: RowGroups | None = None) -> DltResource:
    """Read Parquet or CSV, whichever the location has. Raises SourceError, also if it has both."""
    return _files_resource(location, None, row_groups, changed_files_only=False)


def paths(location: str) -> list[str]:
    """Return the sorted paths of the files within a location. Raises like `from_files`."""
    return [file["relative_path"] for file in listed(location)]


def columns(location: str) -> list[str]:
    """Return the columns of the first file of a local location; none if it is remote."""
    return _local_columns(listed(location)[:1]) if "://" not in location else []


def _local_columns(found: Sequence[Any]) -> list[str]:
    """Return the columns of the files. Raises SourceError for files that do not match."""
    same = csv_files.SameColumns()
    schemas = {}
    for file in found:
        path = Path(file.local_file_path)
        if file["kind"] == "csv":
            same.check(csv_files.columns(path, file["relative_path"]), file["relative_path"])
        else:
            schemas[file["relative_path"]] = parquet.schema(path, file["relative_path"])
    common = drift.common_schema(schemas)
    return same.names if common is None else list(common.names)


def _files_resource(
    location: str, kind: Kind | None, row_groups: RowGroups | None, changed_files_only: bool
) -> DltResource:
    if "://" not in location:
        _local_columns(listed(location, kind))

    def files() -> Iterator[list[Any]]:
        yield listed(location, kind)

    def batches(found: Iterable[Any]) -> Iterator[Any]:
        read = list(found)
        if read and read[0]["kind"] == "csv":
            yield from _csv_batches(read, row_groups)
        else:
            yield from _parquet_batches(read, row_groups)

    listing = dlt.resource(files, name="files")
    if changed_files_only:
        listing = listing.with_name(resource_name("files", _absolute(location)))
        listing.apply_hints(incremental=dlt.sources.incremental("modification_date"))
    resource: DltResource = (listing | dlt.transformer(batches)).with_name(TABLE)
    return resource


def _csv_batches(found: Sequence[Any], row_groups: RowGroups | None) -> Iterator[Any]:
    same = csv_files.SameColumns()
    # check all headers before reading any row: the file without a header may be the first
    for file in found:
        with file.open(block_size=csv_files.HEAD_BYTES) as opened:
            head = opened.read(csv_files.HEAD_BYTES)
        same.check(csv_files.header(head, file["relative_path"]).named, file["relative_path"])
    for file in found:
        path = file["relative_path"]
        if row_groups is None or row_groups(path, 1):
            with file.open() as opened:
                for batch in csv_files.record_batches(opened, ROWS, path):
                    yield batch.select(same.names)


def _parquet_batches(found: Sequence[Any], row_groups: RowGroups | None) -> Iterator[Any]:
    schemas = {}
    for file in found:
        with file.open() as opened:
            schemas[file["relative_path"]] = parquet.schema(opened, file["relative_path"])
    common = drift.common_schema(schemas)
    for path, file in zip(schemas, found, strict=True):
        chosen = None if row_groups is None else lambda count: row_groups(path, count)  # noqa: B023, called at once
        with file.open() as opened:
            for batch in parquet.record_batches(opened, ROWS, chosen):
                yield plain(drift.fitted(batch, common, path))


def _absolute(location: str) -> str:
    return location if "://" in location else str(Path(location).resolve())
