"""From a cold start, batches and their number in flight soon fit whatever server answers."""

from __future__ import annotations

import heapq
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dlt_bunce.api.throttle import BatchSize, Concurrency

LARGEST, MOST = 1_000, 16
TIME_OUT_S = 60.0
COLD = 30
"""Requests after which the pace must have been found."""


@dataclass(frozen=True)
class Server:
    """Takes `fixed_s` a request and `row_s` a row; more than `knee` at a time wait for each other.

    Batches above `limit` rows are refused at once. From request `changes_at` on it is `then`.
    """

    fixed_s: float = 0.0
    row_s: float = 0.0
    knee: int = 1_000
    limit: int = LARGEST
    changes_at: int = 10**9
    then: Server | None = None

    def seconds(self, rows: int, in_flight: int) -> float:
        """What a request takes that begins with so many in flight."""
        return (self.fixed_s + self.row_s * rows) * max(1.0, in_flight / self.knee)

    def now(self, number: int) -> Server:
        """The server as it is for that request."""
        return self.then if self.then and number >= self.changes_at else self


@dataclass
class Run:
    """A load in virtual time; `pace_s` lies between any two requests."""

    server: Server
    size: Callable[[], int]
    level: Callable[[], int]
    answered: Callable[[int, float, int], None] = lambda *_: None
    refused: Callable[[int], None] = lambda _: None
    pace_s: float = 0.0
    done: list[tuple[float, int]] = field(default_factory=list)
    slowest: float = 0.0
    cold: float = 0.0

    def go(self, requests: int) -> Run:
        """Sends so many."""
        now = next_at = 0.0
        flying: list[tuple[float, int, int, int, float]] = []
        for number in range(requests):
            while len(flying) >= self.level():
                now = self._land(flying)
            # its turn comes while it holds its place already
            leaves = max(now, next_at)
            next_at = leaves + self.pace_s
            server, rows = self.server.now(number), self.size()
            if rows > server.limit:
                self.refused(rows)
                continue
            beside = sum(lands > leaves for lands, *_ in flying)
            seconds = server.seconds(rows, beside + 1)
            self.slowest = max(self.slowest, seconds)
            level = self.level() if len(flying) + 1 >= self.level() * 0.7 else 0
            heapq.heappush(flying, (leaves + seconds, number, rows, level, seconds))
            if number == COLD:
                self.cold = now
        while flying:
            self._land(flying)
        return self

    def _land(self, flying: list[tuple[float, int, int, int, float]]) -> float:
        moment, _, rows, level, seconds = heapq.heappop(flying)
        self.done.append((moment, rows))
        self.answered(rows, seconds, level)
        return moment

    def rate(self, since: float) -> float:
        """Rows a second after a moment."""
        return sum(rows for moment, rows in self.done if moment > since) / (
            max(moment for moment, _ in self.done) - since
        )


def adaptive(server: Server, pace_s: float = 0.0) -> Run:
    """A load from a cold start."""
    size = BatchSize(100, LARGEST)
    level = Concurrency(4, MOST, per_second=1 / pace_s if pace_s else math.inf)

    def answered(rows: int, seconds: float, at: int) -> None:
        if not level.answered(rows, seconds, at):
            size.answered(rows, seconds)

    return Run(server, size, level, answered, size.too_large, pace_s).go(400)


def best(server: Server, pace_s: float = 0.0) -> tuple[float, int, int]:
    """The most rows a second that any fixed setting brings without a time-out; size and level."""
    found = (0.0, 0, 0)
    last = server.then or server
    for rows in (20, 50, 100, 200, 500, 1_000):
        for level in (1, 2, 4, 8, 16):
            if rows <= last.limit and last.seconds(rows, level) < TIME_OUT_S:
                run = Run(last, lambda r=rows: r, lambda n=level: n, pace_s=pace_s)  # type: ignore[misc]
                found = max(found, (run.go(400).rate(run.cold), rows, level))
    return found


