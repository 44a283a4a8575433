"""One budget for all processes: no window sees more than allowed, hardly any of it is wasted."""

from __future__ import annotations

import heapq
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.forks import Forks

from dlt_bunce.emulator import Behavior, Emulator
from dlt_bunce.load.rate_limit import SharedRateLimiter
from dlt_bunce.store import rate_limits
from dlt_bunce.store.database import Database

STORE = "sqlite:///bunce.sqlite"
scopes = count(1)


class Time:
    """A clock that everybody shares, and that stands still unless somebody moves it."""

    def __init__(self) -> None:
        self.started = self.now = next(scopes) * 1e6

    def sql(self) -> str:
        """As the database tells it."""
        return str(int(self.now * 1000))


def simulate(
    clock: Time, budgets: list[SharedRateLimiter], seconds: float, busy: list[float]
) -> list[float]:
    """When requests leave; each budget's process is busy for so long after each of its own."""
    departures: list[float] = []
    order = count()
    # moment, tie-break, process, and whether it leaves then or only asks
    turns = [(clock.now, next(order), number, False) for number in range(len(budgets))]
    end = clock.now + seconds
    while turns:
        moment, _, number, leaves = heapq.heappop(turns)
        if moment >= end:
            continue
        clock.now = max(clock.now, moment)
        due = clock.now if leaves else budgets[number].next_slot()
        if due > clock.now:
            heapq.heappush(turns, (due, next(order), number, True))
        else:
            departures.append(clock.now)
            heapq.heappush(turns, (clock.now + busy[number], next(order), number, False))
    return departures


def most_in(window: float, departures: list[float]) -> int:
    """Most requests in any window of that length."""
    most = start = 0
    for end, moment in enumerate(departures):
        while departures[start] <= moment - window:
            start += 1
        most = max(most, end - start + 1)
    return most


Make = Callable[..., list[SharedRateLimiter]]


@pytest.fixture
def processes() -> Iterator[Make]:
    """Makes budgets that know of each other by the store alone."""
    with ExitStack() as opened, Database(STORE) as database:

        def make(clock: Time, number: int, requests: int) -> list[SharedRateLimiter]:
            scope = f"scope {clock.started}"
            made = [
                SharedRateLimiter(
                    database.another(), scope, requests, clock=lambda: clock.now, now=clock.sql
                )
                for _ in range(number)
            ]
            for budget in made:
                opened.callback(budget.close)
            return made

        yield make


@settings(
    deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    requests=st.sampled_from([60, 500, 3_000]),
    busy=st.lists(st.sampled_from([0.0, 0.01, 0.3, 5.0]), min_size=1, max_size=4),
)
def test_no_minute_of_all_processes_together_sees_more_than_allowed(
    processes: Make, requests: int, busy: list[float]
) -> None:
    clock = Time()
    budgets = processes(clock, len(busy), requests)

    departures = simulate(clock, budgets, 90, busy)

    assert most_in(60, departures) <= requests
    if min(busy) <= 0.01:
        # from the first request on: the burst, and then an even pace
        assert 0.95 * requests * 90 / 60 <= len(departures)


def test_whoever_is_refused_pauses_everybody_and_the_budget_gets_smaller_for_a_while(
    processes: Make,
) -> None:
    clock = Time()
    first, _ = budgets = processes(clock, 2, 600)
    simulate(clock, budgets, 10, [0.0, 0.0])
    refused = clock.now

    first.pause(30)
    first.pause(30)
    departures = simulate(clock, budgets, 150, [0.0, 0.0])

    # the other had taken two moments at most before it was told
    assert sum(moment < refused + 30 for moment in departures) <= 2
    after = [moment for moment in departures if moment >= refused + 30]
    assert 0.75 * 600 <= most_in(60, after) <= 0.85 * 600
    clock.now += 1_200
    assert most_in(60, simulate(clock, budgets, 90, [0.0, 0.0])) >= 0.95 * 600


def test_a_crash_loses_a_moment_and_no_more(processes: Make) -> None:
    clock = Time()
    *crashed, last = processes(clock, 21, 500)
    for budget in crashed:
        budget.next_slot()

    wait = last.next_slot() - clock.now

    # the burst is used up, and half of the others have had their moment
    assert 1 < wait < 20 * 60 / 480


def test_a_moment_that_a_process_slept_through_is_given_up() -> None:
    clock = Time()

    def stand_still(seconds: float) -> None:
        clock.now += seconds + 4

    with (
        Database(STORE) as database,
        closing(
            SharedRateLimiter(
                database.another(),
                f"scope {clock.started}",
                500,
                clock=lambda: clock.now,
                sleep=stand_still,
                now=clock.sql,
            )
        ) as budget,
    ):
        for _ in range(10):
            budget.next_slot()

        budget.wait()

        # a burst of ten is allowed after such a rest: this was the first of them, and no eleventh
        moments = [budget.next_slot() for _ in range(10)]
    assert sum(moment <= clock.now for moment in moments) == 9


