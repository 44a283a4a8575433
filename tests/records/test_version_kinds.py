"""Versions of a load are of one kind: any other does not tell which row is newer."""

from __future__ import annotations

from datetime import datetime, timezone

import pyarrow as pa
import pytest

from dlt_bunce.errors import MappingError
from dlt_bunce.records.versions.version_kinds import VersionKind, kind_of, read_as

MOMENT = datetime(2026, 1, 5, 9, 30, tzinfo=timezone.utc)
ISO, S = MOMENT.isoformat(), int(MOMENT.timestamp())
US = S * 10**6
TIMES = VersionKind(True, "microseconds")
COUNTER = VersionKind(False, None)
MILLISECONDS = VersionKind(False, "milliseconds")


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array([MOMENT]), TIMES),
        (pa.array([ISO, "0000-00-00", ""]), TIMES),
        (pa.array([S, None]), VersionKind(False, "seconds")),
        (pa.array([str(S * 1000)]), MILLISECONDS),
        (pa.array([7, 8]), COUNTER),
        (pa.array([None, None]), None),
        (pa.array(["NULL"]), None),
    ],
)
def test_the_kind_is_that_of_most_versions(array: pa.Array, expected: VersionKind | None) -> None:
    assert kind_of(array, "changed") == expected


@pytest.mark.parametrize(
    ("kind", "array", "values", "other"),
    [
        (TIMES, pa.array([MOMENT, None]), [US, None], [0, 0]),
        (TIMES, pa.array([ISO, str(S), "", "20260105"]), [US, None, None, None], [0, 1, 0, 1]),
        (TIMES, pa.array([S]), [None], [1]),
        (TIMES, pa.array([US]), [US], [0]),
        (TIMES, pa.array([1.5, None]), [None, None], [1, 0]),
        (TIMES, pa.array(["yesterday", ""]), [None, None], [1, 0]),
        (MILLISECONDS, pa.array([S * 1000, S, US, 0]), [S * 1000, None, None, 0], [0, 1, 1, 0]),
        (MILLISECONDS, pa.array([MOMENT]), [None], [1]),
        (COUNTER, pa.array([7, S]), [7, S], [0, 0]),
        (COUNTER, pa.array(["7", ISO]), [7, None], [0, 1]),
        (COUNTER, pa.array([MOMENT]), [None], [1]),
        (VersionKind(False, "microseconds"), pa.array([MOMENT]), [US], [0]),
        # the first hour of 1970, in a zone: nobody's version, and a time all the same
        (TIMES, pa.array([datetime(1970, 1, 1, 1, tzinfo=timezone.utc)]), [3_600_000_000], [0]),
    ],
)
def test_versions_of_another_kind_are_told_apart(
    kind: VersionKind, array: pa.Array, values: list[int | None], other: list[int]
) -> None:
    found = read_as(array, "changed", None, kind)

    assert found.values.to_pylist() == values
    marked = found.of_other_kind
    assert ([0] * len(array) if marked is None else marked.cast(pa.int8()).to_pylist()) == other


def test_few_cells_that_cannot_be_read_are_counted() -> None:
    found = read_as(pa.array([ISO, ISO, ISO, "yesterday"]), "changed", None, TIMES)

    assert (found.unreadable, found.of_other_kind) == (1, None)


def test_a_column_that_cannot_be_read_has_no_kind() -> None:
    with pytest.raises(MappingError, match="version column 'changed'"):
        kind_of(pa.array(["yesterday"]), "changed")
