"""Programs that feed customers from a file into Bunce, each started anew and measured as a whole.

`python -m tests.benchmarks.contenders.NAME BASE_URL FILE FOLDER BATCH STORE_URL`; what a program
does not need it leaves alone.
"""

from __future__ import annotations

import atexit
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

QUIET = {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "CRITICAL",
    # where Airflow is installed, every start of dlt would import it
    "PROVIDERS__ENABLE_AIRFLOW_SECRETS": "false",
}
"""What dlt is told by its environment, before it is imported."""


@dataclass(frozen=True)
class Task:
    """What a contender is told: `folder` is its own, and lasts from one start to the next."""

    base_url: str
    file: Path
    folder: Path
    batch: int
    store_url: str

    @classmethod
    def from_arguments(cls) -> Task:
        """As given on the command line."""
        base_url, file, folder, batch, store_url = sys.argv[1:6]
        os.environ |= QUIET
        atexit.register(_tell_memory, Path(folder) / "memory")
        return cls(base_url, Path(file), Path(folder), int(batch), store_url)

    @property
    def headers(self) -> dict[str, str]:
        """What each request needs."""
        return {"X-Authorization": "sk_test_bench", "Content-Type": "application/json"}


def _tell_memory(file: Path) -> None:
    # getrusage() would count what the parent held before this program was started
    status = Path("/proc/self/status").read_text()
    peak = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert peak is not None
    file.write_text(str(int(peak[1]) * 1024))
