"""Fails when a change makes a row clearly dearer, in a first load or an unchanged one.

`make guard` compares CPU time of this process: ours by that of the same rows through a bare
`@dlt.destination`. They take turns in one process that has loaded a few rows before, so what a
start costs does not count. A machine's speed changes within seconds, in both directions: loads are
compared with the bare ones right before and after them, and of the rounds the median counts.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click
from tests.benchmarks.contenders import QUIET, Task
from tests.benchmarks.server import Server

os.environ |= QUIET

from tests.benchmarks import customers
from tests.benchmarks.contenders import bare, ours

ROWS = 100_000
FEW = 1_000
ALLOWED = 1.2
"""So many times what it is known to be may a ratio become."""
FIRST = 2.3
"""A first load by a bare one; four runs gave 2.24 to 2.37."""
UNCHANGED = 0.53
"""An unchanged load by a bare one; four runs gave 0.51 to 0.55."""
MOST_FIRST, MOST_UNCHANGED = ALLOWED * FIRST, ALLOWED * UNCHANGED


@click.command()
@click.option("--rounds", default=7, show_default=True, help="Four times as many before it fails.")
def main(rounds: int) -> None:
    """Print both ratios; exit with 1 when one is out of bounds."""
    first, unchanged = [], []
    with tempfile.TemporaryDirectory() as name, Server() as server:
        _round(server, Path(name), FEW)
        for number in range(1, 4 * rounds + 1):
            created, again = _round(server, Path(name), ROWS)
            first.append(created)
            unchanged.append(again)
            ratios = statistics.median(first), statistics.median(unchanged)
            # a disturbance may outlast some rounds, and more cost in each row outlasts all
            if number >= rounds and ratios[0] <= MOST_FIRST and ratios[1] <= MOST_UNCHANGED:
                break
    click.echo(
        f"first load by a bare one: {ratios[0]:.2f}, known {FIRST}, at most {MOST_FIRST:.2f}"
    )
    click.echo(
        f"unchanged load by a bare one: {ratios[1]:.2f}, known {UNCHANGED}, "
        f"at most {MOST_UNCHANGED:.2f}"
    )
    if ratios[0] > MOST_FIRST or ratios[1] > MOST_UNCHANGED:
        sys.exit("A row costs clearly more CPU time than it did.")


def _round(server: Server, folder: Path, rows: int) -> tuple[float, float]:
    """Return the CPU time of a first load, and of an unchanged one, by that of a bare one."""
    file, working = folder / f"{rows}.parquet", folder / "working"
    if not file.exists():
        customers.write(file, rows)
    shutil.rmtree(working, ignore_errors=True)
    task = Task(server.base_url, file, working, 1_000, f"sqlite:///{working}/bunce.sqlite")
    post = partial(bare.feed, file_format="parquet")
    before = _cpu_seconds(server, post, task)
    created = _cpu_seconds(server, ours.feed, task)
    # the shorter a measurement is, the more a disturbance adds to it
    again = statistics.median(_cpu_seconds(server, ours.feed, task) for _ in range(3))
    posted = (before + _cpu_seconds(server, post, task)) / 2
    return created / posted, again / posted


def _cpu_seconds(server: Server, feed: Callable[[Task], None], task: Task) -> float:
    server.reset()
    started = time.process_time()
    feed(task)
    return time.process_time() - started


if __name__ == "__main__":
    main()
