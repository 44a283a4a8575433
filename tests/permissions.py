"""Permissions of files as everybody but root meets them, in tests that may run as root."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_VERSION = 0x20080522
_OVERRIDES = 0b110
"""Linux's CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH: root opens whatever it likes."""


@contextmanager
def forbidden(*paths: Path, mode: int = 0) -> Iterator[None]:
    """For the block, these paths have the mode, and it holds for this thread, even one of root."""
    libc = ctypes.CDLL(None, use_errno=True)
    header, sets = (ctypes.c_uint32 * 2)(_VERSION, 0), (ctypes.c_uint32 * 6)()
    assert libc.capget(header, sets) == 0
    effective, before = sets[0], [(path, path.stat().st_mode) for path in paths]
    for path in paths:
        path.chmod(mode)
    sets[0] = effective & ~_OVERRIDES
    assert libc.capset(header, sets) == 0
    try:
        yield
    finally:
        sets[0] = effective
        assert libc.capset(header, sets) == 0
        for path, allowed in before:
            path.chmod(allowed)
