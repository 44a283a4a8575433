"""How far a load has got: counts, rate, and an estimate that knows the budget."""

from __future__ import annotations

import threading
from typing import Any

import dlt
import pytest
from dlt.common.runtime.collector import NullCollector

from dlt_bunce import bunce, bunce_adapter
from dlt_bunce.emulator import Emulator
from dlt_bunce.load.progress import Meter, Progress, watch


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_time_left_follows_from_the_rate_of_the_last_minute() -> None:
    clock = Clock()
    meter = Meter("file", 10_000, clock=clock)

    for _ in range(100):
        clock.now += 1
        slow = meter.add(read=10, settled=10)
    for _ in range(60):
        clock.now += 1
        quick = meter.add(read=100, settled=100)

    assert (slow.rows_per_second, slow.seconds_left) == (10.0, 900.0)
    assert (quick.rows_per_second, quick.seconds_left) == (100.0, 30.0)
    assert (
        quick.total,
        quick.read,
        quick.settled,
        quick.seconds,
    ) == (10_000, 7_000, 7_000, 160.0)


def test_the_time_left_is_never_less_than_the_budget_allows() -> None:
    clock = Clock()
    meter = Meter("file", 1_000, seconds_per_row=lambda: 1.0, clock=clock)

    # the first requests may leave at once, and half of the rows need none
    clock.now += 10
    progress = meter.add(read=100, settled=100, to_send=50)

    assert progress.seconds_left == 450.0


def test_nothing_is_guessed_without_a_total_or_before_anything_is_settled() -> None:
    clock = Clock()
    unknown, idle = Meter("file", None, clock=clock), Meter("file", 10, clock=clock)
    early = Meter("file", 10, clock=clock).add(settled=5)
    clock.now += 60

    assert early.seconds_left is None
    assert unknown.add(settled=5).seconds_left is None
    assert idle.add(read=10).seconds_left is None
    assert "total" not in unknown.add().as_event()


def test_a_watch_tells_again_and_again_and_stops_once() -> None:
    told, stopped, calls = threading.Semaphore(0), threading.Event(), []

    def stop() -> None:
        calls.append("stop")
        stopped.set()

    with watch(tell=told.release, interrupted=lambda: True, stop=stop, every_s=0.01):
        assert stopped.wait(30)
        assert told.acquire(timeout=30)
        assert told.acquire(timeout=30)

    assert calls == ["stop"]


class Kept(NullCollector):
    """One of dlt's collectors, as far as dlt talks to it."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.totals: dict[str, int | None] = {}

    def update(self, name: str, inc: int = 1, total: Any = None, *_: Any, **__: Any) -> None:
        self.counts[name] = self.counts.get(name, 0) + inc
        self.totals[name] = total


@pytest.mark.parametrize("dry_run", [False, True])
def test_dlts_own_progress_gets_the_counts_that_listeners_get(
    dry_run: bool, emulator: Emulator
) -> None:
    rows = [
        {"id": n, "email": f"c{n}@example.com", "first_name": "A", "last_name": "B"}
        | {"mobile": "bad" if n < 3 else f"+23481{n:08d}"}
        for n in range(250)
    ]
    seen: list[Progress] = []
    destination = bunce(credentials="sk_test_x", base_url=emulator.base_url, dry_run=dry_run)
    destination.run_context.on_progress.append(seen.append)
    kept = Kept()
    pipeline = dlt.pipeline("watched", destination=destination, progress=kept)

    pipeline.run(bunce_adapter(rows), loader_file_format="parquet")

    last = seen[-1]
    assert (last.total, last.read, last.settled) == (250, 250, 250)
    assert (kept.counts["Customers"], kept.totals["Customers"]) == (250, 250)
    assert last.requests == kept.counts["Requests"]
    if not dry_run:
        assert (last.to_send, last.requests) >= (247, 1)
