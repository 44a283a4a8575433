"""The version column, which orders the states of a customer."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.errors import MappingError
from dlt_bunce.records.column import any_true
from dlt_bunce.records.text import flat, read_text, shapes

_INTEGER = r"^[+-]?[0-9]{1,19}$"
_ZONED = r"[Tt ][0-9]{2}.*(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)$"
_PLACEHOLDER = (
    r"(?i)^(?:0000-00-00(?:[T ]00:00:00(?:\.0+)?)?|NULL|\\N|[+-]?infinity|NaT|NaN|None|N/A|-)$"
)
_SHOWN = 40
"""Maximum characters of a sample's shape in a message."""
_BLANK = pa.scalar(None, pa.string())
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECONDS = pa.timestamp("us")


def read_versions(
    array: pa.Array, column: str, date_format: str | None = None
) -> tuple[pa.Array, int]:
    """Return versions (int64, larger is newer, null for null) and the number of unreadable cells.

    Timestamps and dates become microseconds since 1970 UTC (UTC is assumed without a zone),
    integers are kept, text is read as ISO 8601 or whole numbers, or by the strptime format
    `date_format`. Placeholders (0000-00-00, NULL, NaT, infinity) are null, and so are text cells
    that cannot be read. Raises MappingError, naming `column`, if at least half of the cells cannot
    be read, and for columns of other types: partly understood versions would let old content win.
    """
    array = flat(array)
    kind = array.type
    try:
        if pa.types.is_null(kind) or pa.types.is_integer(kind):
            return array.cast(pa.int64()), 0
        if pa.types.is_decimal(kind):
            return array.cast(pa.decimal256(76, max(kind.scale, 0))).cast(pa.int64()), 0
        if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
            return _to_microseconds(array, kind), 0
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise _unreadable_column(column, f"type {kind}") from None
    text = read_text(array)
    if any_true(text.invalid):
        raise _unreadable_column(column, f"type {kind}")
    present = pc.if_else(pc.match_substring_regex(text.values, _PLACEHOLDER), _BLANK, text.values)
    versions = _from_text(present, date_format)
    unreadable = pc.and_(pc.is_null(versions), pc.is_valid(present)).true_count
    if unreadable and 2 * unreadable >= len(present) - present.null_count:
        sample = present.filter(pc.and_(pc.is_null(versions), pc.is_valid(present))).slice(0, 1)
        shown = pc.utf8_slice_codeunits(shapes(sample), 0, _SHOWN)[0]
        raise _unreadable_column(column, f"such as {shown}")
    return versions, unreadable


def _unreadable_column(column: str, found: str) -> MappingError:
    return MappingError(
        f"The version column {column!r} ({found}) must contain only timestamps, dates, or whole "
        "numbers.",
        remedy="Map another column to version, cast this one to ISO 8601 (9999-99-99T99:99:99Z) "
        'at the source, or specify its format: version_format = "%d/%m/%Y" in the configuration, '
        "--date-format %d/%m/%Y on the command line.",
    )


def _to_microseconds(array: pa.Array, kind: pa.DataType) -> pa.Array:
    zone = getattr(kind, "tz", None)
    # unsafe for nanoseconds, which lose three digits; everything else must fit
    return array.cast(pa.timestamp("us", zone), safe=getattr(kind, "unit", "") != "ns").cast(
        pa.int64()
    )


def _from_text(text: pa.Array, date_format: str | None) -> pa.Array:
    """Return versions; null for texts that are not of the kind (number or time) of the majority."""
    if date_format is not None:
        encoded = text.dictionary_encode()
        times = [_time_of(cell, date_format) for cell in encoded.dictionary.to_pylist()]
        return pa.array(times, pa.int64()).take(encoded.indices)
    present = text.drop_null()
    numbers = pc.match_substring_regex(present, _INTEGER).true_count
    try:
        if numbers == len(present):
            return _integers(text)
        if not numbers:
            return _iso(text)
    except pa.ArrowInvalid:
        pass
    encoded = text.dictionary_encode()
    cells = [_parse_cell(cell) for cell in encoded.dictionary.to_pylist()]
    wanted = "number" if 2 * numbers > len(present) else "time"
    versions = [version if kind == wanted else None for kind, version in cells]
    return pa.array(versions, pa.int64()).take(encoded.indices)


def _time_of(text: str, date_format: str) -> int | None:
    # not Arrow's strptime: it supports neither fractions nor zones, and some formats crash it
    try:
        time = datetime.strptime(text, date_format)  # noqa: DTZ007, without a zone it is UTC
    except ValueError:
        return None
    return (time.replace(tzinfo=time.tzinfo or timezone.utc) - _EPOCH) // timedelta(microseconds=1)


def _parse_cell(text: str) -> tuple[str, int | None]:
    cell = pa.array([text])
    is_number = pc.match_substring_regex(cell, _INTEGER)[0].as_py()
    try:
        if is_number:
            return "number", _integers(cell)[0].as_py()
        return "time", _iso(cell)[0].as_py()
    except pa.ArrowInvalid:
        return "neither", None


def _integers(text: pa.Array) -> pa.Array:
    return pc.replace_substring_regex(text, r"^\+", "").cast(pa.int64())


def _iso(text: pa.Array) -> pa.Array:
    short = pc.replace_substring_regex(text, r"(\.[0-9]{6})[0-9]+", r"\1")
    zoned = pc.fill_null(pc.match_substring_regex(short, _ZONED), False)
    with_zone = pc.if_else(zoned, short, _BLANK).cast(pa.timestamp("us", "UTC"))
    without = pc.if_else(zoned, _BLANK, short).cast(_MICROSECONDS)
    return pc.coalesce(with_zone.cast(pa.int64()), without.cast(pa.int64()))
