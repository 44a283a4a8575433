"""Values that Python has no column for, as text that loses nothing of them."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from numbers import Integral, Real
from typing import Any

import pyarrow as pa

from dlt_bunce.records.text.not_text import NOT_TEXT

TEXT, NUMBER, TIMESTAMP = "text", "decimal", "timestamp"
"""Types of columns, as dlt names them."""
NULL = "null"
"""Instead of a type, of a column without any value."""
BYTES = frozenset({bytes, bytearray, memoryview})
"""Types of bytes, which are text if they are UTF-8; not the one that dlt writes in hexadecimal."""
_NOTHING = frozenset({"NAType", "NaTType"})
_TRUTHS = frozenset({"bool", "bool_"})
"""What NumPy calls its truth values, which are none of Python's."""
_DAY_US = 86_400_000_000
_JSON: Any = {"sort_keys": True, "separators": (",", ":")}


def value_text(value: Any) -> str | None:
    """Return a value of a row in a dict as text that `read_values` reads like the value of an Arrow
    column; None for a null.

    A timestamp keeps its moment, or the lack of a time zone, and a number all of its digits.
    """
    if value is None or type(value).__name__ in _NOTHING:
        return None
    for kind, text in _BY_TYPE:
        if isinstance(value, kind):
            return text(value)
    plain = python_number(value)
    return str(value) if plain is value else value_text(plain)


def writable(value: Any) -> Any:
    """Return a value of a type that dlt cannot write as JSON, of those that databases have, in a
    type that it can.
    """
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    if isinstance(value, timedelta | IPv4Address | IPv6Address | IPv4Network | IPv6Network):
        return value_text(value)
    return value


def json_text(value: Any) -> str:
    """Return an object or a list as JSON with sorted keys, without nulls in objects. What is not a
    number is null.
    """
    filled = _without_nulls(value)
    text = json.dumps(filled, ensure_ascii=False, default=_in_json, **_JSON)
    if _is_text(text):
        return text
    # half of a character, as JSON may escape it, is no text
    return json.dumps(filled, default=_in_json, **_JSON)


def value_type(value: Any) -> str:
    """Return the type that a column of such values, of rows in dicts, would have as a table."""
    value = python_number(value)
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return NUMBER
    if isinstance(value, date):
        return TIMESTAMP
    return NULL if type(value).__name__ in _NOTHING else TEXT


def types_in(
    rows: Sequence[Mapping[str, Any]], names: Iterable[str], known: Mapping[str, str]
) -> dict[str, str]:
    """Return the types of columns' values, of these rows and earlier ones, whose types are `known`;
    text if they have several, and NULL if there are no values.
    """
    found: dict[str, str] = {}
    for name in names:
        earlier = known.get(name)
        if earlier == TEXT:
            continue
        types = {value_type(value) for row in rows if (value := row.get(name)) is not None}
        types = types.union([earlier or NULL]) - {NULL}
        found[name] = (types.pop() if len(types) == 1 else TEXT) if types else NULL
    return found


def duration_text(microseconds: int, *, months: int = 0) -> str:
    """Return a duration in ISO 8601, such as P1DT2H3M4.5S; a day has 24 hours."""
    sign = "-" if microseconds < 0 and not months else ""
    each = "-" if microseconds < 0 and months else ""
    days, rest = divmod(abs(microseconds), _DAY_US)
    hours, rest = divmod(rest, 3_600_000_000)
    minutes, rest = divmod(rest, 60_000_000)
    seconds = _trimmed(f"{rest // 1_000_000}.{rest % 1_000_000:06d}")
    parts = [("M", months, ""), ("D", days, each)]
    clock = [("H", str(hours)), ("M", str(minutes)), ("S", seconds)]
    day = "".join(f"{minus}{number}{unit}" for unit, number, minus in parts if number)
    of_day = "".join(f"{each}{number}{unit}" for unit, number in clock if number != "0")
    if not day and not of_day:
        return "PT0S"
    return f"{sign}P{day}{'T' if of_day else ''}{of_day}"


def duration_texts(array: Any) -> pa.Array:
    """Return a column of durations or intervals as text."""
    if pa.types.is_duration(array.type):
        units = {"s": (1_000_000, 1), "ms": (1_000, 1), "us": (1, 1), "ns": (1, 1_000)}
        times, by = units[array.type.unit]
        counts = array.cast(pa.int64()).to_pylist()
        texts = [None if n is None else duration_text(n * times // by) for n in counts]
    else:
        texts = [
            None
            if part is None
            else duration_text(part.days * _DAY_US + part.nanoseconds // 1_000, months=part.months)
            for part in array.to_pylist()
        ]
    return pa.array(texts, pa.string())


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        items = ((str(key), _without_nulls(item)) for key, item in value.items())
        return {key: item for key, item in items if item is not None}
    if isinstance(value, list | tuple):
        return [_without_nulls(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _in_json(value: Any) -> Any:
    plain = python_number(value)
    return value_text(value) if plain is value else plain


def python_number(value: Any) -> Any:
    """Return a number or a truth value of another library, such as NumPy, as one of Python's, in
    the digits that it shows: 0.1 of single precision is 0.1. Anything else is returned as it is.
    """
    if type(value).__name__ in _TRUTHS:
        return bool(value)
    if isinstance(value, Integral) and not isinstance(value, int):
        return int(value)
    if isinstance(value, float) and type(value) is not float:
        return float(value)
    if isinstance(value, Real) and not isinstance(value, int | float):
        with contextlib.suppress(ValueError):  # a fraction, say
            return float(str(value))
    return value


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _number(value: Decimal) -> str | None:
    if value.is_nan():
        return None
    if value.is_infinite():
        return "Infinity" if value > 0 else "-Infinity"
    return _trimmed(format(value, "f")) if value else "0"


def _trimmed(text: str) -> str:
    """Return a number, or a time, without closing zeros of its fraction."""
    return text.rstrip("0").rstrip(".") if "." in text else text


def _moment(value: datetime) -> str:
    if value.tzinfo is None:
        return value.isoformat(timespec="seconds")
    try:
        utc = value.astimezone(timezone.utc)
    except OverflowError:  # its year in UTC is not one of Python's
        return value.isoformat()
    return utc.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def _decoded(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return NOT_TEXT


def _time(value: time) -> str:
    text = value.replace(tzinfo=None).isoformat()
    return _trimmed(text) + value.isoformat()[len(text) :]


def _truth(value: Any) -> str:
    return "true" if value else "false"


def _float(value: Any) -> str | None:
    return _number(Decimal(str(value)))


# of two types of which one contains the other, the narrower first
_BY_TYPE: tuple[tuple[Any, Callable[[Any], str | None]], ...] = (
    (Enum, lambda value: value_text(value.value)),
    (bool, _truth),
    (float, _float),
    (Decimal, _number),
    (datetime, _moment),
    (timedelta, lambda value: duration_text(value // timedelta(microseconds=1))),
    (time, _time),
    (date, date.isoformat),
    (bytes | bytearray | memoryview, lambda value: _decoded(bytes(value))),
    (dict | list | tuple, json_text),
)
