"""The pace of all processes that share a store: each request has its moment, given out there."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from functools import lru_cache

from dlt_bunce.api.rate_limit import MAX_BURST, NEVER, WINDOW_S, TokenBucket
from dlt_bunce.logs import logger
from dlt_bunce.store import rate_limits
from dlt_bunce.store.database import Database

_SLOTS_A_SECOND = 20
"""Reservations a second at most: beyond that, several moments are taken at once."""
_STALE_S = 0.5
"""A moment that passed so long ago is lost: later, requests would crowd."""
_LONG_S = 0.5
"""After such a wait somebody may have been told to wait longer."""


@lru_cache(maxsize=32)
def local_rate_limiter(_base_url: str, requests_per_minute: int) -> TokenBucket:
    """Return a limiter for this process alone, while there is no store to share one in."""
    return TokenBucket(requests_per_minute)


class SharedRateLimiter:
    """As `TokenBucket`, for every thread of every process with the same `scope` in the same store.

    At n requests in `window_s`, up to b of them leave at once after a rest, all others n - b evenly
    spread over the window: so no window sees more than n, whatever its phase. A crash loses the
    moments that were taken and not used, a fraction of a second's worth. Raises StoreError.
    """

    def __init__(
        self,
        database: Database,
        scope: str,
        requests: int,
        *,
        window_s: float = WINDOW_S,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
        now: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._database, self._scope = database, scope
        self._burst = min(MAX_BURST, max(1, requests // 50))
        self._interval_s = window_s / max(1, requests - self._burst)
        self._slots = max(1, round(1 / self._interval_s / _SLOTS_A_SECOND))
        self._clock, self._sleep, self._now = clock, sleep, now
        self._slots_due: deque[float] = deque()
        self._lock = threading.Lock()
        self._opened = False

    def wait(self, stopping: threading.Event = NEVER) -> float:
        """Blocks until a request may leave; returns the seconds waited."""
        waited = 0.0
        while not stopping.is_set():
            moment = self.next_slot()
            pause = moment - self._clock()
            if pause <= 0:
                break
            (self._sleep or stopping.wait)(pause)
            waited += pause
            # a machine that stood still would let all who waited go at once
            slept_through = self._clock() - moment > _STALE_S
            if not slept_through and (pause < _LONG_S or not self._is_paused()):
                break
        return waited

    def next_slot(self) -> float:
        """Take the time, by the clock, at which the caller's next request may leave."""
        with self._lock:
            now = self._clock()
            while self._slots_due and self._slots_due[0] < now - _STALE_S:
                self._slots_due.popleft()
            if not self._slots_due:
                self._reserve()
            return self._slots_due.popleft()

    def pause(self, seconds: float) -> None:
        """Stop all sending in the scope for that many seconds, since the server asked for it."""
        logger().warning("budget.paused", scope=self._scope, seconds=round(seconds, 1))
        with self._lock:
            self._slots_due.clear()
            rate_limits.pause(
                self._open(),
                self._scope,
                wait_ms=seconds * 1000,
                interval_ms=self._interval_s * 1000,
                burst=self._burst,
                now=self._now(),
            )

    def close(self) -> None:
        """Close the connection to the store; what waits or pauses later opens it again."""
        with self._lock:
            if self._opened:
                self._opened = False
                self._database.__exit__(None, None, None)

    def _reserve(self) -> None:
        reserved = self._reserved()
        if reserved.wait_ms > rate_limits.MAX_AHEAD_MS and self._bring_back():
            # the clock was set back since this run began
            reserved = self._reserved()
        first = self._clock() + reserved.wait_ms / 1000
        step = reserved.interval_ms / 1000
        self._slots_due.extend(first + step * number for number in range(self._slots))

    def _reserved(self) -> rate_limits.Reserved:
        return rate_limits.reserve(
            self._open(),
            self._scope,
            interval_ms=self._interval_s * 1000,
            slots=self._slots,
            burst=self._burst,
            now=self._now(),
        )

    def _bring_back(self) -> bool:
        """Reset times that a clock which was fast has written; return whether there were any."""
        if not rate_limits.bring_back(self._database, self._scope, now=self._now()):
            return False
        logger().warning("budget.brought_back", scope=self._scope)
        return True

    def _is_paused(self) -> bool:
        with self._lock:
            return rate_limits.is_paused(self._open(), self._scope, now=self._now())

    def _open(self) -> Database:
        if not self._opened:
            self._database.__enter__()
            self._opened = True
            self._bring_back()
        return self._database
