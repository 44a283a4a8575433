"""phone_no: international numbers pass, national ones need a region, nothing is guessed."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlt_bunce.errors import ConfigurationError
from dlt_bunce.records.phones import judge_phones


def judged(value: object, region: str | None = None, kind: object = None) -> object:
    column = judge_phones(
        pa.array([value], pa.string() if kind is None else kind), default_region=region
    )
    return False if column.invalid[0].as_py() else column.values[0].as_py()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("+2348031234567", "+2348031234567"),
        ("+23481999999999", "+23481999999999"),
        (" +2348031234567 ", "+2348031234567"),
        ("+234 803 123-45.67", "+2348031234567"),
        ("+234 (803) 123/4567", "+2348031234567"),
        ("+234\u00a0803\u2013123\u20114567", "+2348031234567"),
        ("\u202a+2348031234567\u202c", "+2348031234567"),
        ("002348031234567", "+2348031234567"),
        ("00 234 803 1234567", "+2348031234567"),
        ("+44 (0)20 7946 0958", "+442079460958"),
        ("0044 (0) 20 7946 0958".replace(") ", ")"), "+442079460958"),
        ("＋２３４８０３１２３４５６７", "+2348031234567"),
        ("+٢٣٤٨٠٣١٢٣٤٥٦٧", "+2348031234567"),
        ("+1234567", "+1234567"),
        ("+123456789012345", "+123456789012345"),
        ("+123456", False),
        ("+1234567890123456", False),
        ("+0348031234567", False),
        ("++2348031234567", False),
        ("+", False),
        ("00", False),
        ("08031234567", False),
        ("2348031234567", False),
        ("+234 803 CALL ME", False),
        ("tel:+2348031234567", False),
        ("+2348031234567 ext 5", False),
        ("n/a", False),
        ("", None),
        ("  ", None),
        ("-", None),
        (None, None),
    ],
)
def test_without_a_region_a_value_becomes_this_number(value: str, expected: object) -> None:
    assert expected == judged(value)


@pytest.mark.parametrize(
    ("value", "region", "expected"),
    [
        ("08031234567", "NG", "+2348031234567"),
        ("0803 123 4567", "ng", "+2348031234567"),
        ("(0)803 123 4567", "NG", "+2348031234567"),
        ("8031234567", "NG", "+2348031234567"),
        ("2348031234567", "NG", "+2348031234567"),
        ("020 7946 0958", "GB", "+442079460958"),
        ("(212) 555-0100", "US", "+12125550100"),
        ("+442079460958", "NG", "+442079460958"),
        ("00442079460958", "US", "+442079460958"),
        ("+23481999999999", "NG", "+23481999999999"),
        ("12", "NG", False),
        ("0803123456789012", "NG", False),
        ("letters", "NG", False),
        ("", "NG", None),
    ],
)
def test_with_a_region_national_numbers_become_international(
    value: str, region: str, expected: object
) -> None:
    assert expected == judged(value, region)


def test_a_column_of_integers_is_read_as_digits() -> None:
    assert judged(2348031234567, kind=pa.int64()) is False
    assert judged(8031234567, "NG", pa.int64()) == "+2348031234567"
    assert judged(8031234567.0, "NG", pa.float64()) == "+2348031234567"


def test_a_region_that_does_not_exist_is_a_fault_of_the_configuration() -> None:
    with pytest.raises(ConfigurationError, match="default_region 'NGA'"):
        judged("08031234567", "NGA")


def test_a_reason_tells_shapes_and_never_the_value() -> None:
    column = judge_phones(pa.array(["0803 1234567", "call me"]))

    assert column.reason.to_pylist() == [
        "no country code and no default_region: 11 characters, 11 digits, 0 letters",
        "6 characters, 0 digits, 6 letters",
    ]


@given(st.text("+0123456789 -.()/", max_size=20), st.sampled_from([None, "NG", "GB"]))
def test_what_passes_is_international_and_stays_as_it_is(text: str, region: str | None) -> None:
    once = judged(text, region)

    if once:
        assert str(once).startswith("+")
        assert 7 <= len(str(once)) - 1 <= 15
        assert once == judged(str(once), region)
