"""Listing of the data files in a location, in the order of their names."""

from __future__ import annotations

import glob
import os
import re
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from zipfile import ZipExtFile

from dlt_bunce.errors import SourceError
from dlt_bunce.sources import table_formats
from dlt_bunce.sources.formats import (
    NAMES,
    SUPPORTED,
    Kind,
    is_unsure,
    kind_of,
    kind_of_content,
    refuse_other,
)

_PACKAGES = {"s3": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfss": "adlfs"}
"""Scheme of remote files to the package that reads them."""
_LOCAL = "file://"
_EVERYTHING = "**/*"
_RECOVERED = "lost+found"
"""The folder of root's that many a file system has at its top."""
_SHOWN = 5


def listed(location: str, kind: Kind | None = None) -> list[Any]:
    """Return the files of a path, folder, glob, or URL, each with its `kind`, sorted by name.

    In a folder, hidden files, markers such as `_SUCCESS`, and empty files are skipped. A file with
    an unknown extension is Parquet if it begins like Parquet. A Delta or Iceberg table is one file.
    Raises SourceError, which lists what was found, if no data file is left, and for files of
    several kinds if no `kind` is given.
    """
    location = on_disk(location)
    path = location if "://" in location else str(Path(location).absolute())
    found, pattern, exact = _located(path)
    if exact:
        chosen = [_with_kind(found[0], kind or _kind(found[0]))]
        table_formats.refuse_part_of_table(location, chosen)
        return chosen
    if pattern == _EVERYTHING and (table := table_formats.table_in(location, found)):
        return [table]
    data = [file for file in found if file["size_in_bytes"] != 0 and not _skipped(file, pattern)]
    requested = pattern != _EVERYTHING
    chosen = []
    for file in data:
        file_kind = _kind(file, sniffed=requested)
        if kind in {None, file_kind} and (file_kind is not None or requested):
            chosen.append(_with_kind(file, file_kind))
    if not requested:
        chosen = _sure(chosen)
    if not chosen:
        raise _nothing_found(location, kind, [file["relative_path"] for file in found])
    kinds = sorted({NAMES[file["kind"]] for file in chosen})
    if len(kinds) > 1:
        raise SourceError(
            f"{location} contains files of several formats: {', '.join(kinds)}.",
            remedy="Load them separately, with a glob such as 'exports/*.csv'.",
        )
    table_formats.refuse_part_of_table(location, chosen)
    return sorted(chosen, key=lambda file: str(file["relative_path"]))


def on_disk(location: str) -> str:
    """Return the path that a file:// URL leads to, which is then treated as a path is; any other
    location as it is. Raises SourceError for a URL that names another machine, or no bucket.
    """
    scheme, url, rest = location.partition("://")
    if url and scheme in _PACKAGES and not rest.partition("/")[0]:
        raise SourceError(
            f"{location} names no bucket.", remedy=f"For example: {scheme}://bucket/folder"
        )
    if not location.startswith(_LOCAL):
        return location
    host, slash, path = location.removeprefix(_LOCAL).partition("/")
    if host not in {"", "localhost"} or not path:
        raise SourceError(
            f"{location} names no file of this machine.",
            remedy="Use file:///folder/file, with three slashes, or the path alone.",
        )
    return unquote(f"{slash}{path}")


def shown_name(file: Any, location: str, content: Any = None) -> str:
    """Return the path or URL of a file of a listing, relative if its location is, followed by what
    was opened within an archive. A Delta or Iceberg table is its location.
    """
    if file["kind"] in {"delta", "iceberg"}:
        return location
    if "://" in location:
        name = str(file["file_url"])
    else:
        path = file.local_file_path
        name = path if Path(location).is_absolute() else os.path.relpath(path)
    return f"{name}/{content.name}" if isinstance(content, ZipExtFile) else name


def _sure(files: list[Any]) -> list[Any]:
    """Drop files that were not requested and may be something else than customers."""
    sure = [file for file in files if not is_unsure(file["file_name"])]
    return sure or [file for file in files if file["kind"] == "json"]


def _located(path: str) -> tuple[list[Any], str, bool]:
    """Return the files at a path, the pattern that they match, and whether the path is of one."""
    if "://" not in path and Path(path).is_file():
        folder, _, name = path.rpartition("/")
        return _found(folder or "/", glob.escape(name)), name, True
    folder, pattern = _split(path)
    found = _found(folder, pattern)
    exact = bool(found) and not _wildcards(pattern)
    if not found and pattern != _EVERYTHING:  # a folder, or a glob of folders
        if not _wildcards(pattern):
            folder, pattern = f"{folder}/{pattern}", ""
        found = _found(folder, f"{pattern}/{_EVERYTHING}".lstrip("/"))
        pattern = _EVERYTHING
    return found, pattern, exact


def _found(folder: str, pattern: str) -> list[Any]:
    if "://" not in folder:
        return _found_here(folder, pattern)
    from dlt.common.exceptions import MissingDependencyException
    from dlt.sources.filesystem import filesystem

    package = _PACKAGES.get(folder.partition("://")[0])
    if package and find_spec(package) is None:
        # dlt would ask for credentials first
        raise MissingDependencyException("Remote files", [package])
    return list(filesystem(bucket_url=folder, file_glob=pattern, files_per_page=sys.maxsize))


def _found_here(folder: str, pattern: str) -> list[Any]:
    """Return the same as dlt's `filesystem` would for a local folder, which runs a resource and
    resolves settings that local files do not have.
    """
    from dlt.common.storages.configuration import FilesystemConfiguration
    from dlt.common.storages.fsspec_filesystem import FileItemDict, fsspec_from_config, glob_files

    _refuse_unreadable(folder, pattern)
    files, _ = fsspec_from_config(FilesystemConfiguration(bucket_url=folder))
    try:
        return [FileItemDict(file, files) for file in glob_files(files, folder, pattern)]
    except FileNotFoundError as error:
        # a link whose file is gone: its rows must not be left out in silence
        raise _broken_link(str(error.filename)) or error from None


def _refuse_unreadable(folder: str, pattern: str) -> None:
    """Raise SourceError for a folder that may have matching files and cannot be read: `glob` leaves
    them out in silence.
    """
    parts = [*pattern.split("/"), *(["*"] if pattern.endswith("**") else [])]
    for depth, part in enumerate(parts):
        within = "/".join([folder, *parts[:depth], ""])
        for path in glob.iglob(within, recursive=True):  # noqa: PTH207, as it is searched
            if (error := _obstacle(path, part)) is None:
                continue
            relative = Path(path).relative_to(folder).as_posix()
            if not (_is_hidden(relative, pattern) or relative == _RECOVERED):
                raise _unreadable(path, error)


def _obstacle(path: str, part: str) -> OSError | None:
    """Return why this part of a pattern cannot be searched for in a folder, if so."""
    try:
        os.stat(f"{path}{os.curdir}")  # noqa: PTH116, a Path leaves out the dot
        if _wildcards(part):
            os.scandir(path).close()
    except OSError as error:
        return error
    return None


def _unreadable(path: str, error: OSError) -> SourceError:
    return SourceError(
        f"The folder {path.rstrip('/')} cannot be read: {error.strerror}. Its files would be left "
        "out.",
        remedy="Give this user the permissions r and x on it, or load the files that can be read, "
        "with a glob such as 'exports/*.csv'.",
    )


def _wildcards(text: str) -> bool:
    return any(mark in text for mark in "*?[")


def _split(location: str) -> tuple[str, str]:
    """Return folder and pattern, as dlt's filesystem source takes them."""
    head = re.split(r"[*?[]", location, maxsplit=1)[0]
    if head == location and (head.endswith("/") or Path(location).is_dir()):
        return location.rstrip("/"), _EVERYTHING
    folder = head.rpartition("/")[0]
    return folder, location[len(folder) + 1 :].rstrip("/")


def _skipped(file: Any, pattern: str) -> bool:
    """Return whether a file is hidden, or a marker as Spark writes them."""
    return _is_hidden(file["relative_path"], pattern) or str(file["file_name"]).endswith(".crc")


def _is_hidden(path: str, pattern: str) -> bool:
    """Return whether a part of a relative path marks it as hidden, and was not requested."""
    requested = {part[:1] for part in pattern.split("/")}
    hidden = {part[:1] for part in path.split("/") if part != os.curdir} & {".", "_"}
    return bool(hidden - requested)


def _kind(file: Any, *, sniffed: bool = True) -> Kind | None:
    """Return the kind by name, else by the first bytes, if `sniffed` or without an extension."""
    name = file["file_name"]
    known = kind_of(name)
    if known or (not sniffed and "." in name):
        return known
    with file.open(compression="disable") as opened:
        return kind_of_content(opened.read(16))


def _with_kind(file: Any, kind: Kind | None) -> Any:
    if kind is None:
        with file.open(compression="disable") as opened:
            refuse_other(opened, file["relative_path"], None)
        raise SourceError(
            f"The format of {file['relative_path']} is not known by its name.", remedy=SUPPORTED
        )
    file["kind"] = kind
    return file


def _broken_link(path: str) -> SourceError | None:
    """Return what to say of a path if it, or a folder above it, is a link that leads nowhere."""
    for place in (Path(path), *Path(path).parents):
        if place.is_symlink() and not place.exists():
            return SourceError(
                f"{place} is a link that leads nowhere: it points to {os.path.realpath(place)}, "
                "which does not exist.",
                remedy="Put that file back, or remove the link.",
            )
    return None


def _nothing_found(location: str, kind: Kind | None, existing: list[str]) -> SourceError:
    formats = NAMES[kind] if kind else "customer"
    if not existing:
        if "://" not in location and (broken := _broken_link(location)):
            return broken
        shown = location if location == location.strip() else repr(location)
        path = Path(location)
        if location == "-" or (path.exists() and not path.is_file() and not path.is_dir()):
            return SourceError(
                f"{shown} is a stream, and a source is read more than once.",
                remedy="Write its rows to a file, and load that.",
            )
        return SourceError(f"No file found at {shown}.", remedy="Check the path, folder, or glob.")
    names = ", ".join(sorted(existing)[:_SHOWN])
    more = f", and {len(existing) - _SHOWN:,} more" if len(existing) > _SHOWN else ""
    return SourceError(
        f"No {formats} file with data found in {location}. It contains: {names}{more}.",
        remedy=SUPPORTED,
    )
