"""Fails when a change makes a row clearly dearer, in a first load or an unchanged one.

`make guard` compares CPU time of this process: ours by that of the same rows through a bare
`@dlt.destination`, and through dlt into nothing. All take turns in one process that has loaded a
few rows before, so what a start costs does not count, and how fast the machine is matters little.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median

import click
from tests.benchmarks.contenders import QUIET, Task
from tests.benchmarks.server import Server

os.environ |= QUIET

from tests.benchmarks import customers
from tests.benchmarks.contenders import bare, nothing, ours

ROWS = 100_000
FEW = 1_000
ALLOWED = 1.3
"""So many times what it is known to be may a ratio become."""
FIRST = 1.0
"""A first load by a bare destination."""
UNCHANGED = 1.0
"""An unchanged load by dlt into nothing."""


@click.command()
@click.option("--rounds", default=4, show_default=True)
def main(rounds: int) -> None:
    """Print both ratios; exit with 1 when one is out of bounds."""
    first, unchanged = [], []
    with tempfile.TemporaryDirectory() as name, Server() as server:
        folder = Path(name)
        files = {rows: folder / f"{rows}.parquet" for rows in (FEW, ROWS)}
        for rows, file in files.items():
            customers.write(file, rows)
        bare_feed = partial(bare.feed, file_format="parquet")
        for rows in (FEW, *[ROWS] * rounds):
            working = folder / "working"
            for used in (working, folder / "other"):
                shutil.rmtree(used, ignore_errors=True)
            store_url = f"sqlite:///{working}/bunce.sqlite"
            task = Task(server.base_url, files[rows], working, 1_000, store_url)
            server.reset()
            created, again = _cpu_seconds(ours.feed, task), _cpu_seconds(ours.feed, task)
            server.reset()
            other = replace(task, folder=folder / "other")
            posted, handed_over = _cpu_seconds(bare_feed, other), _cpu_seconds(nothing.feed, other)
            if rows == ROWS:
                first.append(created / posted)
                unchanged.append(again / handed_over)
    bounds = [_told("first load by bare destination", first, FIRST)]
    bounds.append(_told("unchanged load by dlt into nothing", unchanged, UNCHANGED))
    if not all(bounds):
        sys.exit("A row costs clearly more CPU time than it did.")


def _cpu_seconds(feed: Callable[[Task], None], task: Task) -> float:
    started = time.process_time()
    feed(task)
    return time.process_time() - started


def _told(what: str, ratios: list[float], known: float) -> bool:
    found, most = median(ratios), known * ALLOWED
    spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
    click.echo(f"{what}: {found:.2f} ({spread}), known {known:.2f}, at most {most:.2f}")
    return found <= most


if __name__ == "__main__":
    main()
