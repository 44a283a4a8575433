"""Timestamps of attributes: what is sent has the form that Bunce takes, and is the same moment."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlt_bunce.records.text.value_texts import value_text
from dlt_bunce.records.values.values import read_values

FORM = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
FIRST = datetime(1, 1, 1)  # noqa: DTZ001, counted in seconds
SECONDS = (datetime(9999, 12, 31) - FIRST).days * 86_400 + 86_400  # noqa: DTZ001
"""In the years 0001 to 9999."""

edges = st.one_of(
    st.datetimes(),
    st.datetimes(max_value=datetime(1, 1, 2)),  # noqa: DTZ001
    st.datetimes(min_value=datetime(9999, 12, 30)),  # noqa: DTZ001
)
offsets = st.integers(-23 * 60 - 59, 23 * 60 + 59)
"""In minutes."""


def read(*texts: str, zone: str | None = None) -> list[str]:
    """Return the text to send, or the code, of each."""
    return read_array(pa.array(texts), zone)


def read_array(array: pa.Array, zone: str | None = None) -> list[str]:
    found = read_values(array, "timestamp", zone)
    pairs = zip(found.texts.to_pylist(), found.codes.to_pylist(), strict=True)
    return [text if code is None else code for text, code in pairs]


def written(minutes: int) -> str:
    hour, minute = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hour:02}:{minute:02}"


def second_of(moment: datetime, minutes: int = 0) -> int | None:
    """Return the second in the years that the form has room for."""
    second = (moment - FIRST) // timedelta(seconds=1) - minutes * 60
    return second if 0 <= second < SECONDS else None


def second_sent(text: str) -> int | None:
    if text == "invalid_timestamp":
        return None
    assert FORM.fullmatch(text) is not None
    return second_of(datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))  # noqa: DTZ007


@given(moment=edges, minutes=offsets)
def test_what_is_sent_of_a_text_has_the_form_and_is_the_same_moment(
    moment: datetime, minutes: int
) -> None:
    (sent,) = read(moment.isoformat() + written(minutes))

    assert second_sent(sent) == second_of(moment, minutes)


@given(moment=edges, minutes=offsets)
def test_what_is_sent_of_a_dicts_moment_has_the_form_and_is_the_same_moment(
    moment: datetime, minutes: int
) -> None:
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))

    (sent,) = read(str(value_text(aware)))

    assert second_sent(sent) == second_of(moment, minutes)


@given(
    second=st.integers(-SECONDS, 2 * SECONDS), unit=st.sampled_from([("s", 1), ("us", 1_000_000)])
)
def test_what_is_sent_of_a_column_of_timestamps_has_the_form_and_is_the_same_moment(
    second: int, unit: tuple[str, int]
) -> None:
    name, per_second = unit
    epoch = second_of(datetime(1970, 1, 1))  # noqa: DTZ001
    assert epoch is not None

    (sent,) = read_array(pa.array([(second - epoch) * per_second], pa.timestamp(name, "UTC")))

    assert second_sent(sent) == (second if 0 <= second < SECONDS else None)


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-01T00:00:00+99:00",
        "2024-01-01T00:00:00+24",
        "2024-01-01T00:00:00-0160",
        "0000-06-01T00:00:00Z",
        "0000-01-01T00:00:00+01:00",
        "0000-06-01",
        "٢٠٢٤-01-01T00:00:00Z",
    ],
)
def test_a_moment_that_does_not_exist_is_refused(text: str) -> None:
    assert read(text, "2024-01-01") == ["invalid_timestamp", "2024-01-01T00:00:00Z"]


def test_a_moment_that_leaves_the_years_of_four_digits_in_utc_is_refused() -> None:
    last, first = "9999-12-31T23:59:59", "0001-01-01T00:00:00"

    assert read(last, first, zone="America/New_York") == [
        "invalid_timestamp",
        "0001-01-01T04:56:02Z",
    ]
    assert read(last, first, zone="Asia/Tokyo") == ["9999-12-31T14:59:59Z", "invalid_timestamp"]
