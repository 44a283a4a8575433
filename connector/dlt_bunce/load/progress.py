"""How far a load has got, for whoever watches it, and the wish to stop it."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass

from dlt_bunce.load.periodic import periodic

TELL_EVERY_S = 60.0
_RECENT_S = 60.0
"""The rate is that of the last minute: batches grow, servers slow down."""
_SOONEST_S = 3.0
"""Before that, what is left is anybody's guess."""
_POLL_S = 0.2


@dataclass(frozen=True)
class Progress:
    """Counts of one job so far; `total` is None where the file does not say.

    `settled` rows have their fate; `to_send` counts rows that had to go on the wire, settled or
    not. `seconds_left` is None while it cannot be told.
    """

    job: str
    total: int | None = None
    read: int = 0
    settled: int = 0
    to_send: int = 0
    requests: int = 0
    seconds: float = 0.0
    rows_per_second: float = 0.0
    seconds_left: float | None = None

    def as_event(self) -> dict[str, object]:
        """Return the values, rounded, without those that are not known."""
        values = {name: value for name, value in asdict(self).items() if value is not None}
        return {n: round(v, 1) if isinstance(v, float) else v for n, v in values.items()}


class Meter:
    """Adds up what happens in the threads of a job.

    `seconds_per_row` gives how long a row that must be sent takes at least, within the budget.
    """

    def __init__(
        self,
        job: str,
        total: int | None,
        *,
        seconds_per_row: Callable[[], float] = lambda: 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._job, self._total = job, total
        self._seconds_per_row = seconds_per_row
        self._clock = clock
        self._lock = threading.Lock()
        self._started = clock()
        self._read = self._settled = self._to_send = self._requests = 0
        self._points = deque([(self._started, 0)])

    def add(
        self, *, read: int = 0, settled: int = 0, to_send: int = 0, requests: int = 0
    ) -> Progress:
        """Count something, and return where that leaves the job."""
        with self._lock:
            self._read += read
            self._settled += settled
            self._to_send += to_send
            self._requests += requests
            now = self._clock()
            while len(self._points) > 1 and self._points[1][0] <= now - _RECENT_S:
                self._points.popleft()
            if settled:
                self._points.append((now, self._settled))
            return self._progress(now)

    def _progress(self, now: float) -> Progress:
        then, before = self._points[0]
        rate = (self._settled - before) / (now - then) if now > then else 0.0
        return Progress(
            self._job,
            self._total,
            self._read,
            self._settled,
            self._to_send,
            self._requests,
            now - self._started,
            rate,
            self._left(rate) if now - self._started >= _SOONEST_S else None,
        )

    def _left(self, rate: float) -> float | None:
        if self._total is None:
            return None
        left = max(0, self._total - self._settled)
        if not left:
            return 0.0
        if not rate:
            return None
        share = self._to_send / max(1, self._read)
        return max(left / rate, left * share * self._seconds_per_row())


def watch(
    *,
    tell: Callable[[], None],
    interrupted: Callable[[], bool],
    stop: Callable[[], None],
    every_s: float = TELL_EVERY_S,
) -> AbstractContextManager[None]:
    """Watch a job while the block lasts: call `tell` each minute, and `stop` once when
    `interrupted()`.
    """
    due = time.monotonic() + every_s
    stopped = False

    def look() -> None:
        nonlocal due, stopped
        if not stopped and interrupted():
            stopped = True
            stop()
        if time.monotonic() >= due:
            due += every_s
            tell()

    return periodic(_POLL_S, look, name="bunce-watch")
