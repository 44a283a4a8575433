"""A terminal of any width, on which the command runs as a person runs it."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import termios
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

Terminal = Callable[..., str]


def run_on_terminal(
    program: Path,
    *words: str,
    answers: Mapping[str, str] = MappingProxyType({}),
    columns: int = 120,
    code: int = 0,
    **environment: str,
) -> str:
    """Run a command, which must exit with `code`, answer what is asked, and return what is seen."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    waiting = dict(answers)
    with subprocess.Popen(
        [program, *words],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "COLUMNS": "", **environment},
        start_new_session=True,  # a prompt must not reach the terminal that the tests run on
    ) as running:
        os.close(theirs)
        shown = b""
        while part := _read(ours):
            shown += part
            for asked in [asked for asked in waiting if asked.encode() in shown]:
                os.write(ours, waiting.pop(asked).encode())
        os.close(ours)
        assert running.wait(30) == code, shown.decode()
    return shown.decode().replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # Linux says so when the other side has closed
        return b""
