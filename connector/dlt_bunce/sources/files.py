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

_MOST_FILES = 1_000_000
_SHOWN = 5
"""Files that a message names."""
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
        for file in _in_order(found):
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
        files = _in_order(found)
        _refuse_other_headers(files)
        for file in files:
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


def _in_order(found: Iterable[Any]) -> list[Any]:
    """By name, and not as the disk has them: of two versions of a row the later file's is newer."""
    return sorted(found, key=lambda file: file["relative_path"])


def _refuse_other_headers(files: Sequence[Any]) -> None:
    """Raise SourceError for a file with other columns than the first, or without a header: its
    first row would be taken for one. Which columns is not told, since they may be values.
    """
    first: frozenset[str] | None = None
    for file in files:
        with file.open() as opened:
            names = frozenset(csv_files.header_of(opened, file["file_name"]).named)
        first = names if first is None else first
        if names != first:
            raise SourceError(
                f"{file['relative_path']} has other columns than {files[0]['relative_path']}, or "
                f"no header: {len(names & first)} of {len(first)} are the same.",
                remedy="Give every file the same header, or load them one after the other.",
            )


def _resource(
    listing: DltResource,
    batches: Callable[[Iterable[Any]], Iterator[Any]],
    location: str,
    changed_files_only: bool,
) -> DltResource:
    if changed_files_only:
        listing = listing.with_name(resource_name("files", _absolute(location)))
        listing.apply_hints(incremental=dlt.sources.incremental("modification_date"))
    else:
        listing = _some(listing, location)
    resource: DltResource = (listing | dlt.transformer(batches)).with_name(TABLE)
    return resource


def _some(listing: DltResource, location: str) -> DltResource:
    """The same files, or SourceError where there are none: that is no success."""

    def files() -> Iterator[Any]:
        found = list(listing)
        if not found:
            raise SourceError(
                f"There is no file of customers at {location}{listed(_absolute(location))}.",
                remedy="Check the path; name CSV files by a glob, such as folder/*.csv.",
            )
        yield found

    return dlt.resource(files, name="files")


def _listing(location: str, *, csv: bool) -> DltResource:
    from dlt.sources.filesystem import filesystem

    if "://" not in location:
        for file in _local(location, csv=csv):
            (csv_files if csv else parquet).columns(file)
    folder, pattern = _split_glob(_absolute(location))
    # all in one page, so that they can be read in the order of their names
    files: DltResource = filesystem(
        bucket_url=folder, file_glob=pattern or "**/*", files_per_page=_MOST_FILES
    )
    is_kind = csv_files.is_csv if csv else parquet.is_parquet
    if pattern is None or any(mark in pattern for mark in "*?["):
        files.add_filter(
            lambda file: is_kind(file["file_name"]) and file.get("size_in_bytes", 1) > 0
        )
    return files


def _local(location: str, *, csv: bool | None = None) -> list[Path]:
    """The files that a path, folder, or glob leads to: of a folder those of the kind, or of both.

    Raises SourceError when there are none.
    """
    path = Path(location)
    if path.is_file():
        return [path]
    matching = glob.glob(location, recursive=True)  # noqa: PTH207, Path.glob takes no absolute pattern
    found = [path] if path.is_dir() else [Path(name) for name in matching]
    files: list[Path] = []
    for one in found:
        files += [f for f in one.rglob("*") if f.is_file()] if one.is_dir() else [one]
    kinds = [
        *([csv_files.is_csv] if csv is not False else []),
        *([parquet.is_parquet] if csv is not True else []),
    ]
    files = [f for f in files if any(is_kind(f.name) for is_kind in kinds) and f.stat().st_size]
    if not files:
        raise SourceError(
            f"There is no file of customers at {location}{listed(str(path.resolve()))}.",
            remedy="Check the path or the glob.",
        )
    return files


def listed(folder: str) -> str:
    """What lies in a folder instead of what was looked for, for a message."""
    from dlt.sources.filesystem import filesystem

    folder, _ = _split_glob(folder)
    if "://" not in folder and not Path(folder).is_dir():
        return ""
    files = filesystem(bucket_url=folder, file_glob="**/*", files_per_page=_MOST_FILES)
    names = sorted(file["relative_path"] for file in files)
    shown = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
    return f", but {shown}" if names else ", nor any other"


def _split_glob(location: str) -> tuple[str, str | None]:
    """Folder and pattern, as dlt's filesystem source takes them; None for all of a folder."""
    head = location.split("*", 1)[0].split("?", 1)[0].split("[", 1)[0]
    last = location.rsplit("/", 1)[-1]
    remote = "://" in location
    # of a remote location nothing is asked beforehand: files have endings
    is_folder = not last or ("." not in last if remote else Path(location).is_dir())
    if head == location and is_folder:
        return location.rstrip("/"), None
    folder = head.rsplit("/", 1)[0]
    return folder, location[len(folder) + 1 :]


def _absolute(location: str) -> str:
    return location if "://" in location else str(Path(location).resolve())
