"""Fork programs on demand: run by `forks`, asked by `launch.py`."""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import tempfile
import warnings
from contextlib import suppress
from functools import partial
from types import ModuleType
from typing import Any

Job = dict[str, Any]


class Server:
    """Forks a program for each connection, and kills it when the connection ends before it does."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._running: dict[int, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._ended, self._wake = socket.socketpair()
        for end in (self._ended, self._wake):
            end.setblocking(False)

    def serve(self) -> Job:
        """Go on for as long as this process lives; only forks return."""
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._selector.register(self._listener, selectors.EVENT_READ, self._fork)
        self._selector.register(self._ended, selectors.EVENT_READ, self._tell_of_ends)
        while True:
            for key, _ in self._selector.select():
                job = key.data()
                if job is not None:
                    return job

    def _fork(self) -> Job | None:
        connection, _ = self._listener.accept()
        size, files, _, _ = socket.recv_fds(connection, 8, 3)
        with connection.makefile("rb") as text:
            job: Job = json.loads(text.read(int.from_bytes(size, "big")))
        names, told = os.pipe()
        pid = os.fork()
        if not pid:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for opened in (*self._running.values(), self._listener, self._ended, self._wake):
                opened.close()
            connection.close()
            self._selector.close()
            os.close(names)
            become(job, files, told)
            return job
        for file in (*files, told):
            os.close(file)
        connection.sendall(f"{pid}\n".encode())
        self._running[pid] = connection
        self._selector.register(connection, selectors.EVENT_READ, partial(self._kill, pid))
        self._selector.register(names, selectors.EVENT_READ, partial(self._learn, names))
        return None

    def _learn(self, names: int) -> None:
        """Import what a program has imported, so that the next finds it imported."""
        self._selector.unregister(names)
        with os.fdopen(names) as told:
            for name in told.read().split():
                # before version 2 it starts threads when imported, which a fork waits for in vain
                if "duckdb" in name:
                    continue
                with suppress(ImportError):
                    importlib.import_module(name)
        gc.freeze()

    def _kill(self, pid: int) -> None:
        """End a program whose launcher is gone."""
        if connection := self._running.get(pid):
            self._selector.unregister(connection)
            os.killpg(pid, signal.SIGKILL)

    def _tell_of_ends(self) -> None:
        with suppress(BlockingIOError):
            while self._ended.recv(64):
                pass
        for pid in [*self._running]:
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                connection = self._running.pop(pid)
                with suppress(KeyError):
                    self._selector.unregister(connection)
                with suppress(OSError), connection:
                    connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


def become(job: Job, files: list[int], told: int) -> None:
    """Turn a fork into what a new Python would be; tell at its end which modules it imported."""
    os.setsid()
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(job["folder"])
    os.environ.clear()
    os.environ.update(job["environment"])
    tempfile.tempdir = None
    sys.argv = job["argv"]
    sys.path[0] = ""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        file = os.fdopen(number, "w" if number else "r", buffering=1 if number == 2 else -1)
        setattr(sys, name, file)
        setattr(sys, f"__{name}__", file)
    if action := os.environ.get("PYTHONWARNINGS"):
        warnings.simplefilter(action)  # type: ignore[arg-type]
    known = set(sys.modules)

    def tell() -> None:
        with os.fdopen(told, "w") as names:
            names.write("\n".join(filter(lasts, sys.modules.keys() - known)))

    atexit.register(tell)


def lasts(name: str) -> bool:
    """Return whether a module may be imported for every program."""
    file = getattr(sys.modules[name], "__file__", None) or ""
    # not in the folder of a test; and one package changes all imports that follow its own
    return not name.startswith("pygal") and any(file.startswith(f) for f in sys.path if f)


class Program:
    """A program in a fork, which ends without taking its modules apart: that would copy all of the
    server's memory, and take as long as a load.
    """

    def __init__(self) -> None:
        self._status: int | None = None
        # registered before all others, it is called after them
        atexit.register(self._end)

    def run(self, code: str) -> None:
        """Run it, up to what the interpreter does about an exception."""
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            exec(compile(code, "<string>", "exec"), vars(sys.modules["__main__"]))  # noqa: S102
            self._status = 0
        except SystemExit as ended:
            self._status = ended.code if isinstance(ended.code, int) else int(bool(ended.code))
            raise
        except Exception:
            self._status = 1
            raise

    def _end(self) -> None:
        if self._status is None:  # a signal is to end it
            return
        gc.collect()  # warns of what was left open and cannot be reached
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except (OSError, ValueError):
            return  # the interpreter tells of it, with another status
        os._exit(self._status)


if __name__ == "__main__":
    program = Program()
    descriptor, *modules = sys.argv[1:]
    for module in modules:
        importlib.import_module(module)
    gc.freeze()
    program.run(Server(socket.socket(fileno=int(descriptor))).serve()["code"])
