"""Temporary files of the tests are kept in memory where there is room for them.

A test loads into a store of its own, and so commits to disk some hundred times. What it proves does
not depend on the disk: processes are killed, machines are not.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

_MEMORY = Path("/dev/shm")
_ROOM = 6 << 30


def keep_in_memory() -> None:
    """Point `tempfile`, pytest, and all programs there, unless TMPDIR names another folder."""
    if "TMPDIR" not in os.environ and _is_roomy(_MEMORY):
        os.environ["TMPDIR"] = str(_MEMORY)
        tempfile.tempdir = None


def short_folder() -> str:
    """Return a folder whose path is short enough for sockets in it."""
    return str(_MEMORY) if os.environ.get("TMPDIR") == str(_MEMORY) else "/tmp"


def _is_roomy(folder: Path) -> bool:
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        return False
    # programs are written there and run
    runs = not os.statvfs(folder).f_flag & os.ST_NOEXEC
    return runs and shutil.disk_usage(folder).free > _ROOM
