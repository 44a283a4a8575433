"""Names: cleaned of what nobody sees, otherwise as people write them."""

from __future__ import annotations

import unicodedata

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlt_bunce.records.fields import names
from dlt_bunce.records.fields.names import parse_names

ENGLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"


def judged(value: str | None) -> object:
    column = parse_names(pa.array([value], pa.string()))
    return False if column.invalid[0].as_py() else column.values[0].as_py()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Ada", "Ada"),
        ("  Ada  ", "Ada"),
        ("Mary   Ann", "Mary Ann"),
        ("Mary\u00a0\t\nAnn", "Mary Ann"),
        ("Zoë", "Zoë"),
        (unicodedata.normalize("NFD", "Zoë Ångström"), "Zoë Ångström"),
        ("O'Brien-Smith Jr.", "O'Brien-Smith Jr."),
        ('Ada "the" \\ Lovelace', 'Ada "the" \\ Lovelace'),
        ("李小龍", "李小龍"),
        ("محمد", "محمد"),
        ("नरेन्द्र", "नरेन्द्र"),
        ("क्\u200dष", "क्\u200dष"),
        (
            "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627",
            "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627",
        ),
        ("Ada 😀", "Ada 😀"),
        ("👩\u200d👩\u200d👧", "👩\u200d👩\u200d👧"),
        (ENGLAND, ENGLAND),
        ("A\x00d\x07a\x9f", "Ada"),
        ("\ufeffAda\u200b", "Ada"),
        ("e\u200b\u0301", "é"),
        ("a \u200b b", "a b"),
        ("\u202eAda", "Ada"),
        ("n" * 255, "n" * 255),
        ("é" * 255, "é" * 255),
        ("e\u0301" * 255, "é" * 255),
        ("n" * 256, False),
        ("n" * 10_000, False),
        ("é" * 10_000, False),
        ("", None),
        ("   ", None),
        ("\u3000\u00a0", None),
        ("\u200b\x01", None),
        ("\u200d", None),
        (None, None),
    ],
)
def test_a_value_becomes_this_name(value: str | None, expected: object) -> None:
    assert expected == judged(value)


def test_numbers_are_no_names() -> None:
    assert parse_names(pa.array([1, None])).invalid.to_pylist() == [True, False]


def test_a_reason_tells_shapes_and_never_the_value() -> None:
    column = parse_names(pa.array(["n" * 10_000]))

    assert column.reason.to_pylist() == ["10000 characters; at most 255 are allowed"]


@given(st.text(max_size=30))
def test_judging_twice_changes_nothing(text: str) -> None:
    once = judged(text)

    # False is no name: the row is rejected
    assert once is False or once == judged(None if once is None else str(once))


@given(st.text(max_size=30))
def test_a_name_is_normalized_and_free_of_control_characters(text: str) -> None:
    name = judged(text)

    if name:
        assert unicodedata.normalize("NFC", str(name)) == name
        assert "Cc" not in {unicodedata.category(c) for c in str(name)}
        assert " ".join(str(name).split()) == name


def test_the_quick_pattern_passes_only_what_normalization_leaves_alone() -> None:
    # older Pythons do not know the newest characters, and so cannot judge them
    known = [chr(c) for c in range(0x20000) if unicodedata.category(chr(c)) not in ("Cs", "Cn")]
    characters = pa.array(known)

    passed = characters.filter(pc.match_substring_regex(characters, names._PLAIN)).to_pylist()  # noqa: SLF001 - the pattern alone

    assert len(passed) > 30_000
    for character in passed:
        assert unicodedata.is_normalized("NFC", f"a{character}")
        assert unicodedata.combining(character) == 0
        assert unicodedata.category(character)[0] not in "CZ"


@pytest.mark.parametrize(
    ("name", "decoded", "noted"),
    [
        ("O&#39;Brien", "O'Brien", True),
        ("O&#x27;Brien", "O'Brien", True),
        ("Jos&eacute;", "José", True),
        ("Marks &amp; Sons", "Marks & Sons", True),
        ("&lt;b&gt;", "<b>", True),
        ("Marks & Sons; Ltd", "Marks & Sons; Ltd", False),
        ("A&B", "A&B", False),
        ("#39;", "#39;", False),
        ("Jos\ufffd", "Jos\ufffd", True),
        ("José", "José", False),
    ],
)
def test_what_was_decoded_wrongly_is_noted_and_entities_are_decoded_on_demand(
    name: str, decoded: str, *, noted: bool
) -> None:
    array = pa.array([name, "Ada", None])

    as_it_is, unescaped = parse_names(array), parse_names(array, unescape=True)

    assert [name, "Ada", None] == as_it_is.values.to_pylist()
    assert int(noted) == as_it_is.notes
    assert [decoded, "Ada", None] == unescaped.values.to_pylist()
    assert int("\ufffd" in name) == unescaped.notes


def test_an_entity_of_white_space_is_no_name() -> None:
    assert parse_names(pa.array(["&nbsp;"]), unescape=True).values.to_pylist() == [None]
