"""Airflow's own scheduler, which runs tasks in processes and retries those that fail."""

from __future__ import annotations

import json
import secrets
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from tests.pipelines.airflow import MAIN, Airflow

# process titles that Airflow sets
_TASK, _EXECUTOR = "airflow worker --", "LocalExecutor"
# what each task would import anew
_OF_TASKS = """
import airflow.dag_processing.dagbag, dlt_bunce.operations.flush, dlt_bunce.integrations.airflow
import dlt_bunce.sources, psycopg, pyarrow.parquet
"""


@dataclass
class Scheduler:
    """An Airflow installation whose scheduler, DAG processor, and API server run during `running`.

    Tasks run in `workers` processes at a time, by the LocalExecutor.
    """

    airflow: Airflow
    workers: int
    dag: str
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @contextmanager
    def running(self, *requested: str) -> Iterator[None]:
        """Request runs by an `airflow` command, start the processes, and stop them after the block.

        A request beside a scheduler that is at work would have to be repeated now and then: SQLite
        serves one writer at a time.
        """
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = str(free.getsockname()[1])
        api = f"http://127.0.0.1:{port}/execution/"
        self.airflow.environment |= {
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": api,
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            # seconds that a writer waits for another
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"{self.airflow.database}?timeout=60",
            "AIRFLOW__CORE__PARALLELISM": str(self.workers),
            # runs begin when a test asks for them
            "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "False",
            # seconds without a heartbeat after which a worker counts as dead, and between checks
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
            # seconds, instead of a minute or two
            "AIRFLOW__CORE__MAX_TASK_RETRY_DELAY": "5",
            "BUNCE_BACKFILL_WORKERS": str(self.workers),
        }
        self.airflow.run_each(
            ("dags", "reserialize"), ("dags", "unpause", self.dag, "--yes"), requested
        )
        try:
            where = ("--host", "127.0.0.1", "--port", port)
            self._start("api-server", *where, "--workers", "1", "--apps", "execution")
            # a task whose server does not listen yet has used up a try
            wait_until(lambda: _listens(int(port)), seconds=120)
            self._start("scheduler", "--skip-serve-logs", imported=_OF_TASKS)
            yield
        finally:
            # a task left behind would load into the next test's workspace
            for process in self._tree():
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            for started in self.processes:
                started.wait()

    def states(self) -> list[str]:
        """Return the state of each run, oldest first: queued, running, success, or failed."""
        return [str(state) for [state] in self._ask("SELECT state FROM dag_run ORDER BY id")]

    def tries(self, task: str) -> list[int]:
        """Return how often each instance of a task was started."""
        found = self._ask("SELECT try_number FROM task_instance WHERE task_id = ?", task)
        return [int(tries) for [tries] in found]

    def results(self, task: str) -> list[Any]:
        """Return the results of a task's instances."""
        found = self._ask("SELECT value FROM xcom WHERE task_id = ? AND key = 'return_value'", task)
        return [json.loads(value) for [value] in found]

    def at_work(self) -> list[psutil.Process]:
        """Return the processes that load a shard; the parent of each supervises it."""
        titles = {process: _title(process) for process in self._tree()}
        # the executor's own workers each start and supervise one of these
        return [
            process
            for process, title in titles.items()
            if title.startswith(_TASK + " ") and _EXECUTOR not in title
        ]

    def _tree(self) -> list[psutil.Process]:
        """Return the started processes and all below them, which lead sessions of their own."""
        found = []
        for process in self.processes:
            with suppress(psutil.NoSuchProcess):
                started = psutil.Process(process.pid)
                found += [started, *started.children(recursive=True)]
        return found

    def _start(self, *arguments: str, imported: str = "") -> None:
        """Start `airflow …`, which imports modules first: the processes it forks have them."""
        with Path(self.airflow.home, f"{arguments[0]}.log").open("wb") as log:
            self.processes.append(
                subprocess.Popen(
                    [sys.executable, "-c", imported + MAIN, *arguments],
                    env=self.airflow.env,
                    cwd=self.airflow.home,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            )

    def _ask(self, query: str, *values: str) -> list[Any]:
        url = f"file:{self.airflow.home}/airflow.db?mode=ro"
        with closing(sqlite3.connect(url, uri=True, timeout=30)) as connection:
            return connection.execute(query, values).fetchall()


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


def _title(process: psutil.Process) -> str:
    with suppress(psutil.NoSuchProcess):
        return " ".join(process.cmdline())
    return ""


def wait_until(condition: Callable[[], bool], *, seconds: float, every: float = 0.05) -> None:
    """Wait until a condition holds; fail if it does not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"the condition did not hold within {seconds} s"
        time.sleep(every)
