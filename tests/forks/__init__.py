"""Programs that start at once: forks of a server that has imported what programs of a kind import.

Each is a process of its own, with its own memory, files, signals, and end, as if Python had been
started anew; a start takes a fiftieth of the time. What is about the start itself, as which modules
are loaded or which warnings an import gives, needs a Python of its own.
"""

from __future__ import annotations

import shlex
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.temporary import folder_of_servers

_HERE = Path(__file__).parent


class Forks:
    """A running server of forks."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.address = folder / "socket"

    def python(self, code: str, *arguments: str) -> list[str]:
        """Return the command that runs code as `python -c` does."""
        return [*_LAUNCH, str(self.address), "-c", code, *arguments]

    def program(self, name: str, code: str) -> Path:
        """Return an executable file of this name that runs the code."""
        file = self._folder / "bin" / name
        file.parent.mkdir(exist_ok=True)
        words = shlex.join([*_LAUNCH, str(self.address), str(file), code])
        file.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        file.chmod(0o755)
        return file


# a start of this kind imports next to nothing
_LAUNCH = [sys.executable, "-I", "-S", str(_HERE / "launch.py")]


@contextmanager
def forks(*modules: str, environment: Mapping[str, str] | None = None) -> Iterator[Forks]:
    """Run a server that imports modules before its first fork, while the `with` block lasts."""
    with tempfile.TemporaryDirectory(prefix="fork-", dir=folder_of_servers()) as folder:
        found = Forks(Path(folder))
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(found.address))
            listener.listen(64)
            number = listener.fileno()
            server = subprocess.Popen(
                [sys.executable, "-m", "tests.forks.server", str(number), *modules],
                cwd=Path(__file__).parents[2],
                env=environment,
                pass_fds=[number],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        try:
            yield found
        finally:
            # not SIGTERM, which it ignores if a test has had this process ignore it
            server.kill()
            server.wait()
