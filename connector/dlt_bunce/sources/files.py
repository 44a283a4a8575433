"""Customers from Parquet files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import dlt
from dlt.extract import DltResource

from dlt_bunce import parquet
from dlt_bunce.sources.resources import ROWS, TABLE, resource_name

RowGroups = Callable[[str, int], Sequence[int]]
"""Of a file, named by its path within the location, with so many row groups: those to read."""


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
    files = _listing(location)
    if changed_files_only:
        files = files.with_name(resource_name("files", _absolute(location)))
        files.apply_hints(incremental=dlt.sources.incremental("modification_date"))

    def batches(found: Iterable[Any]) -> Iterator[Any]:
        for file in found:
            path = file["relative_path"]
            chosen = None if row_groups is None else lambda count: row_groups(path, count)  # noqa: B023, called at once
            with file.open() as opened:
                yield from parquet.record_batches(opened, ROWS, chosen)

    resource: DltResource = (files | dlt.transformer(batches)).with_name(TABLE)
    return resource


def paths(location: str) -> list[str]:
    """The files of a location, sorted, by their paths within it. Raises as `from_parquet`."""
    return sorted(file["relative_path"] for file in _listing(location))


def _listing(location: str) -> DltResource:
    from dlt.sources.filesystem import filesystem

    if "://" not in location:
        parquet.check(location)
    folder, pattern = parquet.split_glob(_absolute(location))
    return filesystem(bucket_url=folder, file_glob=pattern)


def _absolute(location: str) -> str:
    return location if "://" in location else str(Path(location).resolve())
