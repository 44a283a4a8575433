"""Loads of several minutes in 1, 2, and 4 processes against the emulator's limit, in real time.

Small batches make the request budget the only thing that there is too little of.
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
from tests.benchmarks import customers
from tests.benchmarks.plan import OURS
from tests.benchmarks.server import Server
from tests.benchmarks.trial import run
from tests.postgres import drop_schema, new_schema, postgres

LIMIT = 500
WINDOW_S = 60.0
BATCH = 5
PROCESSES = (1, 2, 4)


@click.command()
@click.option("--minutes", default=4.0, show_default=True, help="How long each load lasts.")
def main(minutes: float) -> None:
    """Print a line for each number of processes and kind of store."""
    os.environ["BENCH_RATE"] = str(LIMIT)
    click.echo("| store | processes | requests | seconds | refused (429) | share of the budget |")
    click.echo("|---|---|---|---|---|---|")
    with postgres() as url, tempfile.TemporaryDirectory() as folder:
        stores = ("sqlite", "postgres")
        for store, processes in itertools.product(stores, PROCESSES):
            store_url = (
                new_schema(url) if store == "postgres" else f"sqlite:///{folder}/{processes}"
            )
            requests, seconds, refused = paced(store_url, processes, minutes, Path(folder))
            if store == "postgres":
                drop_schema(store_url)
            share = requests / (LIMIT * seconds / WINDOW_S)
            figures = (store, processes, requests, f"{seconds:.0f}", refused, f"{share:.1%}")
            click.echo(f"| {' | '.join(map(str, figures))} |")


def paced(store_url: str, processes: int, minutes: float, folder: Path) -> tuple[int, float, int]:
    """Requests, the seconds from the first bulk one to the last, and how many were refused."""
    rows = int(LIMIT * minutes * BATCH / processes)
    working = folder / "loads"
    shutil.rmtree(working, ignore_errors=True)
    with Server(rate_limit=LIMIT, rate_window_seconds=WINDOW_S) as server:

        def load(number: int) -> None:
            file = working / f"{number}.parquet"
            customers.write(file, rows, first=number * rows)
            run(OURS, server, file, working / f"p{number}", batch=BATCH, store_url=store_url)

        with ThreadPoolExecutor(processes) as pool:
            list(pool.map(load, range(processes)))
        sent = server.requests()
    bulk = [request["at"] for request in sent if request["call"] == "create"]
    during = [request for request in sent if bulk[0] <= request["at"] <= bulk[-1]]
    refused = sum(request["status"] == 429 for request in sent)
    return len(during), bulk[-1] - bulk[0], refused


if __name__ == "__main__":
    main()
