"""Timestamps, dates, and times of attribute values, as text."""

from __future__ import annotations

import re
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.errors import ConfigurationError
from dlt_bunce.records.text.column import Column, any_true
from dlt_bunce.records.text.text import count_at_most, is_text, read_text

_TEXT = pa.string()
_MOMENT = re.compile(
    r"(\d{4}-\d\d-\d\d)"
    r"(?:[T ](\d\d:\d\d)(:\d\d)?(?:\.\d+)?\s?(Z|z|[+-](?:[01]\d|2[0-3])(?::?[0-5]\d)?)?)?",
    re.ASCII,
)
_FORM_LENGTH = len("YYYY-MM-DDTHH:MM:SSZ")
_NO_YEAR = "0000-"
NO_ZONE = "a timestamp without a time zone, and no timezone is set"
"""The reason of a timestamp that could be sent if `timezone` were set."""


def read_moments(array: pa.Array, timezone: str | None) -> Column:
    """Return moments in UTC, as Bunce takes them: YYYY-MM-DDTHH:MM:SSZ.

    `timezone` is that of moments that have none; without it, these are invalid. A date is midnight
    in UTC. Raises ConfigurationError for a time zone that does not exist.
    """
    kind = array.type
    if pa.types.is_null(kind):
        return Column.of(array.cast(_TEXT))
    if pa.types.is_date(kind):
        days = array.cast(pa.date32()).cast(_TEXT)
        return _in_range(pc.binary_join_element_wise(days, "T00:00:00Z", ""))
    if pa.types.is_timestamp(kind):
        if kind.tz is None and timezone is None:
            return Column.refused(array.cast(_TEXT), pc.is_valid(array), NO_ZONE)
        aware = _in_zone(array, timezone) if kind.tz is None else array
        return _in_range(_in_form(aware.cast(pa.timestamp(kind.unit))))
    if not is_text(kind):
        return wrong_type(array)
    return _moments_in_text(read_text(array), timezone)


def refuse_unknown_timezone(timezone: str) -> None:
    """Raise ConfigurationError for a time zone that does not exist."""
    _in_zone(pa.array([0], pa.timestamp("s")), timezone)


def moment_texts(array: pa.Array) -> Column:
    """Return timestamps, dates, and times for an attribute that takes any text.

    A timestamp is in UTC if it has a time zone, and is left as it is otherwise.
    """
    kind = array.type
    if pa.types.is_time(kind):
        texts = array.cast(_TEXT)
        fraction = pc.match_substring(texts, ".")
        return Column.of(pc.if_else(fraction, _trimmed(texts), texts))
    if pa.types.is_date(kind):
        days = array.cast(pa.date32()).cast(_TEXT)
        reasons = pa.repeat(pa.scalar("a date out of range"), len(days))
        # Arrow writes "<value out of range: …>", for DuckDB's infinity, say
        return Column.of(days).refuse(pc.starts_with(days, "<"), reasons)
    column = _in_range(_in_form(array.cast(pa.timestamp(kind.unit))))
    return column if kind.tz else column.with_values(pc.utf8_rtrim(column.values, "Z"))


def wrong_type(array: pa.Array) -> Column:
    """Return a column of a type of which no value fits."""
    texts = pa.nulls(len(array), _TEXT)
    return Column.refused(texts, pc.is_valid(array), f"the column is of type {array.type}")


def _trimmed(texts: pa.Array) -> pa.Array:
    return pc.ascii_rtrim(pc.ascii_rtrim(texts, "0"), ".")


def _in_range(texts: pa.Array) -> Column:
    """Refuse moments in other years than 0001 to 9999: the form has no room for them."""
    odd = pc.not_equal(pc.binary_length(texts), _FORM_LENGTH)
    if count_at_most(texts, _NO_YEAR):
        odd = pc.or_(odd, pc.starts_with(texts, _NO_YEAR))
    if not any_true(odd):
        return Column.of(texts)
    reasons = pa.repeat(pa.scalar("in UTC, its year is not one of 0001 to 9999"), len(texts))
    return Column.of(texts).refuse(odd, reasons)


def _moments_in_text(column: Column, timezone: str | None) -> Column:
    """Read ISO 8601, each distinct text once."""
    encoded = column.values.dictionary_encode()
    matches = [_MOMENT.fullmatch(text) for text in encoded.dictionary.to_pylist()]
    bare, zones, reasons = [], [], []
    for match in matches:
        day, minute, second, zone = match.groups() if match else (None, None, None, None)
        bare.append(f"{day} {minute or '00:00'}{second or ':00'}" if day else None)
        # a day is the same day everywhere
        zones.append("Z" if minute is None else zone and zone.upper())
        no_zone = match is not None and minute is not None and zone is None and timezone is None
        reasons.append(NO_ZONE if no_zone else None if match else "not an ISO 8601 timestamp")
    moments = _parsed(bare)
    local = pa.array([zone is None for zone in zones])
    if timezone is not None and any_true(local):
        moments = pc.if_else(local, _in_zone(moments, timezone).cast(pa.timestamp("s")), moments)
    shift = pa.array([_offset_s(zone) for zone in zones], pa.duration("s"))
    found = _in_range(_in_form(pc.subtract(moments, shift)))
    reasons = [
        reason or odd or (None if text is not None else "no such date or time")
        for reason, odd, text in zip(
            reasons, found.reason.to_pylist(), found.values.to_pylist(), strict=True
        )
    ]
    judged, why = found.values.take(encoded.indices), pa.array(reasons, _TEXT).take(encoded.indices)
    return Column(judged, column.invalid, column.reason, column.raw).refuse(pc.is_valid(why), why)


def _parsed(texts: list[str | None]) -> pa.Array:
    array = pa.array(texts, _TEXT)
    try:
        return array.cast(pa.timestamp("s"))
    except pa.ArrowInvalid:
        return pa.array([_parsed_one(text) for text in texts], pa.timestamp("s"))


def _parsed_one(text: str | None) -> Any:
    try:
        return pa.scalar(text, _TEXT).cast(pa.timestamp("s")).as_py()
    except pa.ArrowInvalid:
        return None


def _offset_s(zone: str | None) -> int:
    if zone in (None, "Z"):
        return 0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    seconds = int(digits[:2]) * 3600 + int(digits[2:]) * 60
    return -seconds if zone[0] == "-" else seconds


def _in_zone(array: pa.Array, timezone: str | None) -> pa.Array:
    try:
        return pc.assume_timezone(array, timezone, ambiguous="earliest", nonexistent="earliest")
    except pa.ArrowInvalid:
        raise ConfigurationError(
            f"timezone is {timezone!r}, which is not a time zone.",
            remedy='Use a name such as: timezone = "Africa/Lagos"',
        ) from None


def _in_form(moments: pa.Array) -> pa.Array:
    """Return moments in UTC (without a zone in their type) as YYYY-MM-DDTHH:MM:SSZ."""
    if moments.type.unit != "s":
        # a cast cuts off towards 1970, which is quicker, and wrong before it
        if (pc.min(moments.view(pa.int64())).as_py() or 0) < 0:
            moments = pc.floor_temporal(moments, unit="second")
        moments = moments.cast(pa.timestamp("s"), safe=False)
    texts = pc.binary_replace_slice(moments.cast(_TEXT), 10, 11, "T")
    # of a year that has four digits, this is the end
    return pc.binary_replace_slice(texts, _FORM_LENGTH - 1, _FORM_LENGTH - 1, "Z")
