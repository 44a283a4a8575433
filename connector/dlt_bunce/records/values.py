"""Attribute values as Bunce takes them: text in the form that the attribute's type asks for.

Equal values have equal text, whichever source they come from.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.errors import ConfigurationError
from dlt_bunce.records.column import Column, any_true
from dlt_bunce.records.text import as_json, flat, is_text, read_text

MAX_LENGTH = 10_000
"""Characters of a value: so that a single one never makes a request too large."""
_TEXT = pa.string()
_NULL = pa.scalar(None, _TEXT)
_PLAIN_NUMBER = r"^(0|-?[1-9]\d*|-?(0|[1-9]\d*)\.\d*[1-9])$"
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2})?")
_MOMENT = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d)?(?:\.\d+)?\s?(Z|z|[+-]\d\d(?::?\d\d)?)?)?"
)
_FORM_LENGTH = len("YYYY-MM-DDTHH:MM:SSZ")
NO_ZONE = "a timestamp without a time zone, and no timezone is set"
"""The reason of a timestamp that could be sent if `timezone` were set."""


@dataclass(frozen=True)
class Values:
    """The values of one attribute for every row.

    `texts`: string, null if blank or invalid. `codes`: string, null unless invalid: a code of
    VALUE_CODES. `reasons`: string, null unless invalid; describes the value without quoting it.
    """

    texts: pa.Array
    codes: pa.Array
    reasons: pa.Array

    @property
    def invalid(self) -> pa.Array:
        """A boolean per row."""
        return pc.is_valid(self.codes)

    def take(self, rows: pa.Array) -> Values:
        """Return the values of some rows."""
        return Values(self.texts.take(rows), self.codes.take(rows), self.reasons.take(rows))


def read_values(array: Any, data_type: str, timezone: str | None = None) -> Values:
    """Return the values of a column of any type, for an attribute of `data_type`.

    `timezone` (an IANA name) is that of timestamps that have none; without it, these are invalid.
    Raises ConfigurationError for a time zone that does not exist.
    """
    array = flat(array)
    if data_type == "numeric":
        column, code = _numbers(array), "invalid_number"
    elif data_type in {"timestamp", "date"}:
        column, code = _moments(array, timezone), "invalid_timestamp"
    elif data_type == "boolean":
        column, code = _booleans(array), "invalid_boolean"
    else:
        column, code = _texts(array), "invalid_text"
    codes = pc.if_else(column.invalid, pa.scalar(code), _NULL)
    lengths = pc.utf8_length(column.values)
    if (pc.max(lengths).as_py() or 0) > MAX_LENGTH:
        is_long = pc.fill_null(pc.greater(lengths, MAX_LENGTH), False)
        column = column.refuse(is_long, pa.repeat(pa.scalar(_too_long()), len(array)))
        codes = pc.if_else(is_long, pa.scalar("too_long"), codes)
    return Values(column.values, codes, column.reason)


def refuse_unknown_timezone(timezone: str) -> None:
    """Raise ConfigurationError for a time zone that does not exist."""
    _in_zone(pa.array([0], pa.timestamp("s")), timezone)


def _too_long() -> str:
    return f"longer than {MAX_LENGTH:,} characters"


def _numbers(array: pa.Array) -> Column:
    kind = array.type
    if pa.types.is_null(kind) or pa.types.is_integer(kind):
        return Column.of(array.cast(_TEXT))
    if pa.types.is_decimal(kind):
        return Column.of(_plain(array.cast(_TEXT)))
    if pa.types.is_floating(kind):
        wide = array if kind.bit_width > 16 else array.cast(pa.float32())
        # what is not a number is what pandas has for null
        present = pc.if_else(pc.is_nan(wide), pa.scalar(None, wide.type), wide)
        finite = pc.fill_null(pc.is_finite(present), True)
        texts = _plain(pc.if_else(finite, present, pa.scalar(None, wide.type)).cast(_TEXT))
        reasons = pa.repeat(pa.scalar("an infinite number"), len(array))
        return Column.of(texts).refuse(pc.invert(finite), reasons)
    if _is_date_like(kind) or pa.types.is_boolean(kind):
        return Column.refused(
            array.cast(_TEXT), pc.is_valid(array), f"the column is of type {kind}"
        )
    column = read_text(array)
    return column.judge(pc.match_substring_regex(column.values, _PLAIN_NUMBER), _judge_number)


def _wrong_type(kind: Any) -> str:
    return f"the column is of type {kind}"


def _judge_number(text: str) -> tuple[str | None, str | None]:
    if _NUMBER.fullmatch(text) is None:
        return None, "not a number in digits with a decimal point"
    return _plain_number(text), None


def _plain(texts: pa.Array) -> pa.Array:
    """Return texts of numbers without exponent, closing zeros, or the sign of a zero."""
    odd = pc.fill_null(pc.match_substring_regex(texts, r"[eE]|^-0\.?0*$"), False)
    has_point = pc.match_substring(texts, ".")
    trimmed = pc.ascii_rtrim(pc.ascii_rtrim(texts, "0"), ".")
    plain = pc.if_else(has_point, trimmed, texts)
    if not any_true(odd):
        return plain
    exact = [_plain_number(text) for text in texts.filter(odd).to_pylist()]
    return pc.replace_with_mask(plain, odd, pa.array(exact, _TEXT))


def _plain_number(text: str) -> str:
    plain = format(Decimal(text), "f")
    if "." in plain:
        plain = plain.rstrip("0").rstrip(".")
    bare = plain.lstrip("+-").lstrip("0")
    bare = f"0{bare}" if not bare or bare.startswith(".") else bare
    return f"-{bare}" if plain.startswith("-") and bare != "0" else bare


def _moments(array: pa.Array, timezone: str | None) -> Column:
    kind = array.type
    if pa.types.is_null(kind):
        return Column.of(array.cast(_TEXT))
    if pa.types.is_date(kind):
        return _of_four_digits(_in_form(array.cast(pa.timestamp("s"))))
    if pa.types.is_timestamp(kind):
        if kind.tz is None and timezone is None:
            return Column.refused(array.cast(_TEXT), pc.is_valid(array), NO_ZONE)
        aware = _in_zone(array, timezone) if kind.tz is None else array
        return _of_four_digits(_in_form(aware.cast(pa.timestamp(kind.unit))))
    if not is_text(kind):
        return Column.refused(as_json(array), pc.is_valid(array), _wrong_type(kind))
    return _moments_in_text(read_text(array), timezone)


def _of_four_digits(texts: pa.Array) -> Column:
    """Refuse years that the form has no room for."""
    odd = pc.not_equal(pc.binary_length(texts), _FORM_LENGTH)
    reasons = pa.repeat(pa.scalar("a year that does not have four digits"), len(texts))
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
    texts = _in_form(pc.subtract(moments, shift))
    reasons = [
        reason or (None if text is not None else "no such date or time")
        for reason, text in zip(reasons, texts.to_pylist(), strict=True)
    ]
    judged, why = texts.take(encoded.indices), pa.array(reasons, _TEXT).take(encoded.indices)
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
        moments = pc.floor_temporal(moments, unit="second").cast(pa.timestamp("s"), safe=False)
    texts = moments.cast(_TEXT)
    texts = pc.binary_replace_slice(texts, 10, 11, "T")
    return pc.binary_join_element_wise(texts, "Z", "")


def _booleans(array: pa.Array) -> Column:
    kind = array.type
    if pa.types.is_null(kind) or pa.types.is_boolean(kind):
        return Column.of(array.cast(_TEXT))
    if pa.types.is_integer(kind):
        column = Column.of(array.cast(_TEXT))
    elif is_text(kind):
        column = read_text(array)
    else:
        return Column.refused(as_json(array), pc.is_valid(array), _wrong_type(kind))
    return column.judge(pc.is_in(column.values, pa.array(["true", "false"])), _judge_boolean)


def _judge_boolean(text: str) -> tuple[str | None, str | None]:
    for value, words in (("true", _TRUE), ("false", _FALSE)):
        if text.casefold() in words:
            return value, None
    return None, "neither true nor false"


_TRUE = frozenset({"true", "t", "yes", "y", "1"})
_FALSE = frozenset({"false", "f", "no", "n", "0"})


def _texts(array: pa.Array) -> Column:
    kind = array.type
    if pa.types.is_null(kind) or pa.types.is_boolean(kind):
        return Column.of(array.cast(_TEXT))
    if pa.types.is_integer(kind) or pa.types.is_decimal(kind) or pa.types.is_floating(kind):
        return _numbers(array)
    if pa.types.is_timestamp(kind):
        # a text need not be in UTC: what has no zone is left without one
        texts = _in_form(array.cast(pa.timestamp(kind.unit)))
        return Column.of(texts if kind.tz else pc.utf8_rtrim(texts, "Z"))
    if _is_date_like(kind):
        return Column.of(array.cast(_TEXT))
    if is_text(kind):
        return read_text(array)
    return Column.of(as_json(array))


def _is_date_like(kind: Any) -> bool:
    types = pa.types
    return any(test(kind) for test in (types.is_timestamp, types.is_date, types.is_time))
