"""phone_no: international numbers pass, national ones need a region, nothing is guessed."""

from __future__ import annotations

import phonenumbers
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlt_bunce.errors import ConfigurationError
from dlt_bunce.records.fields.phones import parse_phones, usual_nationals


def judged(value: object, region: str | None = None, kind: object = None) -> object:
    column = parse_phones(
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
        ("0044 (0)20 7946 0958", "+442079460958"),
        (
            "\uff0b\uff12\uff13\uff14\uff18\uff10\uff13\uff11\uff12\uff13\uff14\uff15\uff16\uff17",
            "+2348031234567",
        ),
        ("+٢٣٤٨٠٣١٢٣٤٥٦٧", "+2348031234567"),
        ("+9991234", "+9991234"),  # no country has 999 yet
        ("+999123456789012", "+999123456789012"),
        ("+1234567", False),
        ("+123456789012345", False),
        ("+234803123456", False),
        ("+3361234567", False),
        ("+23480312345678", "+23480312345678"),  # long enough, in a range that is not known
        ("+23408031234567", "+2348031234567"),
        ("+234 0803 123 4567", "+2348031234567"),
        ("+233 024 123 4567", "+233241234567"),
        ("+254 0712 345678", "+254712345678"),
        ("+27 082 123 4567", "+27821234567"),
        ("+256 0772 123456", "+256772123456"),
        ("+44 07911 123456", "+447911123456"),
        ("+49 0151 23456789", "+4915123456789"),
        ("+33 06 12 34 56 78", "+33612345678"),
        ("+33 6 12 34 56 78", "+33612345678"),
        ("+7 8 912 345 67 89", "+79123456789"),
        ("+39 06 6982 1234", "+390669821234"),
        ("+225 07 12 34 56 78", "+2250712345678"),
        ("+2348031234567.0", "+2348031234567"),
        ("+234 803 123 4567/8", "+2348031234567"),
        ("+234 803 123 4567 (2)", "+2348031234567"),
        ("+234 803 123 4567-123", "+2348031234567"),
        ("+234 803 123 4567 1", "+2348031234567"),
        ("+234 803 123 4567 / +234 803 123 4568", "+2348031234567"),
        ("+2348031234567; 08031234568", "+2348031234567"),
        ("+2348031234567, +2348031234568", "+2348031234567"),
        ("+2348031234567 x5", "+2348031234567"),
        ("+1 415-555-2671 ext. 12", "+14155552671"),
        ("+1 415-555-2671", "+14155552671"),
        ("+1 (415) 555-26", False),
        ("+123456", False),
        ("+1234567890123456", False),
        ("+0348031234567", False),
        ("++2348031234567", False),
        ("+", False),
        ("00", False),
        ("08031234567", False),
        ("2348031234567", False),
        ("+234 803 CALL ME", False),
        ("tel:+2348031234567", "+2348031234567"),
        ("+2348031234567 ext 5", "+2348031234567"),
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
        ("8031234567.0", "NG", "+2348031234567"),
        ("08031234567/08031234568", "NG", "+2348031234567"),
        ("0803 123 4567 (2)", "NG", "+2348031234567"),
        ("1-415-555-2671", "NG", False),
        ("0415 555 2671", "NG", False),
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
    column = parse_phones(pa.array(["0803 1234567", "call me"]))

    assert column.reason.to_pylist() == [
        "no country code and no default_region: 11 characters, 11 digits, 0 letters",
        "no digits: 6 characters, 0 digits, 6 letters",
    ]


@given(st.text("+0123456789 -.()/", max_size=20), st.sampled_from([None, "NG", "GB"]))
def test_what_passes_is_international_and_stays_as_it_is(text: str, region: str | None) -> None:
    once = judged(text, region)

    if once:
        assert str(once).startswith("+")
        assert 7 <= len(str(once)) - 1 <= 15
        assert once == judged(str(once), region)


def by_library(text: str, region: str | None) -> str | None:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_the_quick_way_for_national_numbers_agrees_with_the_library(region: str) -> None:
    texts: list[str] = []
    for kind in range(11):
        example = phonenumbers.example_number_for_type(region, kind)
        if example is not None:
            digits = str(example.national_number)
            texts += [digits, f"0{digits}", f"0{digits}1", f"0{digits[:-1]}", f"00{digits}"]
    plan = phonenumbers.PhoneMetadata.metadata_for_region(region)
    assert plan is not None
    texts += [f"{plan.country_code}{text}" for text in texts] + [
        f"01{n}23456789" for n in range(99)
    ]

    for text, quick in zip(
        texts, usual_nationals(pa.array(texts), region).to_pylist(), strict=True
    ):
        assert quick in {text, by_library(text, region)}


@given(
    st.from_regex(r"0[0-9]{6,12}", fullmatch=True), st.sampled_from(["NG", "GB", "JP", "KR", "DE"])
)
def test_the_quick_way_agrees_on_any_digits(text: str, region: str) -> None:
    (quick,) = usual_nationals(pa.array([text]), region).to_pylist()

    assert quick in {text, by_library(text, region)}


def test_most_national_numbers_take_the_quick_way() -> None:
    numbers = pa.array(["08031234567", "09012345678", "016123456"])

    assert [n.startswith("+234") for n in usual_nationals(numbers, "NG").to_pylist()][:2] == [
        True,
        True,
    ]


@pytest.mark.parametrize(
    ("phone", "noted"),
    [
        ("+234 803 123 4567/8", True),
        ("+234 803 123 4567 (2)", True),
        ("+2348031234567, +2348031234568", True),
        ("+2348031234567 ext. 12", True),
        ("+2348031234567 x12", True),
        ("+2348031234567", False),
        ("+234 (0) 803 123 4567", False),
        ("00234-803-123-4567", False),
        ("tel:+2348031234567", False),
        ("0803 123 4567", False),
        ("8031234567.0", False),
        ("+234 803", False),
    ],
)
def test_what_is_left_out_behind_a_number_is_noted(phone: str, *, noted: bool) -> None:
    column = parse_phones(pa.array([phone, "+2348031234567", None]), default_region="NG")

    assert int(noted) == column.notes
    assert column.values[0].as_py() == "+2348031234567" or phone[-3:] == "803"


def international_cases() -> list[str]:
    """Numbers of every region and kind as people write them, valid ones and near misses."""
    texts: list[str] = []
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        code = phonenumbers.country_code_for_region(region)
        for kind in range(11):
            example = phonenumbers.example_number_for_type(region, kind)
            if example is None:
                continue
            digits = phonenumbers.national_significant_number(example)
            shown = phonenumbers.format_number(
                example, phonenumbers.PhoneNumberFormat.INTERNATIONAL
            )
            heads = (
                f"+{code}",
                f"+{code}0",
                f"+{code} 0",
                f"+{code} (0)",
                f"00{code}",
                f"+{code}8",
            )
            texts += [f"{head}{digits}" for head in heads]
            texts += [shown, f"+{code}{digits}1", f"+{code}{digits[:-1]}", f"+{code}1{digits}"]
    return texts


def test_where_the_library_finds_a_valid_number_it_is_the_one_that_is_sent() -> None:
    texts = international_cases()
    expected = [by_library(text if text[0] == "+" else f"+{text[2:]}", None) for text in texts]

    found = parse_phones(pa.array(texts)).values.to_pylist()

    differing = [
        (text, right, ours)
        for text, right, ours in zip(texts, expected, found, strict=True)
        # a few services have numbers of 6 or 16 digits, which no field of Bunce's takes
        if right is not None and 7 <= len(right) - 1 <= 15 and right != ours
    ]
    assert differing == []
    assert sum(right is not None for right in expected) > 5_000
