"""Whether to try again and how long to wait first: a pure decision."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timezone
from email.utils import parsedate_to_datetime

from dlt_bunce.api.reply import Reply

BLOCK_S = 60.0
"""Bunce blocks an IP for 60 seconds once it passes its limit (API reference, rate limits)."""
MAX_WAIT_S = 300.0
"""No server makes us wait longer, whatever it asks for."""


@dataclass(frozen=True)
class RetryPolicy:
    """`attempts` counts the first try; waits double from `base_s` up to `cap_s`; `block_s` is how
    long the server refuses everybody once its limit is passed.
    """

    attempts: int = 5
    base_s: float = 0.5
    cap_s: float = 20.0
    block_s: float = BLOCK_S

    def wait(self, attempt: int, reply: Reply, *, jitter: float, now: float) -> float | None:
        """Seconds to wait before try number `attempt + 1`, or None to give up.

        `attempt` is 1 after the first try, `jitter` lies in [0, 1), `now` is seconds since 1970.
        What the server asks for outranks our own guess.
        """
        if attempt >= self.attempts:
            return None
        asked = retry_after_s(reply.retry_after, now) or 0.0
        if reply.status == 429 and (attempt > 1 or not asked):
            # the unit of Retry-After is nowhere stated, and clocks differ: once it was too short
            # (or already over), the documented block is waited for
            asked = max(asked, self.block_s)
        if asked:
            # a little late is safe, a little early is another block
            return min(asked, MAX_WAIT_S) + jitter * 0.5
        return float(min(self.cap_s, self.base_s * 2 ** (attempt - 1)) * (0.5 + jitter / 2))


def retry_after_s(value: str | None, now: float) -> float | None:
    """A Retry-After header in seconds from `now`, given as seconds or as an HTTP date.

    None when it is missing or makes no sense; 0 for a moment that is past.
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        until = seconds_from_now(value, now)
        return None if until is None else max(0.0, until)
    return seconds if seconds >= 0 else None


def seconds_from_now(date: str, now: float) -> float | None:
    """How far an HTTP date lies ahead, below 0 if it is past; None when it makes no sense."""
    try:
        when = parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=timezone.utc)
    return when.timestamp() - now
