"""One backfill in shards by 1, 2, 4, and 8 processes that share a Postgres store.

`python -m tests.benchmarks.scaling` prints a line for each number of processes. With `--limit` the
emulator takes 500 requests a minute; with `--kill` a process chosen by chance dies every so many
seconds, and is started again like a task of an orchestrator. With `--airflow` it is one: the
backfill DAG, run by Airflow's scheduler and LocalExecutor, reads a table of Postgres.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import psycopg
from tests.benchmarks import customers
from tests.benchmarks.contenders import QUIET
from tests.benchmarks.orchestrated import AirflowBackfill, filled
from tests.benchmarks.server import Server
from tests.postgres import drop_schema, new_schema, postgres

FILES = 32
LIMIT = 500
WAIT_S = 0.5
"""Between two looks at what the store waits for."""
PROGRAM = Path(sys.executable).with_name("dlt-bunce")
_BUSY = (
    "SELECT count(*) FILTER (WHERE wait_event_type = 'Lock'), count(*) "
    "FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid()"
)


@dataclass
class Backfill:
    """The files of a folder on their way into Bunce, in so many shards at once."""

    folder: Path
    shards: int
    environment: dict[str, str]
    processes: dict[int, subprocess.Popen[str]] = field(default_factory=dict)
    killed: int = 0
    seconds: float = 0.0

    def run(self, kill_every_s: float | None) -> list[dict[str, Any]]:
        """Runs every shard until it has succeeded; returns their counts."""
        started = time.monotonic()
        chance = random.Random(self.shards)
        next_kill = time.monotonic() + (kill_every_s or float("inf"))
        found: dict[int, dict[str, Any]] = {}
        for number in range(1, self.shards + 1):
            self._start(number)
        while self.processes:
            time.sleep(0.1)
            for number, process in list(self.processes.items()):
                if process.poll() is None:
                    continue
                output = process.communicate()[0]
                del self.processes[number]
                if process.returncode == 0:
                    found[number] = json.loads(output)
                elif process.returncode == -9:
                    self._start(number)
                else:
                    raise RuntimeError(f"shard {number} failed with {process.returncode}")
            if time.monotonic() > next_kill and self.processes:
                chance.choice(list(self.processes.values())).kill()
                self.killed += 1
                next_kill = time.monotonic() + (kill_every_s or 0)
        self.seconds = time.monotonic() - started
        return list(found.values())

    def _start(self, number: int) -> None:
        command = [
            PROGRAM,
            "load",
            f"{self.folder}/*.parquet",
            "--json",
            "--pipeline-name",
            "scale",
        ]
        self.processes[number] = subprocess.Popen(
            [*command, "--shard", f"{number}/{self.shards}"],
            env={**os.environ, **self.environment},
            cwd=self.folder,
            stdout=subprocess.PIPE,
            text=True,
        )


@contextmanager
def watched(url: str) -> Iterator[list[tuple[int, int]]]:
    """How many statements waited for a lock, of so many that ran, every while."""
    seen: list[tuple[int, int]] = []
    done = threading.Event()

    def look() -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            while not done.wait(WAIT_S):
                seen.extend(connection.execute(_BUSY).fetchall())

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()


def store_seconds(url: str) -> float:
    """What all sessions of the database spent in statements, since the server was started."""
    with psycopg.connect(url) as connection:
        connection.execute("SELECT pg_stat_force_next_flush()")
        [[spent]] = connection.execute(
            "SELECT active_time FROM pg_stat_database WHERE datname = current_database()"
        ).fetchall()
        return float(spent) / 1000


@contextmanager
def source(url: str, folder: Path, rows: int, *, airflow: bool) -> Iterator[str]:
    """So many customers: the URL of a database beside the store's, or a folder of files."""
    if airflow:
        with filled(url, rows) as found:
            yield found
        return
    for number in range(FILES):
        first, after = (n * rows // FILES for n in (number, number + 1))
        customers.write(folder / f"{number:02}.parquet", after - first, first=first)
    yield str(folder)


@click.command()
@click.option("--rows", default=5_000_000, show_default=True)
@click.option("--processes", multiple=True, type=int, default=(1, 2, 4, 8), show_default=True)
@click.option("--batch", default=1_000, show_default=True, help="Customers in a request.")
@click.option("--latency-ms", default=50, show_default=True)
@click.option("--limit", is_flag=True, help=f"{LIMIT} requests a minute.")
@click.option("--kill", type=float, metavar="SECONDS", help="Kill a process so often.")
@click.option("--airflow", is_flag=True, help="Through Airflow's scheduler.")
def main(
    rows: int,
    processes: tuple[int, ...],
    batch: int,
    latency_ms: int,
    limit: bool,
    kill: float | None,
    airflow: bool,
) -> None:
    """Print the table."""
    click.echo(
        "| processes | rows | seconds | rows/s | requests | refused (429) | sent twice | killed "
        "| store, µs a row | waiting for a lock |\n|---|---|---|---|---|---|---|---|---|---|"
    )
    with (
        tempfile.TemporaryDirectory() as name,
        postgres() as url,
        source(url, Path(name) / "files", rows, airflow=airflow) as origin,
    ):
        for shards, run in zip(processes, itertools.count()):
            store_url = new_schema(url)
            switches = {"latency_ms": latency_ms, "rate_limit": LIMIT if limit else 0}
            with Server(**switches) as server, watched(url) as seen:
                environment = {
                    "DLT_DATA_DIR": f"{name}/dlt-{run}",
                    **QUIET,
                    "DESTINATION__BUNCE__CREDENTIALS__API_KEY": "sk_test_bench",
                    "DESTINATION__BUNCE__BASE_URL": server.base_url,
                    "DESTINATION__BUNCE__STORE_URL": store_url,
                    "DESTINATION__BUNCE__BATCH_SIZE": str(batch),
                    "DESTINATION__BUNCE__MAX_BATCH_SIZE": str(batch),
                    "DESTINATION__BUNCE__REQUESTS_PER_MINUTE": str(LIMIT if limit else 0),
                }
                backfill: Backfill | AirflowBackfill = (
                    AirflowBackfill(origin, shards, environment)
                    if airflow
                    else Backfill(Path(origin), shards, environment)
                )
                before = store_seconds(url)
                counts = backfill.run(kill)
                stats = server.stats()
            spent = store_seconds(url) - before
            drop_schema(store_url)
            # what a killed try has left behind is loaded, and then its shard is read again
            done = sum(count["created"] + count["unchanged"] for count in counts)
            if stats["customers"] != rows or done < rows or (done > rows and not backfill.killed):
                raise RuntimeError(f"{done} settled, {stats['customers']} arrived, of {rows}")
            waiting = sum(w for w, _ in seen) / max(1, sum(n for _, n in seen))
            figures = (
                shards,
                rows,
                f"{backfill.seconds:.0f}",
                f"{rows / backfill.seconds:.0f}",
                sum(stats["requests"].values()),
                stats["rate_limited"],
                stats["rows_sent_twice"],
                backfill.killed,
                f"{spent / rows * 1e6:.0f}",
                f"{waiting:.1%}",
            )
            click.echo(f"| {' | '.join(map(str, figures))} |")


if __name__ == "__main__":
    main()
