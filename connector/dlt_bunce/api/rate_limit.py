"""How fast requests may leave."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

WINDOW_S = 61.0
"""What a minute of the server may last here: requests that left a second apart from one another
may arrive closer together."""
MAX_BURST = 10
SHORTEST_WAIT_S = 0.001
NEVER = threading.Event()
"""Is never set."""


class RateLimiter(Protocol):
    """Decides when each request may leave, for all threads."""

    def wait(self, stopping: threading.Event = NEVER) -> float:
        """Block until a request may leave; return the seconds waited.

        Once `stopping` is set it returns at once, and the request may not leave.
        """

    def pause(self, seconds: float) -> None:
        """Stop all sending for that many seconds, since the server asked for it."""

    def close(self) -> None:
        """Release what is held."""


class TokenBucket:
    """A token bucket for all threads of the process, with one pause for everybody.

    A bucket of b tokens, refilled at n - b in WINDOW_S, passes n in no minute, whatever the phase
    of the server's own window. At n = 500, b is 10, and 96 % of the budget is used.
    """

    def __init__(
        self,
        requests_per_minute: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self._burst = min(MAX_BURST, max(1, requests_per_minute // 50))
        self._rate = max(1, requests_per_minute - self._burst) / WINDOW_S
        self._limited = requests_per_minute > 0
        self._clock, self._sleep = clock, sleep
        self._tokens = float(self._burst)
        self._filled_at = clock()
        self._paused_until = 0.0
        self._lock = threading.Lock()

    def wait(self, stopping: threading.Event = NEVER) -> float:
        """Block until a request may leave; return the seconds waited."""
        waited = 0.0
        while not stopping.is_set() and (pause := self._take()) > 0:
            (self._sleep or stopping.wait)(pause)
            waited += pause
        return waited

    def pause(self, seconds: float) -> None:
        """Stop all sending for that many seconds, since the server asked for it."""
        with self._lock:
            self._paused_until = max(self._paused_until, self._clock() + seconds)

    def close(self) -> None:
        """Do nothing: there is nothing to release."""

    def _take(self) -> float:
        """Take a token and return 0, or return how long to wait before asking again."""
        with self._lock:
            now = self._clock()
            if now < self._paused_until:
                return self._paused_until - now
            if not self._limited:
                return 0.0
            self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._rate)
            self._filled_at = now
            if self._tokens >= 1:
                self._tokens -= 1
                return 0.0
            # what rounding leaves of a token is too short a wait for any clock to see
            return max((1 - self._tokens) / self._rate, SHORTEST_WAIT_S)
