"""Rate limit: a number of requests per client and window, then a block."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dlt_bunce.emulator.behavior import Behavior


class RateLimit:
    """Count of requests per client in a sliding window."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with no requests; `clock` returns seconds."""
        self._clock = clock
        self._lock = threading.Lock()
        self._recent: dict[str, deque[float]] = {}
        self._blocked_until: dict[str, float] = {}

    def wait(self, client: str, behavior: Behavior) -> float | None:
        """Count a request; return the seconds its client is blocked for, or None if it may pass."""
        if not behavior.rate_limit:
            return None
        now = self._clock()
        with self._lock:
            until = self._blocked_until.get(client)
            if until is not None:
                if now < until:
                    return until - now
                del self._blocked_until[client]
            recent = self._recent.setdefault(client, deque())
            while recent and recent[0] <= now - behavior.rate_window_seconds:
                recent.popleft()
            if len(recent) < behavior.rate_limit:
                recent.append(now)
                return None
            recent.clear()
            self._blocked_until[client] = now + behavior.block_seconds
            return behavior.block_seconds