@pytest.mark.parametrize("store", ["sqlite", "postgres"])
@pytest.mark.parametrize("number", [1, 2, 4])
def test_real_processes_use_the_budget_to_the_brim_and_never_pass_it(
    emulator: Emulator,
    request: pytest.FixtureRequest,
    loading: Forks,
    store: str,
    number: int,
) -> None:
    # a request may arrive late by as much as the window is longer than Bunce's
    window, requests, seconds, late = 6.0, 300, 12.0, 0.3
    url = STORE if store == "sqlite" else str(request.getfixturevalue("postgres_store"))
    emulator.behavior = Behavior(rate_limit=requests, rate_window_seconds=window)
    program = f"""
import threading, time, requests
from dlt_bunce.load.rate_limit import SharedRateLimiter
from dlt_bunce.store import rate_limits
from dlt_bunce.store.database import Database
budget = SharedRateLimiter(Database({url!r}), "test", {requests}, window_s={window + late})
http = requests.Session()
http.headers["X-Authorization"] = "sk_test_x"
print("ready", flush=True)
input()
until = time.monotonic() + {seconds}
def send():
    while time.monotonic() < until:
        budget.wait()
        http.get({emulator.base_url!r} + "/customers?per_page=1")
threads = [threading.Thread(target=send) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
budget.close()
"""
    with Database(url):
        pass
    running = [
        subprocess.Popen(
            loading.python(program),
            env={**os.environ, "PYTHONWARNINGS": "error"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(number)
    ]
    # all are ready before the first one begins
    assert ["ready\n"] * number == [process.stdout.readline() for process in running]  # type: ignore[union-attr]
    for process in running:
        process.stdin.write("\n")  # type: ignore[union-attr]
        process.stdin.flush()  # type: ignore[union-attr]
    for process in running:
        process.communicate(timeout=60)

    statuses = [record.status for record in emulator.requests]
    # from the first: how long a process takes to reach the store is not a matter of pace
    busy = emulator.requests[-1].at - emulator.requests[0].at
    used = len(statuses) / (requests * busy / window)
    print(f"\n{number} processes, {store}: {len(statuses)} requests, {used:.0%} of the budget")
    assert {process.returncode for process in running} == {0}
    assert set(statuses) == {200}
    assert used > 0.9


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
@pytest.mark.parametrize("mark", ["due_at", "paused_until"])
@pytest.mark.parametrize("began", ["before", "after"])
def test_a_clock_that_was_ahead_once_keeps_nobody_waiting(
    request: pytest.FixtureRequest, kind: str, mark: str, began: str
) -> None:
    store = STORE if kind == "sqlite" else request.getfixturevalue("postgres_store")
    with (
        Database(store) as db,
        closing(SharedRateLimiter(Database(store), "prefetch", 500)) as first,
    ):
        first.wait()
        db.execute(
            f"UPDATE bunce_budgets SET {mark} = {db.now} + 10800000 WHERE scope = 'prefetch'"
        )
        with closing(SharedRateLimiter(Database(store), "prefetch", 500)) as later:
            # to a run that began before the clock was set right, the clock is set back
            asked = first if began == "before" else later
            waited = [asked.next_slot() - time.monotonic() for _ in range(3)]

    assert max(waited) < 60


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_clock_that_is_set_back_after_refusals_leaves_the_pace_as_it_was(
    request: pytest.FixtureRequest, kind: str
) -> None:
    store = STORE if kind == "sqlite" else request.getfixturevalue("postgres_store")
    limit = {"interval_ms": 120, "burst": 10}
    with Database(store) as db:
        rate_limits.reserve(db, "x", **limit, slots=1, now="0")
        refusals = range(60_000, 900_000, 60_000)
        for moment in refusals:
            rate_limits.pause(db, "x", **limit, wait_ms=0, now=str(moment))
        before = rate_limits.reserve(db, "x", **limit, slots=1, now=str(refusals[-1]))
        after = [
            rate_limits.reserve(db, "x", **limit, slots=1, now=str(refusals[-1] - back))
            for back in (1_000, 300_000, 600_000, 800_000)
        ]

    assert before.interval_ms == 120 / 0.2
    assert {reserved.interval_ms for reserved in after} == {before.interval_ms}
    assert min(reserved.wait_ms for reserved in after) >= 0
