"""Checks of the files of an embedded store, and of the disk that they are on."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

from dlt_bunce.operations.finding import Finding, State
from dlt_bunce.store.backends.sqlite_url import file_of

_ROOM_BYTES = 1_000_000_000
"""A load of a few million customers may fill up less free space than this."""
_SIDE_FILES = ("-wal", "-shm")
"""What SQLite creates beside a store, with the store's mode; rows may be in them."""


def disk(store_url: str) -> Iterator[Finding]:
    """Check the files of an embedded store and their disk, which may be why it cannot be used."""
    path, folder = file_of(store_url), folder_of(store_url)
    if path is not None and folder is not None:
        yield from _permissions(path)
        free = shutil.disk_usage(folder).free
        state: State = "ok" if free >= _ROOM_BYTES else "warning"
        advice = None if state == "ok" else "Free up disk space, or move the store."
        yield Finding("disk", state, f"{free / 1e9:.1f} GB free on the store's disk", advice)


def _permissions(path: Path) -> Iterator[Finding]:
    """Report files of an embedded store that other users of the machine may read."""
    files = [path, *(Path(f"{path}{end}") for end in _SIDE_FILES)]
    wide = [file for file in files if file.is_file() and file.stat().st_mode & 0o077]
    if wide and os.name == "posix":
        names = ", ".join(file.name for file in wide)
        remedy = f"chmod 600 {' '.join(shlex.quote(str(file)) for file in wide)}"
        yield Finding("permissions", "warning", f"other users may read {names}", remedy)


def folder_of(store_url: str) -> Path | None:
    """Return the nearest existing folder above an embedded store, or None for a server."""
    path = file_of(store_url)
    if path is None:
        return None
    folder = path.absolute().parent
    while not folder.exists():
        folder = folder.parent
    return folder
