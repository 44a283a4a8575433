"""What a location on the command line or in a setting means."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit

from dlt.extract import DltResource

from dlt_bunce.errors import SourceError
from dlt_bunce.sources.databases import from_database
from dlt_bunce.sources.files import columns, from_files

_FILES = ("", "s3", "gs", "gcs", "az", "abfss", "file", "memory")


def open_source(
    location: str, *, table: str | None = None, query: str | None = None
) -> DltResource:
    """The resource that a location names: a path, folder, or glob of Parquet or CSV files,
    s3://…, postgresql://…, mysql://…, duckdb:///…, any SQLAlchemy URL, or env:NAME for a URL kept
    in an environment variable.

    Raises SourceError, also for a URL that holds a password: arguments are visible to everybody
    on the machine.
    """
    location = resolved(location)
    if not holds_files(location):
        return from_database(location, table=table, query=query)
    refuse_query(table, query)
    return from_files(location)


def resolved(location: str) -> str:
    """The path or URL itself, which may hold a password now. Raises SourceError."""
    if location.startswith("env:"):
        name = location.removeprefix("env:")
        location = os.environ.get(name, "")
        if not location:
            raise SourceError(f"The environment variable {name} is not set.")
    elif "://" in location and urlsplit(location).password:
        raise SourceError(
            "The source's URL holds a password, and arguments are visible in the process list.",
            remedy="Put the URL into an environment variable and write env:NAME instead.",
        )
    return location


def file_columns(location: str) -> list[str]:
    """The columns of the first file of a location on this machine; nothing of others is read."""
    location = resolved(location)
    return columns(location) if holds_files(location) else []


def holds_files(location: str) -> bool:
    """Whether a resolved location leads to files, not to a database."""
    return (location.split("://", 1)[0] if "://" in location else "") in _FILES


def refuse_query(*given: str | None) -> None:
    """Raises SourceError when anything is given that only a database has."""
    if any(given):
        raise SourceError(
            "Files have neither tables nor queries nor keys.",
            remedy="Drop --table, --query, and --shard-key.",
        )


def limited(resource: DltResource, rows: int) -> DltResource:
    """The first `rows` rows of a resource of Arrow tables."""
    left = rows

    def cut(item: Any) -> Any:
        nonlocal left
        taken = item.slice(0, left)
        left -= taken.num_rows
        return taken

    if not resource.is_transformer:
        # reading stops there; files are read to their end, which dlt cannot stop
        resource.add_limit(rows, count_rows=True)
    return resource.add_map(cut).add_filter(lambda item: item.num_rows > 0)
