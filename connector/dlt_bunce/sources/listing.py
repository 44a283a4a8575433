"""Which files a location holds: those with customers, in the order of their names."""

from __future__ import annotations

import glob
import re
import sys
from pathlib import Path
from typing import Any, Literal

from dlt_bunce.errors import SourceError
from dlt_bunce.sources import csv_files

Kind = Literal["csv", "parquet"]

_PARQUET = (".parquet", ".pq", ".parq")
_MAGIC = b"PAR1"
_EVERYTHING = "**/*"
_SHOWN = 5
_FORMATS = "Name CSV files .csv or .csv.gz; load other formats with a dlt source of your own."


def listed(location: str, kind: Kind | None = None) -> list[Any]:
    """The files that a path, folder, glob, or URL leads to, each with its `kind`, sorted by name.

    Of a folder, hidden files, markers such as `_SUCCESS`, and files without a byte are no data;
    a file whose name has no known ending is Parquet where it begins as Parquet does. Raises
    SourceError, which names what lies there, when none is left, and for files of both kinds where
    no `kind` is asked for.
    """
    path = location if "://" in location else str(Path(location).absolute())
    if "://" not in path and Path(path).is_file():
        folder, _, name = path.rpartition("/")
        found, exact, pattern = _found(folder or "/", glob.escape(name)), True, name
    else:
        folder, pattern = _split(path)
        found = _found(folder, pattern)
        exact = bool(found) and not _wildcards(pattern)
        if not found and pattern != _EVERYTHING:  # a folder, or a glob of folders
            if not _wildcards(pattern):
                folder, pattern = f"{folder}/{pattern}", ""
            found = _found(folder, f"{pattern}/{_EVERYTHING}".lstrip("/"))
            pattern = _EVERYTHING
    if exact:
        return [_of_kind(found[0], kind or _kind(found[0]))]
    data = [file for file in found if file["size_in_bytes"] != 0 and not _hidden(file, pattern)]
    asked_for = pattern != _EVERYTHING
    chosen = []
    for file in data:
        one = _kind(file, sniffed=asked_for)
        if kind in {None, one} and (one is not None or asked_for):
            chosen.append(_of_kind(file, one))
    if not chosen:
        raise _nothing(location, kind, [file["relative_path"] for file in found])
    if len({file["kind"] for file in chosen}) > 1:
        raise SourceError(
            f"{location} leads to CSV files and to others.",
            remedy="Load them one after the other, with a glob such as 'exports/*.csv'.",
        )
    return sorted(chosen, key=lambda file: str(file["relative_path"]))


def _found(folder: str, pattern: str) -> list[Any]:
    from dlt.sources.filesystem import filesystem

    return list(filesystem(bucket_url=folder, file_glob=pattern, files_per_page=sys.maxsize))


def _wildcards(text: str) -> bool:
    return any(mark in text for mark in "*?[")


def _split(location: str) -> tuple[str, str]:
    """Folder and pattern, as dlt's filesystem source takes them."""
    head = re.split(r"[*?[]", location, maxsplit=1)[0]
    if head == location and (head.endswith("/") or Path(location).is_dir()):
        return location.rstrip("/"), _EVERYTHING
    folder = head.rpartition("/")[0]
    return folder, location[len(folder) + 1 :].rstrip("/")


def _hidden(file: Any, pattern: str) -> bool:
    """Whether a program keeps a file for itself, as Spark does; never one that was asked for."""
    asked_for = {part[:1] for part in pattern.split("/")}
    own = {part[:1] for part in file["relative_path"].split("/")} & {".", "_"}
    return bool(own - asked_for) or str(file["file_name"]).endswith(".crc")


def _kind(file: Any, *, sniffed: bool = True) -> Kind | None:
    """By its name, else by its first bytes: of all files, or of those whose names say nothing."""
    name = file["file_name"].lower()
    if csv_files.is_csv(name):
        return "csv"
    if name.endswith(_PARQUET):
        return "parquet"
    if not sniffed and "." in name:
        return None
    with file.open() as opened:
        return "parquet" if opened.read(len(_MAGIC)) == _MAGIC else None


def _of_kind(file: Any, kind: Kind | None) -> Any:
    if kind is None:
        raise SourceError(
            f"{file['relative_path']} is neither CSV by its name nor Parquet.", remedy=_FORMATS
        )
    file["kind"] = kind
    return file


def _nothing(location: str, kind: Kind | None, there: list[str]) -> SourceError:
    formats = {"csv": "CSV", "parquet": "Parquet", None: "Parquet or CSV"}[kind]
    if not there:
        return SourceError(
            f"There is no file {location}.", remedy="Check the path, the folder, or the glob."
        )
    names = ", ".join(sorted(there)[:_SHOWN])
    more = f", and {len(there) - _SHOWN:,} more" if len(there) > _SHOWN else ""
    return SourceError(
        f"There is no {formats} file with data in {location}. What lies there: {names}{more}.",
        remedy=_FORMATS,
    )
