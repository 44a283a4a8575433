"""Attribute values: the same text from every type of column, and nothing that Bunce would skip."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any

import pyarrow as pa
import pytest

from dlt_bunce.errors import ConfigurationError
from dlt_bunce.records.mapping.source_columns import variants_of
from dlt_bunce.records.text.plain import plain
from dlt_bunce.records.text.value_texts import value_text
from dlt_bunce.records.values.value_digests import (
    WRITTEN,
    packed_digests,
    repacked,
    row_digests,
    value_digests,
)
from dlt_bunce.records.values.values import MAX_LENGTH, Values, either, read_values

JSON = '{"a":{"d":"2024-01-01T10:30:00Z"},"b":["0.1",null]}'
MOMENT = datetime(2024, 1, 1, 10, 30, 0, 999_000, tzinfo=timezone.utc)


def texts(values: list[Any], data_type: str, kind: Any = None, **options: Any) -> list[Any]:
    """The texts, or the codes of those that are invalid."""
    found = read_values(pa.array(values, kind), data_type, **options)
    pairs = zip(found.texts.to_pylist(), found.codes.to_pylist(), strict=True)
    return [text if code is None else code for text, code in pairs]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([0.1, 7.0, -2.5, 1e20, None], pa.float64()),
        (
            [Decimal("0.1"), Decimal(7), Decimal("-2.5"), Decimal(10**20), None],
            pa.decimal128(38, 9),
        ),
        (
            [Decimal("0.1"), Decimal(7), Decimal("-2.5"), Decimal(10**20), None],
            pa.decimal256(50, 4),
        ),
        (["0.1", "7", "-2.50", "100000000000000000000", " "], pa.string()),
        (["+.1", "007", "-2.500", "1e20", ""], pa.large_string()),
        ([b"0.10", b"7.", b"-2.5", b"1E+20", None], pa.binary()),
        ([value_text(v) for v in (0.1, 7.0, Decimal("-2.50"), 10**20, float("nan"))], None),
    ],
    ids=["float", "decimal", "wide decimal", "text", "odd text", "bytes", "dicts"],
)
def test_equal_numbers_have_equal_text(values: list[Any], kind: Any) -> None:
    expected = ["0.1", "7", "-2.5", "100000000000000000000", None]

    assert texts(values, "numeric", kind) == expected
    if kind not in (pa.string(), pa.large_string(), pa.binary()):
        assert texts(values, "text", kind) == expected


@pytest.mark.parametrize(
    "values",
    [
        pa.array([MOMENT], pa.timestamp("us", "UTC")),
        pa.array([MOMENT], pa.timestamp("ns", "Africa/Lagos")),
        pa.array(["2024-01-01T10:30:00Z"]),
        pa.array(["2024-01-01 11:30:00.999999999+01"]),
        pa.array(["2024-01-01T05:00:00-0530"]),
        pa.array([value_text(MOMENT)]),
        pa.array([b"2024-01-01T10:30Z"]).dictionary_encode(),
    ],
    ids=["micro", "nano", "text", "offset", "west", "dicts", "dictionary"],
)
def test_equal_moments_have_equal_text_in_utc(values: pa.Array) -> None:
    assert read_values(values, "timestamp").texts.to_pylist() == ["2024-01-01T10:30:00Z"]


def test_a_moment_without_a_time_zone_is_refused_unless_one_is_set() -> None:
    bare = datetime(2024, 7, 1, 10)  # noqa: DTZ001, the point of it
    lagos = {"timezone": "Africa/Lagos"}

    assert texts([bare, None], "timestamp") == ["invalid_timestamp", None]
    assert texts([bare], "timestamp", **lagos) == ["2024-07-01T09:00:00Z"]
    assert texts(["2024-07-01T10:00:00"], "timestamp") == ["invalid_timestamp"]
    assert texts(["2024-07-01T10:00:00"], "timestamp", **lagos) == ["2024-07-01T09:00:00Z"]
    assert texts([value_text(bare)], "timestamp") == ["invalid_timestamp"]
    # a day is the same day everywhere
    assert texts([date(2024, 7, 1)], "timestamp") == ["2024-07-01T00:00:00Z"]
    assert texts(["2024-07-01"], "timestamp", **lagos) == ["2024-07-01T00:00:00Z"]
    with pytest.raises(ConfigurationError, match="'Lagos', which is not a time zone"):
        texts([bare], "timestamp", timezone="Lagos")


def test_what_cannot_be_sent_has_a_code() -> None:
    numbers = ["1,000", "abc", "1e999", "--1", "0x10", "1 2", "NaN", "inf"]
    moments = ["2024-02-30", "01/02/2024", "2024-1-1", "yesterday", "2024-01-01T25:00:00Z"]

    assert set(texts(numbers, "numeric")) == {"invalid_number"}
    assert texts([float("inf"), float("nan")], "numeric") == ["invalid_number", None]
    # zeros that end an exponent are no closing zeros
    odd = texts([1.5e-10, 2.5e20, float("nan")], "numeric")
    assert odd == ["0.00000000015", "250000000000000000000", None]
    assert texts([True], "numeric") == ["invalid_number"]
    assert texts([MOMENT], "numeric") == ["invalid_number"]
    assert set(texts(moments, "timestamp")) == {"invalid_timestamp"}
    assert texts([1704067200], "timestamp") == ["invalid_timestamp"]
    assert texts(["x" * (MAX_LENGTH + 1), "é" * MAX_LENGTH], "text") == [
        "too_long",
        "é" * MAX_LENGTH,
    ]
    assert texts([b"\xff"], "text") == ["invalid_text"]
    found = read_values(pa.array(["a secret"]), "numeric")
    assert "secret" not in str(found.reasons.to_pylist())


def test_text_takes_every_type() -> None:
    assert texts([True, False, None], "text") == ["true", "false", None]
    assert texts([{"b": 1, "a": None}], "text") == ['{"b":1}']
    assert texts([MOMENT], "text", pa.timestamp("us", "UTC")) == ["2024-01-01T10:30:00Z"]
    bare = datetime(2024, 1, 1, 10)  # noqa: DTZ001, the point of it
    assert texts([bare], "text") == ["2024-01-01T10:00:00"]
    assert texts(["Yes", "0", " TRUE ", "maybe"], "boolean") == [
        "true",
        "false",
        "true",
        "invalid_boolean",
    ]


class Plan(Enum):
    """As a model of an application has it."""

    GOLD = "gold"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (-0.0, "0"),
        (1e21, "1" + "0" * 21),
        (Decimal("1E+3"), "1000"),
        (Decimal("sNaN"), None),
        (float("-inf"), "-Infinity"),
        (Plan.GOLD, "gold"),
        (b"gold", "gold"),
        (bytearray(b"gold"), "gold"),
        (time(12, 30, tzinfo=timezone(timedelta(hours=2))), "12:30:00+02:00"),
        (timedelta(0), "PT0S"),
        (timedelta(days=-1), "-P1D"),
        (timedelta(hours=25, microseconds=50), "P1DT1H0.00005S"),
        ({"b": [Decimal("0.10"), None], "a": {"c": None, "d": MOMENT}}, JSON),
        (("é", True), '["é",true]'),
        ({"half": "\ud800"}, '{"half":"\\ud800"}'),
    ],
)
def test_a_value_in_a_dict_has_a_text_of_its_own(value: Any, expected: str | None) -> None:
    assert value_text(value) == expected
    assert texts([value_text(value)], "text", pa.string()) == [expected]


def test_bytes_that_are_no_text_are_rejected_from_a_dict_too() -> None:
    assert texts([value_text(b"\xff")], "text", pa.string()) == ["invalid_text"]


def test_columns_that_dlt_has_no_type_for_become_text() -> None:
    months = pa.MonthDayNano([2, 1, 3_000_000_000])
    table = pa.table(
        {
            "duration": pa.array([timedelta(seconds=90), None], pa.duration("ns")),
            "interval": pa.array([months, (0, -1, 0)], pa.month_day_nano_interval()),
        }
    )

    assert plain(table).to_pydict() == {
        "duration": ["PT1M30S", None],
        "interval": ["P2M1DT3S", "-P1D"],
    }


def test_values_of_another_type_than_their_column_are_read_by_their_own() -> None:
    table = pa.table(
        {"n": pa.array([1e21, None, None]), "n▶v_text": [None, "0.10", "many"]},
    )
    parts = [read_values(array, "numeric") for array in variants_of(table, "n")]
    found = either(parts)

    assert found.texts.to_pylist() == ["1" + "0" * 21, "0.1", None]
    assert found.codes.to_pylist() == [None, None, "invalid_number"]


def test_a_row_digest_tells_rows_apart_and_is_missing_where_it_could_not() -> None:
    def digests(*columns: list[str | None]) -> list[bytes | None]:
        return row_digests(
            [Values(pa.array(c, pa.string()), *_clean(c)) for c in columns], 1
        ).to_pylist()

    def _clean(column: list[Any]) -> tuple[pa.Array, pa.Array]:
        return pa.nulls(len(column), pa.string()), pa.nulls(len(column), pa.string())

    first, second, third = digests(["a", "", "a"], ["b", "ab", None])
    assert len({first, second, third}) == 3
    assert digests(["a\x1fb"], ["c"]) == [None]
    bad = read_values(pa.array(["seven", "7"]), "numeric")
    assert [d is None for d in row_digests([bad], 1).to_pylist()] == [True, False]


def test_packed_digests_keep_the_slots_of_others() -> None:
    one, two = value_digests(pa.array(["a", "b"]), 5).to_pylist()
    packed = repacked(repacked(None, [(3, one, WRITTEN)]), [(1, two, WRITTEN)])

    column = pa.array([packed, None], pa.binary())
    assert packed_digests(column, 3)[0].to_pylist() == [one, b""]
    assert packed_digests(column, 1)[1].to_pylist() == [WRITTEN, b""]
    assert packed_digests(column, 0)[1].to_pylist() == [b"\x00", b""]
    assert packed_digests(column, 9)[0].to_pylist() == [b"", b""]
    assert value_digests(pa.array([None], pa.string()), 5).to_pylist() == [None]
