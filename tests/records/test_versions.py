"""The version column: anything that orders states, and nothing that only seems to."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

import pyarrow as pa
import pytest

from dlt_bunce.errors import MappingError
from dlt_bunce.records.versions.versions import read_versions

SECOND = 1_704_103_200_000_000
MOMENT = datetime(2024, 1, 1, 10, tzinfo=timezone.utc)
BERLIN = timezone(timedelta(hours=1))


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array([3, -1, None]), [3, -1, None]),
        (pa.array([3], pa.uint8()), [3]),
        (pa.array([None]), [None]),
        (pa.array([Decimal("3.00")], pa.decimal128(18, 2)), [3]),
        (pa.array([MOMENT.replace(tzinfo=None)], pa.timestamp("s")), [SECOND]),
        (pa.array([MOMENT], pa.timestamp("ms", "Europe/Berlin")), [SECOND]),
        (pa.array([SECOND * 1000 + 999], pa.timestamp("ns")), [SECOND]),
        (pa.array([date(1970, 1, 2)]), [86_400_000_000]),
        (pa.array([86_400_000], pa.date64()), [86_400_000_000]),
        (pa.array(["7", " 12 ", "", None, "-3", "+4"]), [7, 12, None, None, -3, 4]),
        (pa.array(["2024-01-01T10:00:00Z"]), [SECOND]),
        (pa.array(["2024-01-01 10:00:00+00", "2024-01-01T11:00:00+01:00"]), [SECOND, SECOND]),
        (pa.array(["2024-01-01T10:00:00", "2024-01-01T05:00:00-0500"]), [SECOND, SECOND]),
        (pa.array(["2024-01-01T10:00:00.000001234Z"]), [SECOND + 1]),
        (pa.array(["1970-01-02", None, " "]), [86_400_000_000, None, None]),
        (pa.array([MOMENT.isoformat(), MOMENT.astimezone(BERLIN).isoformat()]), [SECOND, SECOND]),
        (pa.array(["7"]).dictionary_encode(), [7]),
        (pa.array(["7"], pa.large_string()), [7]),
        (pa.array(["7"], pa.string_view()), [7]),
        (pa.array([b"7"]), [7]),
        (pa.array([], pa.string()), []),
        (pa.nulls(0), []),
    ],
    ids=lambda value: str(getattr(value, "type", "")),
)
def test_a_column_becomes_these_versions(array: pa.Array, expected: list[object]) -> None:
    versions, unreadable = read_versions(array, "updated_at")

    assert unreadable == 0

    assert (versions.type, versions.to_pylist()) == (pa.int64(), expected)


@pytest.mark.parametrize(
    "array",
    [
        pa.array([1.5]),
        pa.array([True]),
        pa.array([[1]]),
        pa.array([2**63], pa.uint64()),
        pa.array([Decimal("3.50")], pa.decimal128(18, 2)),
        pa.array(["yesterday"]),
        pa.array(["7", "2024-01-01"]),
        pa.array(["99999999999999999999"]),
        pa.array([b"\xff"]),
    ],
    ids=lambda array: str(array.type),
)
def test_anything_else_is_refused_by_the_name_of_the_column(array: pa.Array) -> None:
    with pytest.raises(MappingError, match="version column 'updated_at'") as caught:
        read_versions(array, "updated_at")

    assert "yesterday" not in str(caught.value)


NOTHING = ["0000-00-00", "0000-00-00 00:00:00", "NULL", "\\N", "infinity", "NaT", "-", ""]


@pytest.mark.parametrize("text", NOTHING)
def test_what_stands_for_nothing_is_null(text: str) -> None:
    assert read([text, "2024-01-01T10:00:00Z"]) == ([None, SECOND], 0)
    assert read([text]) == ([None], 0)


def read(texts: list[str], form: str | None = None) -> tuple[list[int | None], int]:
    versions, unreadable = read_versions(pa.array(texts), "updated_at", form)
    return versions.to_pylist(), unreadable


@pytest.mark.parametrize("bad", ["yesterday", "2024-02-30", "12.5", "7", "25/11/2026"])
def test_a_cell_that_cannot_be_read_is_null_and_counted(bad: str) -> None:
    good = "2024-01-01T10:00:00Z"

    assert read([good, bad, good]) == ([SECOND, None, SECOND], 1)


def test_numbers_are_numbers_where_most_are() -> None:
    assert read(["7", "2024-01-01", "8"]) == ([7, None, 8], 1)


def test_a_column_of_dates_is_read_as_it_is_said_to_be_written() -> None:
    day = 1_795_564_800_000_000
    assert ([day, None, None, day], 1) == read(
        ["25/11/2026", "2026-11-25", "NULL", "25/11/2026"], "%d/%m/%Y"
    )
    with pytest.raises(MappingError, match="such as 99/99/9999") as caught:
        read(["25/11/2026", "26/11/2026", "2026-11-25"])
    assert "version_format" in caught.value.remedy
    assert "--date-format" in caught.value.remedy


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("%d.%m.%Y %H:%M:%S.%f", "01.01.2024 10:00:00.000000"),
        ("%Y%m%d%H%M%S%z", "20240101110000+0100"),
        ("%d %b %Y, %I:%M %p", "01 Jan 2024, 10:00 AM"),
    ],
)
def test_forms_are_those_of_strptime(form: str, text: str) -> None:
    assert read([text, text, "x"], form) == ([SECOND, SECOND, None], 1)
