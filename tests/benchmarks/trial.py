"""One start of a contender, measured as a whole process."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.benchmarks.server import Server

ROOT = Path(__file__).parents[2]
# modules are compiled once, as an installed program's are
_ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


@dataclass(frozen=True)
class Contender:
    """A program: its module, what it reads (`parquet`, `bodies`, `messages`), its environment."""

    name: str
    module: str
    reads: str = "parquet"
    environment: dict[str, str] = field(default_factory=dict)
    store: str | None = None
    """`sqlite` or `postgres`, for the one that has a store."""


@dataclass(frozen=True)
class Trial:
    """Seconds of wall and CPU time, peak memory in bytes, requests sent, and bytes in them."""

    seconds: float
    cpu_seconds: float
    memory: int
    requests: int
    sent_bytes: int
    rows_received: int


def run(
    contender: Contender, server: Server, file: Path, folder: Path, *, batch: int, store_url: str
) -> Trial:
    """Starts the program, waits for its end, and reads off what it has used.

    Raises RuntimeError, with what it printed, when it fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    before = server.stats()
    command = [sys.executable, "-m", f"tests.benchmarks.contenders.{contender.module}"]
    arguments = [server.base_url, str(file), str(folder), str(batch), store_url]
    output = folder / "output"
    with output.open("wb") as written:
        started = time.perf_counter()
        process = subprocess.Popen(
            [*command, *arguments],
            cwd=ROOT,
            env={**_ENVIRONMENT, **contender.environment},
            stdout=written,
            stderr=subprocess.STDOUT,
        )
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{contender.name} failed:\n{output.read_text()[-2000:]}")
    after = server.stats()
    return Trial(
        seconds=seconds,
        cpu_seconds=used.ru_utime + used.ru_stime,
        memory=int((folder / "memory").read_text()),
        requests=sum(after["requests"].values()) - sum(before["requests"].values()),
        sent_bytes=after["bytes_received"] - before["bytes_received"],
        rows_received=after["rows_received"] - before["rows_received"],
    )
