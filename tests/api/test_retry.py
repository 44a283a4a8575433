"""When to try again: what the server asks for, within bounds, and later rather than earlier."""

from __future__ import annotations

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlt_bunce.api.reply import Reply
from dlt_bunce.api.retry import MAX_WAIT_S, RetryPolicy, asked_wait_s, retry_after_s

NOW = 1_780_000_000.0
JITTER = st.floats(0, 1, exclude_max=True)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30", 30.0),
        (" 30 ", 30.0),
        ("1.5", 1.5),
        ("0", 0.0),
        (formatdate(NOW + 45, usegmt=True), 45.0),
        (formatdate(NOW + 45), 45.0),
        (formatdate(NOW - 45, usegmt=True), 0.0),
        ("Wed, 27 May 2026 12:00:00 -0000", None),
        ("inf", float("inf")),
        ("-1", None),
        ("nan", None),
        ("soon", None),
        ("", None),
        ("  ", None),
        ("Mon, 01 Jan 99999 00:00:00 GMT", None),
        ("Mon, 01 Jan 2026 00:00:00 +99999999999", None),
        (None, None),
    ],
)
def test_retry_after_in_every_form(value: str | None, seconds: float | None) -> None:
    if value is not None and value.endswith("-0000"):
        # a date that does not know its zone is UTC
        assert retry_after_s(value, NOW) == retry_after_s(value.replace("-0000", "GMT"), NOW)
    else:
        assert seconds == retry_after_s(value, NOW)


@given(st.text())
def test_no_header_breaks_it(value: str) -> None:
    seconds = retry_after_s(value, NOW)
    assert seconds is None or seconds >= 0


@given(
    attempt=st.integers(1, 9),
    status=st.sampled_from([0, 429, 500, 503]),
    value=st.none() | st.floats().map(str) | st.sampled_from(["soon", formatdate(NOW + 10**7)]),
    jitter=JITTER,
)
def test_every_wait_is_bounded(attempt: int, status: int, value: str | None, jitter: float) -> None:
    reply = Reply("answered", status, retry_after=value)

    wait = RetryPolicy(attempts=5).wait(attempt, reply, jitter=jitter, now=NOW)

    asks_for_too_much = asked_wait_s(reply, NOW) > MAX_WAIT_S
    assert (wait is None) == (attempt >= 5 or asks_for_too_much)
    assert wait is None or 0 < wait <= MAX_WAIT_S + 0.5


@given(asked=st.floats(0.1, MAX_WAIT_S), jitter=JITTER, status=st.sampled_from([429, 503]))
def test_the_server_is_never_asked_earlier_than_it_said(
    asked: float, jitter: float, status: int
) -> None:
    reply = Reply("answered", status, retry_after=str(asked))

    wait = RetryPolicy().wait(1, reply, jitter=jitter, now=NOW)

    assert wait is not None
    assert asked <= wait <= asked + 0.5


@given(attempt=st.integers(1, 19), jitter=JITTER)
def test_our_own_waits_double_up_to_a_cap_and_lie_between_half_and_whole(
    attempt: int, jitter: float
) -> None:
    wait = RetryPolicy(attempts=20, base_s=1, cap_s=8).wait(
        attempt, Reply("lost"), jitter=jitter, now=NOW
    )

    whole = min(8, 2 ** (attempt - 1))
    assert wait is not None
    assert whole / 2 <= wait <= whole


@pytest.mark.parametrize("value", [None, "0", "-5", "soon", formatdate(NOW - 60)])
def test_a_block_without_a_usable_end_is_waited_out(value: str | None) -> None:
    reply = Reply("answered", 429, retry_after=value)

    wait = RetryPolicy().wait(1, reply, jitter=0, now=NOW)

    assert wait == 60.0


def test_a_block_that_outlasts_what_was_asked_is_waited_out() -> None:
    # the unit is nowhere stated: "1" may be a minute
    reply = Reply("answered", 429, retry_after="1")

    waits = [RetryPolicy().wait(attempt, reply, jitter=0, now=NOW) for attempt in (1, 2, 3, 4, 5)]

    assert waits == [1.0, 60.0, 60.0, 60.0, None]
