"""Interpretation of source locations from the command line and settings."""

from __future__ import annotations

import os
import re
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

from dlt.extract import DltResource

from dlt_bunce.destination.mapping.whole_reads import read_in_part
from dlt_bunce.errors import SourceError
from dlt_bunce.sources.databases import from_database
from dlt_bunce.sources.files import Reading, columns, from_files

_UNREAD = {
    "s3a": "Use s3:// for the same bucket.",
    "s3n": "Use s3:// for the same bucket.",
    "wasbs": "Use abfss:// or az:// for the same container.",
    "hdfs": "Copy the files to a disk or to S3, or read the table with a database URL.",
    "http": "Download the file and load the copy.",
    "https": "Download the file and load the copy.",
    "ftp": "Download the file and load the copy.",
    "sftp": "Download the file and load the copy.",
}
"""Schemes that a user may try, and what to do instead."""
_FILES = ("", "s3", "gs", "gcs", "az", "abfss", "file", "memory")
_SECRET = re.compile("password|passwd|passphrase|pwd|secret|token", re.IGNORECASE)
"""Parameters of URLs that hold secrets; passfile, for one, does not."""


def open_source(
    location: str,
    *,
    table: str | None = None,
    query: str | None = None,
    reading: Reading = Reading(),  # noqa: B008, immutable
) -> DltResource:
    """Return the resource for a location.

    A location is a path, folder, or glob of files (see `from_files`), s3://…, postgresql://…,
    mysql://…, duckdb:///…, any SQLAlchemy URL, or env:NAME for a URL in an environment variable.
    `reading` says how to read files. Raises SourceError.
    """
    location = resolved(location)
    if not holds_files(location):
        return from_database(location, table=table, query=query)
    refuse_query(table, query)
    return from_files(location, reading=reading)


def resolved(location: str) -> str:
    """Return the path or URL itself, which may contain a password. Raises SourceError."""
    scheme = location.partition("://")[0] if "://" in location else ""
    if scheme in _UNREAD:
        raise SourceError(f"{scheme}:// cannot be read.", remedy=_UNREAD[scheme])
    if location.startswith("env:"):
        name = location.removeprefix("env:")
        location = os.environ.get(name, "")
        if not location:
            raise SourceError(f"Environment variable {name} is not set.")
        if "://" not in location:
            # its content may be any secret, so it must not be looked for as a file and named
            raise SourceError(
                f"Environment variable {name} does not hold a URL.",
                remedy="Set it to a URL such as postgresql://user:password@host/database, or pass "
                "a path as it is, without env:.",
            )
    _refuse_unescaped(location)
    return location


def has_password(location: str) -> bool:
    """Return whether a location, if it is a URL, contains a password. Raises SourceError."""
    parts = _parts(location)
    if parts is None:
        return False
    query = parse_qsl(parts.query, keep_blank_values=True)
    return bool(parts.password) or any(
        _SECRET.search(name) or "pwd=" in value.lower() for name, value in query
    )


def _refuse_unescaped(location: str) -> None:
    """Raise SourceError for a database URL whose password ends before its end: drivers would take
    the rest of it for a host or a database, and name it in their errors.
    """
    parts = _parts(location)
    if parts is None or holds_files(location) or not parts.netloc:
        return
    if parts.netloc.count("@") > 1 or "@" in parts.path or "@" in parts.fragment:
        raise SourceError(
            "The source URL has more than one @, or a / or # before it.",
            remedy="In a user name and a password, write %40 for @, %2F for /, %23 for #, and %3A "
            "for a colon.",
        )


def _parts(location: str) -> SplitResult | None:
    """Return the parts of a URL, or None for a path. Raises SourceError."""
    if "://" not in location:
        return None
    try:
        return urlsplit(location)
    except ValueError:  # its text may hold part of a password
        raise SourceError(
            "The source URL cannot be parsed.", remedy="Use driver://user@host:port/database."
        ) from None


def file_columns(location: str, reading: Reading = Reading()) -> list[str]:  # noqa: B008, immutable
    """Return the columns of the first file of a local location; none for any other location."""
    location = resolved(location)
    return columns(location, reading) if holds_files(location) else []


def holds_files(location: str) -> bool:
    """Return whether a resolved location leads to files rather than to a database."""
    return (location.split("://", 1)[0] if "://" in location else "") in _FILES


def refuse_query(*given: str | None) -> None:
    """Raise SourceError if any option is given that only applies to databases."""
    if any(given):
        raise SourceError(
            "A table, query, or shard key cannot be used with files.",
            remedy="Remove --table, --query, and --shard-key.",
        )


def limited(resource: DltResource, rows: int) -> DltResource:
    """Limit a resource of Arrow tables to its first `rows` rows."""
    left = rows

    def cut(item: Any) -> Any:
        nonlocal left
        taken = item.slice(0, left)
        left -= taken.num_rows
        return taken

    if not resource.is_transformer:
        # stops reading at the limit; dlt cannot do that for files, which are read to the end
        resource.add_limit(rows, count_rows=True)
    resource = resource.add_map(cut).add_filter(lambda item: item.num_rows > 0)
    return read_in_part(resource, f"at most {rows} rows are read")
