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
_SERVERS = "DLT_BUNCE_TEST_FOLDER"


def keep_in_memory() -> None:
    """Point `tempfile`, pytest, and all programs there, unless TMPDIR names another folder."""
    if "TMPDIR" not in os.environ and _is_roomy(_MEMORY):
        os.environ["TMPDIR"] = os.environ[_SERVERS] = str(_MEMORY)
        tempfile.tempdir = None


def folder_of_servers() -> str:
    """Return where servers keep their files for several tests; sockets need a short path."""
    return os.environ.get(_SERVERS, "/tmp")


def _is_roomy(folder: Path) -> bool:
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        return False
    # programs are written there and run
    runs = not os.statvfs(folder).f_flag & os.ST_NOEXEC
    return runs and shutil.disk_usage(folder).free > _ROOM
