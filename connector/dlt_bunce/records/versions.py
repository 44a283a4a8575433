"""The version column: what makes one state of a customer newer than another."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.errors import MappingError
from dlt_bunce.records.column import any_true
from dlt_bunce.records.text import flat, read_text

_INTEGER = r"^[+-]?[0-9]{1,19}$"
_ZONED = r"[Tt ][0-9]{2}.*(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)$"
_MICROSECONDS = pa.timestamp("us")


def read_versions(array: pa.Array, column: str) -> pa.Array:
    """int64, null for null: the larger the newer.

    Timestamps and dates in microseconds since 1970 UTC (without a zone they are UTC), integers as
    they are, text if all of it is ISO 8601 or all of it whole numbers. Raises MappingError, naming
    `column`, for anything else: half-understood versions would let old content win.
    """
    array = flat(array)
    kind = array.type
    try:
        if pa.types.is_null(kind) or pa.types.is_integer(kind):
            return array.cast(pa.int64())
        if pa.types.is_decimal(kind):
            return array.cast(pa.decimal256(76, max(kind.scale, 0))).cast(pa.int64())
        if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
            return _micros(array, kind)
        text = read_text(array)
        if not any_true(text.invalid):
            return _from_text(text.values)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        pass
    raise MappingError(
        f"The version column {column!r} (type {kind}) does not hold timestamps, dates, or whole "
        "numbers throughout.",
        remedy="Name another column as version, or cast this one at the source.",
    )


def _micros(array: pa.Array, kind: pa.DataType) -> pa.Array:
    zone = getattr(kind, "tz", None)
    # nanoseconds lose three digits here; everything else must fit
    return array.cast(pa.timestamp("us", zone), safe=getattr(kind, "unit", "") != "ns").cast(
        pa.int64()
    )


def _from_text(text: pa.Array) -> pa.Array:
    present = text.drop_null()
    if pc.match_substring_regex(present, _INTEGER).true_count == len(present):
        return pc.replace_substring_regex(text, r"^\+", "").cast(pa.int64())
    short = pc.replace_substring_regex(text, r"(\.[0-9]{6})[0-9]+", r"\1")
    zoned = pc.fill_null(pc.match_substring_regex(short, _ZONED), False)
    blank = pa.scalar(None, pa.string())
    with_zone = pc.if_else(zoned, short, blank).cast(pa.timestamp("us", "UTC"))
    without = pc.if_else(zoned, blank, short).cast(_MICROSECONDS)
    return pc.coalesce(with_zone.cast(pa.int64()), without.cast(pa.int64()))
