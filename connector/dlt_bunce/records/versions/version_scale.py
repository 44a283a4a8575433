"""Checks that versions keep their scale: timestamps that turn into seconds would look old."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.errors import MappingError

PER_SECOND = {
    "seconds": 1,
    "milliseconds": 10**3,
    "microseconds": 10**6,
    "nanoseconds": 10**9,
}
_SINCE_S, _UNTIL_S = 10**9, 4_102_444_800
"""2001 to 2100: numbers in between are taken for times, whatever else they may count."""
_OTHER_SCALE = 500
"""Units differ by a factor of a thousand; real times in one column never differ by this factor."""
_NEARLY_ALL = 0.95
_AHEAD_S = 86_400
_REMEDY = (
    "Provide the version in the same unit as before. To switch to the new one, run: "
    "dlt-bunce account forget-versions"
)


def middle(versions: pa.ChunkedArray) -> int | None:
    """Return the median, which a few placeholders cannot move; None if there are no versions."""
    median = pc.approximate_median(versions).as_py()
    return None if median is None else int(median)


def count_ahead(versions: pa.ChunkedArray, now_s: float) -> int:
    """Return how many versions are more than a day after `now_s`; 0 if they are not times."""
    unit = unit_of(middle(versions))
    if unit is None:
        return 0
    limit = pa.scalar(int((now_s + _AHEAD_S) * PER_SECOND[unit]), pa.int64())
    return int(pc.sum(pc.greater(versions, limit), min_count=0).as_py())


def other_scale(before: int | None, now: int | None, column: str) -> MappingError | None:
    """Return an error if times have become smaller numbers, so that every row would look older.

    `before` and `now` are medians of the last run and of this one.
    """
    unit = unit_of(before)
    if before is None or now is None or unit is None or now >= before / _OTHER_SCALE:
        return None
    return MappingError(
        f"The version column {column!r} held {unit} since 1970 in the last run (about "
        f"{before:.1e}) and now holds {unit_of(now) or 'numbers'} (about {now:.1e}), so every row "
        "would count as older than what Bunce has. Nothing was sent.",
        remedy=_REMEDY,
    )


def other_scale_than_known(
    known: pa.ChunkedArray, now: pa.ChunkedArray, column: str
) -> MappingError | None:
    """Return an error if versions look older than those known of the same customers, row by row,
    and by so much that they must count something else.

    One customer alone may have been made anew at the source, unless the known version is a time.
    """
    before, after = middle(known), middle(now)
    if before is None or after is None or before <= 0 or after >= before / _OTHER_SCALE:
        return None
    older = pc.sum(pc.less(now, known), min_count=0).as_py()
    if older < _NEARLY_ALL * len(now) or (len(now) == 1 and unit_of(before) is None):
        return None
    counted = "the only row" if len(now) == 1 else f"{older:,} of the first {len(now):,} rows"
    return MappingError(
        f"The version column {column!r} now holds {unit_of(after) or 'numbers'} (about "
        f"{after:.1e}), and the ledger has {unit_of(before) or 'numbers'} (about {before:.1e}) "
        f"for the same customers, so {counted} would count as older than what Bunce has. Nothing "
        "was sent.",
        remedy=_REMEDY,
    )


def unit_of(median: int | None) -> str | None:
    """Return the unit of numbers that are likely to be times, else None."""
    for unit in PER_SECOND:
        first, last = range_of(unit)
        if median is not None and first <= median < last:
            return unit
    return None


def range_of(unit: str) -> tuple[int, int]:
    """Return the first number that is taken for a time of a unit, and the first that is not."""
    factor = PER_SECOND[unit]
    return _SINCE_S * factor, _UNTIL_S * factor
