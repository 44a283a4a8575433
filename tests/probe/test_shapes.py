"""Evidence shows how an answer looked, and no value of anybody, however the answer wrote it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlt_bunce.api.reply import Reply
from dlt_bunce.probe.shapes import Shapes

SHAPES = Shapes({})


def shown(body: Any) -> str:
    """What evidence says of an answer with this body."""
    return SHAPES.of(Reply("answered", 422, json.dumps(body).encode()))


NUMBERS = st.text("0123456789", min_size=7, max_size=15)
SEPARATORS = st.text(" -./()+,;:#*_\u00a0\u2009\u2011\u2013", max_size=3) | st.sampled_from(
    [" (0) ", " x", " ext ", " tel. ", "a", " a ", "/0", " - ", "\n"]
)


@st.composite
def phones(draw: st.DrawFn) -> str:
    """A number of at least seven digits, in groups of any size."""
    left, parts = draw(NUMBERS), []
    while left:
        size = draw(st.integers(1, 4))
        parts += [left[:size], draw(SEPARATORS)]
        left = left[size:]
    return draw(st.sampled_from(["+", "00", "(", ""])) + "".join(parts)


@given(phones(), st.sampled_from(["message", "errors", "detail", "error"]))
def test_no_digit_of_a_phone_is_shown_in_whatever_form(phone: str, key: str) -> None:
    text = shown({key: [f"{phone} belongs to another customer"]}).partition(":")[2]

    assert set(re.findall(r"\d", text.replace("[1 x", ""))) <= {"9"}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("1 out of 3 customers failed", "1 out of 3 customers failed"),
        ("The field must have between 1 and 500 items.", None),
        ("customers.12.email is invalid", None),
        ("Row 7: the phone is invalid", None),
        ("Call +234 803 123 456 now", "Aaaa +999 999 999 999 aaa"),
        ("number \u00b2\u00b3\u2074 is taken", "number 999 is taken"),
        ("born 2001-02-03", "aaaa 9999-99-99"),
        ("at most 1,000 customers", "at most 9,999 customers"),
    ],
)
def test_counts_places_and_limits_are_shown(message: str, expected: str | None) -> None:
    words = SHAPES.words(message)

    assert (
        words == expected if expected else re.findall(r"\d+", message) == re.findall(r"\d+", words)
    )


@pytest.mark.parametrize("name", ["Ngozi", "ngozi_obi", "cust_ABCDEF", "Long", "May", "abc"])
def test_a_key_is_shown_only_if_it_is_a_known_field(name: str) -> None:
    text = shown({"data": {name: {"email": "x"}}, "errors": {name: ["is invalid"]}})

    assert name not in text
    assert "data: {" in text
    assert "{email: text}" in text
    assert 'is invalid"' in text


def test_known_fields_and_places_are_shown() -> None:
    body = {
        "errors": {"customers.0.email": ["is invalid"]},
        "meta": {"next_page_cursor": "x", "per_page": 50},
        "success": False,
    }

    assert shown(body) == (
        'HTTP 422 {errors: {customers.0.email: [1 x "is invalid"]}, success: false, '
        "meta: {next_page_cursor: text, per_page: number}}"
    )
