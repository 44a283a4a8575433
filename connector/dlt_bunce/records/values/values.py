"""Attribute values as Bunce takes them: text in the form that the attribute's type asks for.

Equal values have equal text, whichever source they come from.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.records.text.column import Column, any_true
from dlt_bunce.records.text.not_text import NOT_TEXT, NOT_UTF8
from dlt_bunce.records.text.python_values import has_python_value
from dlt_bunce.records.text.single_precision import as_shown, has_single
from dlt_bunce.records.text.text import count_at_most, flat, is_text, read_text
from dlt_bunce.records.text.value_texts import json_text
from dlt_bunce.records.values.value_moments import moment_texts, read_moments, wrong_type

MAX_LENGTH = 10_000
"""Characters of a value: so that a single one never makes a request too large."""
_TEXT = pa.string()
_NULL = pa.scalar(None, _TEXT)
_PLAIN_NUMBER = r"^(0|-?[1-9]\d*|-?(0|[1-9]\d*)\.\d*[1-9])$"
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2})?")
_INFINITY = "Infinity"
_NO_TEXT = "a part of it has no text, such as a date out of range"


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
        column, code = read_moments(array, timezone), "invalid_timestamp"
    elif data_type == "boolean":
        column, code = _booleans(array), "invalid_boolean"
    else:
        column, code = _texts(array), "invalid_text"
    codes = pa.nulls(len(array), _TEXT)
    if any_true(column.invalid):
        codes = pc.if_else(column.invalid, pa.scalar(code), _NULL)
    if (pc.max(pc.binary_length(column.values)).as_py() or 0) > MAX_LENGTH:
        is_long = pc.fill_null(pc.greater(pc.utf8_length(column.values), MAX_LENGTH), False)
        column = column.refuse(is_long, pa.repeat(pa.scalar(_too_long()), len(array)))
        codes = pc.if_else(is_long, pa.scalar("too_long"), codes)
    return Values(column.values, codes, column.reason)


def either(parts: Iterable[Values]) -> Values:
    """Return for each row the values of the one part in which it has any, or an invalid one."""
    first, *others = parts
    for other in others:
        first = Values(
            pc.coalesce(first.texts, other.texts),
            pc.coalesce(first.codes, other.codes),
            pc.coalesce(first.reasons, other.reasons),
        )
    return first


def _too_long() -> str:
    return f"longer than {MAX_LENGTH:,} characters"


def _numbers(array: pa.Array) -> Column:
    kind = array.type
    if pa.types.is_null(kind) or pa.types.is_integer(kind):
        return Column.of(array.cast(_TEXT))
    if pa.types.is_decimal(kind):
        return Column.of(_plain(array.cast(_TEXT)))
    if pa.types.is_floating(kind):
        texts = _float_texts(array)
        if not count_at_most(texts, _INFINITY):
            return Column.of(texts)
        is_infinite = pc.ends_with(texts, _INFINITY)
        reasons = pa.repeat(pa.scalar("an infinite number"), len(array))
        return Column.of(texts).refuse(is_infinite, reasons)
    if not is_text(kind):
        return wrong_type(array)
    column = read_text(array)
    return column.judge(pc.match_substring_regex(column.values, _PLAIN_NUMBER), _judge_number)


def _judge_number(text: str) -> tuple[str | None, str | None]:
    if _NUMBER.fullmatch(text) is None:
        return None, "not a number in digits with a decimal point"
    return _plain_number(text), None


def _float_texts(array: pa.Array) -> pa.Array:
    wide = array
    if array.type.bit_width == 16:
        # Arrow shows the digits of single precision: 0.099975586 for 0.1
        wide = pa.array(as_shown(array.to_pylist(), pa.list_(array.type)), pa.float64())
    if not pc.is_finite(wide).false_count:
        # the shortest text has no closing zeros
        return _without_exponent(wide.cast(_TEXT))
    # what is not a number is what pandas has for null
    present = pc.if_else(pc.is_nan(wide), pa.scalar(None, wide.type), wide)
    finite = pc.fill_null(pc.is_finite(present), True)
    if finite.true_count == len(finite):
        return _plain(present.cast(_TEXT))
    texts = _without_exponent(pc.if_else(finite, present, pa.scalar(0, wide.type)).cast(_TEXT))
    infinite = pc.if_else(pc.greater(present, 0), _INFINITY, f"-{_INFINITY}")
    return pc.if_else(finite, texts, infinite)


def _plain(texts: pa.Array) -> pa.Array:
    """Return texts of numbers without exponent, closing zeros, or the sign of a zero."""
    if not count_at_most(texts, "."):
        return _without_exponent(texts)
    trimmed = pc.ascii_rtrim(pc.ascii_rtrim(texts, "0"), ".")
    return _without_exponent(texts, pc.if_else(pc.match_substring(texts, "."), trimmed, texts))


def _without_exponent(texts: pa.Array, plain: pa.Array | None = None) -> pa.Array:
    """Return texts of numbers without exponent, or the sign of a zero; the others as in `plain`,
    if that is given.
    """
    plain = texts if plain is None else plain
    if not any(count_at_most(texts, part) for part in ("e", "E", "-0")):
        return plain
    odd = pc.fill_null(pc.match_substring_regex(texts, r"[eE]|^-0\.?0*$"), False)
    exact = [_plain_number(text) for text in texts.filter(odd).to_pylist()]
    return pc.replace_with_mask(plain, odd, pa.array(exact, _TEXT))


def _plain_number(text: str) -> str:
    plain = format(Decimal(text), "f")
    if "." in plain:
        plain = plain.rstrip("0").rstrip(".")
    bare = plain.lstrip("+-").lstrip("0")
    bare = f"0{bare}" if not bare or bare.startswith(".") else bare
    return f"-{bare}" if plain.startswith("-") and bare != "0" else bare


def _booleans(array: pa.Array) -> Column:
    kind = array.type
    if pa.types.is_null(kind) or pa.types.is_boolean(kind):
        return Column.of(array.cast(_TEXT))
    if _is_number(kind):
        column = _numbers(array)
    elif is_text(kind):
        column = read_text(array)
    else:
        return wrong_type(array)
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
    if pa.types.is_floating(kind):
        return Column.of(_float_texts(array))
    if _is_number(kind):
        return _numbers(array)
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind) or pa.types.is_time(kind):
        return moment_texts(array)
    if not is_text(kind):
        return _only_text(_json_texts(array))
    column = _only_text(read_text(array))
    if not any(count_at_most(column.values, part) for part in ("{", "[")):
        return column
    is_json = pc.or_(pc.starts_with(column.values, "{"), pc.starts_with(column.values, "["))
    return column.judge(pc.invert(is_json), _judge_json)


def _only_text(column: Column) -> Column:
    if not count_at_most(column.values, NOT_TEXT):
        return column
    reasons = pa.repeat(pa.scalar(NOT_UTF8), len(column.values))
    return column.refuse(pc.match_substring(column.values, NOT_TEXT), reasons)


def _json_texts(array: pa.Array) -> Column:
    """Read lists and objects as JSON; refuse one if Python has no value for a part of it."""
    try:
        objects = array.to_pylist()
    except Exception:  # noqa: BLE001, Arrow raises whatever the conversion of a value raises
        rows = [at if has_python_value(cell) else None for at, cell in enumerate(array)]
        kept = pa.array(rows, pa.int64())
        reasons = pa.repeat(pa.scalar(_NO_TEXT), len(array))
        return _json_texts(array.take(kept)).refuse(pc.is_null(kept), reasons)
    if has_single(array.type):
        objects = [as_shown(value, array.type) for value in objects]
    return Column.of(pa.array([None if o is None else json_text(o) for o in objects], _TEXT))


def _judge_json(text: str) -> tuple[str | None, str | None]:
    try:
        return json_text(json.loads(text)), None
    except (ValueError, RecursionError):
        return text, None  # a text that only looks like it


def _is_number(kind: Any) -> bool:
    types = pa.types
    return any(test(kind) for test in (types.is_integer, types.is_decimal, types.is_floating))
