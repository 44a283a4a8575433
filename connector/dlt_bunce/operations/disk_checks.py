"""Checks of the files of an embedded store, and of the disk that they are on."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

from dlt_bunce.operations.finding import Finding, State

_ROOM_BYTES = 1_000_000_000
"""A load of a few million customers may fill up less free space than this."""
_SQLITE = "sqlite:///"
_SIDE_FILES = ("-wal", "-shm")
"""What SQLite creates beside a store, with the store's mode; rows may be in them."""


def disk(store_url: str) -> Iterator[Finding]:
    """Check the files of an embedded store and their disk, which may be why it cannot be used."""
    folder = folder_of(store_url)
    if folder is not None:
        yield from _permissions(store_url)
        free = shutil.disk_usage(folder).free
        state: State = "ok" if free >= _ROOM_BYTES else "warning"
        advice = None if state == "ok" else "Free up disk space, or move the store."
        yield Finding("disk", state, f"{free / 1e9:.1f} GB free on the store's disk", advice)


def _permissions(store_url: str) -> Iterator[Finding]:
    """Report files of an embedded store that other users of the machine may read."""
    path = Path(store_url.removeprefix(_SQLITE))
    files = [path, *(path.with_name(f"{path.name}{end}") for end in _SIDE_FILES)]
    wide = [file for file in files if file.exists() and file.stat().st_mode & 0o077]
    if wide and os.name == "posix":
        names = ", ".join(file.name for file in wide)
        remedy = f"chmod 600 {' '.join(shlex.quote(str(file)) for file in wide)}"
        yield Finding("permissions", "warning", f"other users may read {names}", remedy)


def folder_of(store_url: str) -> Path | None:
    """Return the nearest existing folder above an embedded store, or None for a server."""
    if not store_url.startswith(_SQLITE):
        return None
    folder = Path(store_url.removeprefix(_SQLITE)).absolute().parent
    while not folder.exists():
        folder = folder.parent
    return folder
