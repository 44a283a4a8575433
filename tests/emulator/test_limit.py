"""The rate limit: a number of requests per client and minute, then a block."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

import pytest
import requests

from dlt_bunce.emulator import Behavior, Emulator
from dlt_bunce.emulator.limit import RateLimit


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_limit_blocks_the_client(emulator: Emulator, http: requests.Session) -> None:
    """Past the limit every call gets 429, the seconds to wait, and the documented body."""
    emulator.behavior = Behavior(rate_limit=2)
    url = f"{emulator.base_url}/customers"
    answers = [http.get(url, timeout=10) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
    assert answers[2].headers["Retry-After"] == "60"
    message = "You have reached maximum request limit."
    assert {"success": False, "message": message} == answers[2].json()
    assert emulator.stats()["rate_limited"] == 2


@pytest.mark.parametrize("form", ["date", "missing"])
def test_retry_after_forms(emulator: Emulator, http: requests.Session, form: str) -> None:
    """Retry-After can be a date or missing."""
    emulator.behavior = Behavior.from_json({"rate_limit": 1, "retry_after": form})
    http.get(f"{emulator.base_url}/customers", timeout=10)
    headers = http.get(f"{emulator.base_url}/customers", timeout=10).headers
    assert (form == "date") == ("Retry-After" in headers)
    if form == "date":
        wait = parsedate_to_datetime(headers["Retry-After"]) - parsedate_to_datetime(
            headers["Date"]
        )
        assert 59 <= wait.total_seconds() <= 63


def test_window_slides() -> None:
    """A request is forgotten when the window has passed over it."""
    clock = Clock()
    limit = RateLimit(clock)
    behavior = Behavior(rate_limit=2)
    assert [limit.wait("a", behavior) for _ in range(2)] == [None, None]
    clock.now = 60.0
    assert limit.wait("a", behavior) is None


def test_block_ends_after_its_time() -> None:
    """A blocked client waits out the rest of its block, and no other client does."""
    clock = Clock()
    limit = RateLimit(clock)
    behavior = Behavior(rate_limit=1, block_seconds=60)
    assert [limit.wait("a", behavior) for _ in range(2)] == [None, 60.0]
    clock.now = 45.0
    assert limit.wait("a", behavior) == 15.0
    assert limit.wait("b", behavior) is None
    clock.now = 60.0
    assert limit.wait("a", behavior) is None


def test_zero_switches_the_limit_off() -> None:
    """No request is refused where the limit is zero."""
    limit = RateLimit(Clock())
    assert {limit.wait("a", Behavior(rate_limit=0)) for _ in range(1000)} == {None}
