"""The version column, which orders the states of a customer."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.errors import MappingError
from dlt_bunce.records.text.column import any_true
from dlt_bunce.records.text.text import flat, read_text, shapes

_INTEGER = r"^[+-]?[0-9]{1,19}$"
_ZONED = r"[Tt ][0-9]{2}.*(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)$"
_PLACEHOLDER = (
    r"(?i)^(?:0000-00-00(?:[T ]00:00:00(?:\.0+)?)?|NULL|\\N|[+-]?infinity|NaT|NaN|None|N/A|-)$"
)
_SHOWN = 40
"""Maximum characters of a sample's shape in a message."""
_FARTHEST_DAY = 106_751_991
"""From 1970, of which a timestamp in microseconds exists."""
_BLANK = pa.scalar(None, pa.string())
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECONDS = pa.timestamp("us")
_NO_VERSION = pa.scalar(None, pa.int64())


class Versions(NamedTuple):
    """Versions (int64, larger is newer), null where a cell has none or cannot be read; which of
    them are times, not numbers; and which cells are not blank.
    """

    values: pa.Array
    are_times: pa.Array
    present: pa.Array


def read_versions(
    array: pa.Array, column: str, date_format: str | None = None
) -> tuple[pa.Array, int]:
    """Return versions (int64, larger is newer, null for null) and the number of unreadable cells.

    Cells are read as by `read_cells`; text cells that are not of the sort (number or time) of the
    majority are unreadable. Raises MappingError, naming `column`, if at least half of the cells
    cannot be read, and for columns of other types: partly understood versions would let old content
    win.
    """
    versions, are_times, present = read_cells(array, column, date_format)
    if any_true(are_times) and any_true(pc.invert(are_times)):
        numbers = pc.and_(present, pc.invert(are_times)).true_count
        wanted = are_times if 2 * numbers <= present.true_count else pc.invert(are_times)
        versions = pc.if_else(wanted, versions, _NO_VERSION)
    bad = pc.and_(pc.is_null(versions), present)
    unreadable = bad.true_count
    if unreadable and 2 * unreadable >= present.true_count:
        shown = pc.utf8_slice_codeunits(shapes(text_of(array).filter(bad).slice(0, 1)), 0, _SHOWN)
        raise _unreadable_column(column, f"such as {shown[0]}")
    return versions, unreadable


def read_cells(array: pa.Array, column: str, date_format: str | None = None) -> Versions:
    """Read each cell for itself.

    Timestamps and dates become microseconds since 1970 UTC (UTC is assumed without a zone),
    integers are kept, text is read as ISO 8601 or whole numbers, or by the strptime format
    `date_format`. Placeholders (0000-00-00, NULL, NaT, infinity) are null, and so are text cells
    that cannot be read. Raises MappingError, naming `column`, for columns of other types.
    """
    array = flat(array)
    kind = array.type
    try:
        if pa.types.is_null(kind) or pa.types.is_integer(kind):
            return _all(array.cast(pa.int64()), are_times=False)
        if pa.types.is_decimal(kind):
            whole = array.cast(pa.decimal256(76, max(kind.scale, 0))).cast(pa.int64())
            return _all(whole, are_times=False)
        if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
            return _all(_to_microseconds(array, kind), are_times=True)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise _unreadable_column(column, f"type {kind}") from None
    text = read_text(array)
    if any_true(text.invalid):
        raise _unreadable_column(column, f"type {kind}")
    return _from_text(_without_placeholders(text.values), date_format)


def text_of(array: pa.Array) -> pa.Array:
    """Return the cells of a text column, without blank ones and placeholders."""
    return _without_placeholders(read_text(flat(array)).values)


def _without_placeholders(text: pa.Array) -> pa.Array:
    return pc.if_else(pc.match_substring_regex(text, _PLACEHOLDER), _BLANK, text)


def _all(versions: pa.Array, *, are_times: bool) -> Versions:
    sort = pa.repeat(pa.scalar(are_times), len(versions))
    return Versions(versions, sort, pc.is_valid(versions))


def _unreadable_column(column: str, found: str) -> MappingError:
    return MappingError(
        f"The version column {column!r} ({found}) must contain only timestamps, dates, or whole "
        "numbers.",
        remedy="Map another column to version, cast this one to ISO 8601 (9999-99-99T99:99:99Z) "
        'at the source, or specify its format: version_format = "%d/%m/%Y" in the configuration, '
        "--date-format %d/%m/%Y on the command line.",
    )


def _to_microseconds(array: pa.Array, kind: pa.DataType) -> pa.Array:
    if pa.types.is_date(kind):
        # a day too far away for a timestamp is a placeholder: DuckDB's infinity, say
        days = array.cast(pa.date32()).view(pa.int32())
        is_near = pc.less_equal(pc.abs(days.cast(pa.int64())), _FARTHEST_DAY)
        array = pc.if_else(is_near, array, pa.scalar(None, kind))
    zone = getattr(kind, "tz", None)
    # unsafe for nanoseconds, which lose three digits; everything else must fit
    return array.cast(pa.timestamp("us", zone), safe=getattr(kind, "unit", "") != "ns").cast(
        pa.int64()
    )


def _from_text(text: pa.Array, date_format: str | None) -> Versions:
    if date_format is not None:
        encoded = text.dictionary_encode()
        times = [_time_of(cell, date_format) for cell in encoded.dictionary.to_pylist()]
        versions = pa.array(times, pa.int64()).take(encoded.indices)
        return _all(versions, are_times=True)._replace(present=pc.is_valid(text))
    numbers = pc.fill_null(pc.match_substring_regex(text, _INTEGER), False)
    count, present = numbers.true_count, len(text) - text.null_count
    try:
        if count == present:
            return _all(_integers(text), are_times=False)
        if not count:
            return _all(_iso(text), are_times=True)
    except pa.ArrowInvalid:
        pass
    encoded = text.dictionary_encode()
    cells = pa.array([_parse_cell(cell) for cell in encoded.dictionary.to_pylist()], pa.int64())
    return Versions(cells.take(encoded.indices), pc.invert(numbers), pc.is_valid(text))


def _time_of(text: str, date_format: str) -> int | None:
    # not Arrow's strptime: it supports neither fractions nor zones, and some formats crash it
    try:
        time = datetime.strptime(text, date_format)  # noqa: DTZ007, without a zone it is UTC
    except ValueError:
        return None
    return (time.replace(tzinfo=time.tzinfo or timezone.utc) - _EPOCH) // timedelta(microseconds=1)


def _parse_cell(text: str) -> int | None:
    cell = pa.array([text])
    is_number = pc.match_substring_regex(cell, _INTEGER)[0].as_py()
    try:
        version: int | None = (_integers if is_number else _iso)(cell)[0].as_py()
    except pa.ArrowInvalid:
        return None
    return version


def _integers(text: pa.Array) -> pa.Array:
    return pc.replace_substring_regex(text, r"^\+", "").cast(pa.int64())


def _iso(text: pa.Array) -> pa.Array:
    short = pc.replace_substring_regex(text, r"(\.[0-9]{6})[0-9]+", r"\1")
    zoned = pc.fill_null(pc.match_substring_regex(short, _ZONED), False)
    with_zone = pc.if_else(zoned, short, _BLANK).cast(pa.timestamp("us", "UTC"))
    without = pc.if_else(zoned, _BLANK, short).cast(_MICROSECONDS)
    return pc.coalesce(with_zone.cast(pa.int64()), without.cast(pa.int64()))
