"""Whether versions are still counted as they were: timestamps that turn into seconds look old."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.errors import MappingError

_PER_SECOND = {
    "seconds": 1,
    "milliseconds": 10**3,
    "microseconds": 10**6,
    "nanoseconds": 10**9,
}
_SINCE_S, _UNTIL_S = 10**9, 4_102_444_800
"""From 2001 to 2100: what lies between is taken for a time, whatever else it may count."""
_OTHER_SCALE = 500
"""Units are a thousand apart; real times that differ by so much do not occur in one column."""
_AHEAD_S = 86_400


def middle(versions: pa.ChunkedArray) -> int | None:
    """The median, which a few placeholders cannot move; None where there are no versions."""
    found = pc.approximate_median(versions).as_py()
    return None if found is None else int(found)


def count_ahead(versions: pa.ChunkedArray, now_s: float) -> int:
    """How many versions are times more than a day after `now_s`; 0 where they are no times."""
    unit = _unit(middle(versions))
    if unit is None:
        return 0
    limit = pa.scalar(int((now_s + _AHEAD_S) * _PER_SECOND[unit]), pa.int64())
    return int(pc.sum(pc.greater(versions, limit), min_count=0).as_py())


def other_scale(before: int | None, now: int | None, column: str) -> MappingError | None:
    """What is wrong when times have become smaller numbers: every row would count as older.

    `before` and `now` are medians of the last run and of this one.
    """
    unit = _unit(before)
    if before is None or now is None or unit is None or not 0 < now < before / _OTHER_SCALE:
        return None
    return MappingError(
        f"The version column {column!r} held {unit} since 1970 in the last run, about "
        f"{before:.1e}, and now holds {_unit(now) or 'numbers'}, about {now:.1e}: every row would "
        "count as older than what Bunce has. Nothing was sent.",
        remedy="Give the version as before, such as a timestamp. To go over to the new numbers, "
        "run: dlt-bunce account forget-versions",
    )


def _unit(median: int | None) -> str | None:
    for unit, factor in _PER_SECOND.items():
        if median is not None and _SINCE_S * factor <= median < _UNTIL_S * factor:
            return unit
    return None
