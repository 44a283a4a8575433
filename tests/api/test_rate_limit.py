"""No minute sees more requests than allowed, and hardly any is wasted."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlt_bunce.api.rate_limit import TokenBucket


class Time:
    """A clock that runs only while somebody sleeps; each of its threads sleeps on its own."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.lock = threading.Lock()

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        with self.lock:
            self.now += seconds


def most_in_a_minute(departures: list[float], late: float = 0.0) -> int:
    """Most requests in any half-open minute; `late` is how much a window gains by delays."""
    most = start = 0
    for end, moment in enumerate(departures):
        while departures[start] <= moment - 60 - late:
            start += 1
        most = max(most, end - start + 1)
    return most


@settings(deadline=None, max_examples=60)
@given(
    allowed=st.integers(1, 1_000),
    idles=st.lists(st.tuples(st.integers(0, 300), st.floats(0, 90)), max_size=5),
)
def test_no_minute_sees_more_than_allowed(allowed: int, idles: list[tuple[int, float]]) -> None:
    time = Time()
    pace = TokenBucket(allowed, clock=time.clock, sleep=time.sleep)
    departures: list[float] = []

    for number, idle in [*idles, (allowed * 2, 0.0)]:
        for _ in range(number):
            pace.wait()
            departures.append(time.now)
        time.now += idle

    assert most_in_a_minute(departures) <= allowed
    if allowed > 1:
        # and none if requests arrive up to most of a second closer together than they left
        assert most_in_a_minute(departures, late=0.9) <= allowed


def test_a_clock_that_rounds_is_waited_for_in_visible_steps() -> None:
    time = Time()
    time.now = 2.0**40  # adding less than 0.0001 changes nothing here
    pace = TokenBucket(7, clock=time.clock, sleep=time.sleep)

    waits = [pace.wait() for _ in range(1_000)]

    assert min(wait for wait in waits if wait) >= 0.001


@pytest.mark.parametrize("allowed", [50, 100, 500, 1_000])
def test_nearly_all_of_the_budget_is_used(allowed: int) -> None:
    time = Time()
    pace = TokenBucket(allowed, clock=time.clock, sleep=time.sleep)
    start, requests = time.now, allowed * 10

    for _ in range(requests):
        pace.wait()

    assert requests / ((time.now - start) / 60) >= 0.95 * allowed


def test_without_a_limit_nobody_waits() -> None:
    time = Time()
    pace = TokenBucket(0, clock=time.clock, sleep=time.sleep)

    assert sum(pace.wait() for _ in range(10_000)) == 0


def test_a_pause_holds_for_every_thread() -> None:
    time = Time()
    pace = TokenBucket(0, clock=time.clock, sleep=time.sleep)
    pace.pause(60)
    pace.pause(30)

    def departure(_: int) -> float:
        pace.wait()
        return time.now

    with ThreadPoolExecutor(8) as pool:
        departures = list(pool.map(departure, range(8)))

    assert min(departures) >= 1_060


def test_a_pause_reaches_a_thread_that_is_waiting_already() -> None:
    time = Time()
    paused = []

    def sleep(seconds: float) -> None:
        if not paused:
            paused.append(True)
            pace.pause(500)
        time.sleep(seconds)

    pace = TokenBucket(2, clock=time.clock, sleep=sleep)

    pace.wait()
    pace.wait()

    assert time.now >= 1_500


def test_threads_share_one_budget() -> None:
    time = Time()
    pace = TokenBucket(500, clock=time.clock, sleep=time.sleep)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: pace.wait(), range(1_000)))

    # sleeping adds up over threads here, so this is a bound from below only
    assert time.now - 1_000 >= 60
