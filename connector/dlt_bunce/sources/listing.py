"""Listing of the data files in a location, in the order of their names."""

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
_FORMATS = "CSV files must be named .csv or .csv.gz. Load other formats with your own dlt source."


def listed(location: str, kind: Kind | None = None) -> list[Any]:
    """Return the files of a path, folder, glob, or URL, each with its `kind`, sorted by name.

    In a folder, hidden files, markers such as `_SUCCESS`, and empty files are skipped. A file with
    an unknown extension is Parquet if it begins like Parquet. Raises SourceError, which lists what
    was found, if no data file is left, and for files of both kinds if no `kind` is given.
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
        return [_with_kind(found[0], kind or _kind(found[0]))]
    _refuse_table_formats(location, [str(file["relative_path"]) for file in found])
    data = [file for file in found if file["size_in_bytes"] != 0 and not _hidden(file, pattern)]
    requested = pattern != _EVERYTHING
    chosen = []
    for file in data:
        file_kind = _kind(file, sniffed=requested)
        if kind in {None, file_kind} and (file_kind is not None or requested):
            chosen.append(_with_kind(file, file_kind))
    if not chosen:
        raise _nothing_found(location, kind, [file["relative_path"] for file in found])
    if len({file["kind"] for file in chosen}) > 1:
        raise SourceError(
            f"{location} contains both CSV and Parquet files.",
            remedy="Load them separately, with a glob such as 'exports/*.csv'.",
        )
    return sorted(chosen, key=lambda file: str(file["relative_path"]))


def _found(folder: str, pattern: str) -> list[Any]:
    from dlt.sources.filesystem import filesystem

    return list(filesystem(bucket_url=folder, file_glob=pattern, files_per_page=sys.maxsize))


def _wildcards(text: str) -> bool:
    return any(mark in text for mark in "*?[")


def _split(location: str) -> tuple[str, str]:
    """Return folder and pattern, as dlt's filesystem source takes them."""
    head = re.split(r"[*?[]", location, maxsplit=1)[0]
    if head == location and (head.endswith("/") or Path(location).is_dir()):
        return location.rstrip("/"), _EVERYTHING
    folder = head.rpartition("/")[0]
    return folder, location[len(folder) + 1 :].rstrip("/")


def _hidden(file: Any, pattern: str) -> bool:
    """Return whether a file is hidden or a marker, as Spark writes them, and was not requested."""
    requested = {part[:1] for part in pattern.split("/")}
    hidden = {part[:1] for part in file["relative_path"].split("/")} & {".", "_"}
    return bool(hidden - requested) or str(file["file_name"]).endswith(".crc")


def _refuse_table_formats(location: str, names: list[str]) -> None:
    """Refuse a Delta or Iceberg table, whose Parquet files hold rows that were deleted, too."""
    for name in names:
        parts = name.split("/")[:-1]
        if "_delta_log" in parts:
            kind, reader = "a Delta table", f"deltalake.DeltaTable({location!r}).to_pyarrow_table()"
        elif "metadata" in parts and name.endswith(".metadata.json"):
            kind, reader = "an Iceberg table", "pyiceberg's table.scan().to_arrow()"
        else:
            continue
        raise SourceError(
            f"{location} is {kind}: its Parquet files also contain rows that were deleted.",
            remedy=f"Read it in Python with {reader}, and load the result with flush_and_run().",
        )


def _kind(file: Any, *, sniffed: bool = True) -> Kind | None:
    """Return the kind by name, else by the first bytes, if `sniffed` or without an extension."""
    name = file["file_name"].lower()
    if csv_files.is_csv(name):
        return "csv"
    if name.endswith(_PARQUET):
        return "parquet"
    if not sniffed and "." in name:
        return None
    with file.open() as opened:
        return "parquet" if opened.read(len(_MAGIC)) == _MAGIC else None


def _with_kind(file: Any, kind: Kind | None) -> Any:
    if kind is None:
        raise SourceError(
            f"{file['relative_path']} is neither a .csv file nor Parquet.", remedy=_FORMATS
        )
    file["kind"] = kind
    return file


def _nothing_found(location: str, kind: Kind | None, existing: list[str]) -> SourceError:
    formats = {"csv": "CSV", "parquet": "Parquet", None: "Parquet or CSV"}[kind]
    if not existing:
        return SourceError(
            f"No file found at {location}.", remedy="Check the path, folder, or glob."
        )
    names = ", ".join(sorted(existing)[:_SHOWN])
    more = f", and {len(existing) - _SHOWN:,} more" if len(existing) > _SHOWN else ""
    return SourceError(
        f"No {formats} file with data found in {location}. It contains: {names}{more}.",
        remedy=_FORMATS,
    )
