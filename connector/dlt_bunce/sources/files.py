"""Customers from files."""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import dlt
from dlt.extract import DltResource

from dlt_bunce import parquet
from dlt_bunce.errors import SourceError
from dlt_bunce.sources import csv_files
from dlt_bunce.sources.resources import ROWS, TABLE, resource_name

RowGroups = Callable[[str, int], Sequence[int]]
"""Of a file, named by its path within the location, with so many parts: those to read. The parts
are row groups; a CSV file is one part.
"""


def from_parquet(
    location: str, *, changed_files_only: bool = False, row_groups: RowGroups | None = None
) -> DltResource:
    """Parquet files: a path, a folder, a glob, or a URL such as s3://bucket/customers/*.parquet.

    With `changed_files_only`, later runs of a pipeline read only files that were modified since
    the newest one they have read; a file copied there with an older time would not be seen.
    Without `row_groups` all of every file is read. Credentials of remote stores come from dlt's
    configuration (`[sources.filesystem.credentials]`). Raises SourceError when no local file
    matches or a file is not Parquet.
    """

    def batches(found: Iterable[Any]) -> Iterator[Any]:
        for file in found:
            path = file["relative_path"]
            chosen = None if row_groups is None else lambda count: row_groups(path, count)  # noqa: B023, called at once
            with file.open() as opened:
                yield from parquet.record_batches(opened, ROWS, chosen)

    return _resource(_listing(location, csv=False), batches, location, changed_files_only)


def from_csv(
    location: str, *, changed_files_only: bool = False, row_groups: RowGroups | None = None
) -> DltResource:
    """CSV files (.csv, or .csv.gz): UTF-8 with a header, separated by comma, semicolon, tab, or |.

    Every column is text, so that ids and phone numbers keep their digits; an empty cell is null.
    Arguments and errors are those of `from_parquet`; a file is one part for `row_groups`. Of a
    dead-letter export only `dead_letter_id` is read beside the source's own columns, and the
    apostrophes are taken off with which the export protects cells.
    """

    def batches(found: Iterable[Any]) -> Iterator[Any]:
        for file in found:
            if row_groups is None or row_groups(file["relative_path"], 1):
                with file.open() as opened:
                    yield from csv_files.record_batches(opened, ROWS, file["file_name"])

    return _resource(_listing(location, csv=True), batches, location, changed_files_only)


def from_files(location: str, *, row_groups: RowGroups | None = None) -> DltResource:
    """Parquet or CSV, whichever the location holds. Raises SourceError also where it holds both."""
    read = from_csv if holds_csv(location) else from_parquet
    return read(location, row_groups=row_groups)


def holds_csv(location: str) -> bool:
    """Whether a location holds CSV files: by its name or, for a local folder, by what is in it.

    Raises SourceError for one that holds Parquet as well.
    """
    if "://" in location:
        return csv_files.is_csv(location)
    kinds = {csv_files.is_csv(file.name) for file in _local(location)}
    if len(kinds) > 1:
        raise SourceError(
            f"{location} leads to CSV files and to others.",
            remedy="Load them one after the other, with a glob such as 'exports/*.csv'.",
        )
    return True in kinds


def paths(location: str) -> list[str]:
    """The files of a location, sorted, by their paths within it. Raises as `from_files`."""
    return sorted(file["relative_path"] for file in _listing(location, csv=holds_csv(location)))


def columns(location: str) -> list[str]:
    """The columns of the first file of a local location; of a remote one nothing is read."""
    if "://" in location:
        return []
    file = min(_local(location))
    return csv_files.columns(file) if csv_files.is_csv(file.name) else parquet.columns(file)


def _resource(
    listing: DltResource,
    batches: Callable[[Iterable[Any]], Iterator[Any]],
    location: str,
    changed_files_only: bool,
) -> DltResource:
    if changed_files_only:
        listing = listing.with_name(resource_name("files", _absolute(location)))
        listing.apply_hints(incremental=dlt.sources.incremental("modification_date"))
    resource: DltResource = (listing | dlt.transformer(batches)).with_name(TABLE)
    return resource


def _listing(location: str, *, csv: bool) -> DltResource:
    from dlt.sources.filesystem import filesystem

    if "://" not in location:
        for file in _local(location, csv=csv):
            (csv_files if csv else parquet).columns(file)
    folder, pattern = _split_glob(_absolute(location), "**/*.csv*" if csv else "**/*.parquet")
    files: DltResource = filesystem(bucket_url=folder, file_glob=pattern)
    if csv:
        files.add_filter(lambda file: csv_files.is_csv(file["file_name"]))
    return files


def _local(location: str, *, csv: bool | None = None) -> list[Path]:
    """The files that a path, folder, or glob leads to: of a folder those of the kind, or of both.

    Raises SourceError when there are none.
    """
    path = Path(location)
    matching = glob.glob(location, recursive=True)  # noqa: PTH207, Path.glob takes no absolute pattern
    found = [path] if path.exists() else [Path(name) for name in matching]
    files: list[Path] = []
    for one in found:
        if not one.is_dir():
            files.append(one)
            continue
        if csv is not True:
            files += one.rglob("*.parquet")
        if csv is not False:
            files += [file for file in one.rglob("*") if csv_files.is_csv(file.name)]
    if not files:
        raise SourceError(f"There is no file {location}.", remedy="Check the path or the glob.")
    return files


def _split_glob(location: str, within_folder: str) -> tuple[str, str]:
    """Folder and pattern, as dlt's filesystem source takes them."""
    head = location.split("*", 1)[0].split("?", 1)[0].split("[", 1)[0]
    if head == location and (head.endswith("/") or Path(location).is_dir()):
        return location.rstrip("/"), within_folder
    folder = head.rsplit("/", 1)[0]
    return folder, location[len(folder) + 1 :]


def _absolute(location: str) -> str:
    return location if "://" in location else str(Path(location).resolve())
