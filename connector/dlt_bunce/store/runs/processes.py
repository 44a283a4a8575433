"""Whether the process of a run that is recorded as running still exists."""

from __future__ import annotations

import os
import platform
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

SILENT_FOR = timedelta(minutes=15)
"""A run is seen every minute; silent for so long, its process is gone or cut off from the store."""
_NAMESPACE = Path("/proc/self/ns/pid")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def this_process() -> str:
    """Return the id of this process and a digest of where that id means something."""
    return f"{os.getpid()}@{_machine()}"


def is_gone(process: str | None, seen_at: str | None, now_ms: int) -> bool:
    """Return whether a process has ended, or has not been seen for `SILENT_FOR`; both times are of
    the store's clock. If it was seen later than now, that clock was ahead, which tells nothing.

    On the machine that it ran on, its end shows at once.
    """
    pid, _, machine = (process or "").partition("@")
    if os.name == "posix" and pid.isdecimal() and machine == _machine() and not _exists(int(pid)):
        return True
    if seen_at is None:
        return True  # written before runs were seen: no such program is still running
    now = datetime.fromtimestamp(now_ms / 1000, timezone.utc)
    return abs(now - datetime.fromisoformat(seen_at)) > SILENT_FOR


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    """Return whether a process has ended and its parent has not asked how, where Linux tells."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return False
    # after the name, which may hold anything
    return stat.rpartition(")")[2].split()[:1] == ["Z"]


@lru_cache(maxsize=1)
def _machine() -> str:
    """Identify the running system, and the container, if process ids differ there."""
    boot = _BOOT_ID.read_text().strip() if _BOOT_ID.exists() else ""
    namespace = _NAMESPACE.readlink() if _NAMESPACE.is_symlink() else ""
    place = f"{platform.node()} {boot} {namespace}"
    return blake2b(place.encode(), digest_size=8).hexdigest()
