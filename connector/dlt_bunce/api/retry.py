"""Whether to try again and how long to wait first: a pure decision."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

from dlt_bunce.api.reply import Reply
from dlt_bunce.errors import UnavailableError

BLOCK_S = 60.0
"""Bunce blocks an IP for 60 seconds once it passes its limit (API reference, rate limits)."""
MAX_WAIT_S = 300.0
"""The longest wait that a run takes part in; when a server asks for more, the run ends."""


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
        """Return the seconds to wait before try number `attempt + 1`, or None to give up.

        `attempt` is 1 after the first try, `jitter` lies in [0, 1), `now` is seconds since 1970.
        What the server asks for outranks our own guess.
        """
        asked = asked_wait_s(reply, now)
        if attempt >= self.attempts or asked > MAX_WAIT_S or reply.is_redirect:
            return None
        if reply.status == 429 and (attempt > 1 or not asked):
            # the unit of Retry-After is nowhere stated, and clocks differ: once it was too short
            # (or already over), the documented block is waited for
            asked = max(asked, self.block_s)
        if asked:
            # a little late is safe, a little early is another block
            return asked + jitter * 0.5
        return float(min(self.cap_s, self.base_s * 2 ** (attempt - 1)) * (0.5 + jitter / 2))


def asked_wait_s(reply: Reply, now: float) -> float:
    """Return how long a server asks to wait, 0 if it does not.

    A date is taken relative to the server's own clock, where the reply shows that.
    """
    ahead = None if reply.date is None else seconds_from_now(reply.date, now)
    return retry_after_s(reply.retry_after, now + (ahead or 0.0)) or 0.0


def retry_after_s(value: str | None, now: float) -> float | None:
    """Return a Retry-After header, given as seconds or as an HTTP date, in seconds from `now`.

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
    """Return how far an HTTP date lies ahead, below 0 if it is past; None if it makes no sense."""
    try:
        when = parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=timezone.utc)
    return when.timestamp() - now


def too_long_a_wait(reply: Reply, asked: float, now: float) -> UnavailableError:
    """Make the error that ends a run whose server asks for a longer wait, and says until when."""
    try:
        until = datetime.fromtimestamp(now + asked, timezone.utc)
        remedy = f"Run again after {until:%Y-%m-%d %H:%M} UTC"
    except (OverflowError, ValueError, OSError):
        remedy = "Ask Bunce when to run again"
    return UnavailableError(
        f"Bunce asked to wait {asked:,.0f} s (Retry-After of an {reply.describe()}); a run waits "
        f"{MAX_WAIT_S:,.0f} s at most.",
        remedy=f"{remedy}: settled rows are not sent again, the others are kept.",
    )