SERVERS = {
    "fast": Server(fixed_s=0.001, row_s=0.00001),
    "50 ms a request": Server(fixed_s=0.05),
    "50 ms and 1 ms a row": Server(fixed_s=0.05, row_s=0.001),
    "0.23 s a row": Server(row_s=0.23),
    "no more than 100 rows": Server(fixed_s=0.05, limit=100),
    "no more than 70 rows": Server(fixed_s=0.05, limit=70),
    "a knee at 4": Server(fixed_s=0.05, row_s=0.001, knee=4),
    "a knee at 1": Server(fixed_s=0.5, row_s=0.002, knee=1),
    "slower in the middle": Server(
        fixed_s=0.05,
        row_s=0.01,
        changes_at=150,
        then=Server(fixed_s=0.15, row_s=0.03),
    ),
    "quicker in the middle": Server(row_s=0.1, changes_at=150, then=Server(row_s=0.01)),
}


@pytest.mark.parametrize("pace_s", [0.0, 61 / 490], ids=["unlimited", "500 a minute"])
@pytest.mark.parametrize("name", SERVERS)
def test_thirty_requests_suffice_to_find_nine_tenths_of_what_is_possible(
    name: str, pace_s: float
) -> None:
    server = SERVERS[name]
    run = adaptive(server, pace_s)
    since = run.cold
    if server.then:
        # what is in flight at the change, and what follows by the old settings, comes first
        changed = run.done[server.changes_at + 3 * MOST + COLD][0]
        assert changed > since
        since = changed

    possible, rows, level = best(server, pace_s)
    share = run.rate(since) / possible
    print(
        f"\n{name}, {60 / pace_s if pace_s else 0:.0f} a minute: {run.rate(since):,.0f} rows/s, "
        f"{share:.0%} of {rows} rows x {level} in flight; slowest answer {run.slowest:.1f} s"
    )
    assert share >= 0.9
    assert run.slowest < TIME_OUT_S


def test_no_more_is_in_flight_than_the_budget_has_use_for() -> None:
    server = SERVERS["50 ms a request"]
    assert adaptive(server).level() == 16
    assert adaptive(server, 61 / 490).level() == 2
    assert adaptive(server, 61 / 1960).level() == 4


def test_the_budget_alone_leaves_two_in_flight() -> None:
    level = Concurrency(1, 16, per_second=8)
    for _ in range(10):
        level.answered(100, 0.01, level())

    assert level() == 2


def test_batches_grow_while_answers_are_quick_and_stay_affordable() -> None:
    size = BatchSize(100, 1_000, target_s=10)
    size.answered(100, 1)
    assert size() == 400
    size.answered(400, 8)
    assert size() == 500
    size.answered(500, 20)
    assert size() == 250


def test_a_small_batch_says_nothing_of_large_ones() -> None:
    size = BatchSize(100, 1_000, target_s=10)

    size.answered(1, 2.0)
    size.timed_out(1)

    assert size() == 100


def test_what_was_too_large_is_never_tried_again() -> None:
    size = BatchSize(400, 1_000)
    size.too_large(400)
    for _ in range(5):
        size.answered(size(), 0.01)

    assert size() == 200


@example([("a", 501, 0.0), ("l", 1, 0.0)])
@given(st.lists(st.tuples(st.sampled_from("alt"), st.integers(1, 2_000), st.floats(0, 100))))
def test_a_batch_has_at_least_one_row_and_at_most_the_largest(
    events: list[tuple[str, int, float]],
) -> None:
    size = BatchSize(100, 500)
    for kind, rows, seconds in events:
        if kind == "a":
            size.answered(rows, seconds)
        elif kind == "l":
            size.too_large(rows)
        else:
            size.timed_out(rows)
        assert 1 <= size() <= 500


def test_a_time_out_halves_both() -> None:
    size, level = BatchSize(100, LARGEST), Concurrency(8, MOST)

    # all that were in flight
    for _ in range(8):
        size.timed_out(100)
        level.timed_out(8)

    assert (size(), level()) == (50, 4)


def test_no_more_batches_are_in_flight_than_the_level_says() -> None:
    level = Concurrency(2, 4)
    entered = threading.Semaphore(0)
    leave = threading.Event()
    most: list[int] = []
    inside: set[int] = set()

    def send(number: int) -> None:
        with level.slot():
            inside.add(number)
            most.append(len(inside))
            entered.release()
            leave.wait(5)
            inside.discard(number)

    threads = [threading.Thread(target=send, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for _ in range(2):
        assert entered.acquire(timeout=5)
    assert not entered.acquire(timeout=0.05)
    leave.set()
    for thread in threads:
        thread.join()

    assert len(most) == 6
    assert max(most) == 2
