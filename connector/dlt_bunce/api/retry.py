"""Whether to try again and how long to wait first: a pure decision."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

from dlt_bunce.api.reply import Reply

BLOCK_S = 60.0
"""Bunce blocks an IP for 60 seconds once it passes its limit (API reference, rate limits)."""
MAX_WAIT_S = 300.0


@dataclass(frozen=True)
class RetryPolicy:
    """`attempts` counts the first try; waits double from `base_s` up to `cap_s`."""

    attempts: int = 5
    base_s: float = 0.5
    cap_s: float = 20.0

    def wait(self, attempt: int, reply: Reply, *, jitter: float, now: float) -> float | None:
        """Seconds to wait before try number `attempt + 1`, or None to give up.

        `attempt` is 1 after the first try, `jitter` lies in [0, 1), `now` is seconds since 1970.
        What the server asks for outranks our own guess.
        """
        if attempt >= self.attempts:
            return None
        asked = retry_after_s(reply.retry_after, now)
        if asked is not None:
            # a little late is safe, a little early is another block
            return min(asked, MAX_WAIT_S) + jitter * 0.5
        if reply.status == 429:
            return BLOCK_S + jitter
        return float(min(self.cap_s, self.base_s * 2 ** (attempt - 1)) * (0.5 + jitter / 2))


def retry_after_s(value: str | None, now: float) -> float | None:
    """A Retry-After header in seconds from `now`, given as seconds or as an HTTP date."""
    if value is None or not value.strip():
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=timezone.utc)
    return max(0.0, (when - datetime.fromtimestamp(now, timezone.utc)).total_seconds())
