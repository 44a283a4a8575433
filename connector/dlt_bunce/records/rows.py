"""Conversion of Python rows to Arrow tables, and to JSON and back without loss."""

from __future__ import annotations

import base64
import contextlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pyarrow as pa
import simplejson

from dlt_bunce.records.mapping.schema import VARIANT

_PRECISION, _SCALE = 38, 9
_AS_TEXT = (dict, list, UUID, time)


def encode(row: dict[str, Any]) -> str:
    """Return a source row as JSON text: decimals as numbers, times in ISO 8601, bytes in base64."""
    return simplejson.dumps(
        row,
        use_decimal=True,
        default=_plain,
        ensure_ascii=False,
        ignore_nan=True,
        # without an encoding, bytes are passed to _plain
        encoding=None,
    )


def decode(text: str) -> dict[str, Any]:
    """Return the row that `encode` wrote; whole numbers of any size stay exact."""
    row: dict[str, Any] = simplejson.loads(text, parse_float=_number)
    return row


def arrow_table(rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Return rows as a table with a column for every key of any row."""
    names = dict.fromkeys(name for row in rows for name in row)
    return pa.table({name: _array([row.get(name) for row in rows]) for name in names})


def arrow_tables(
    names: Sequence[str],
    parts: Iterable[Sequence[Sequence[Any]]],
    kinds: Mapping[str, pa.DataType] = MappingProxyType({}),
) -> Iterator[pa.Table]:
    """Yield parts of a database result as tables, as `typed_table` makes them."""
    known = dict(kinds)
    for part in parts:
        yield typed_table(dict(zip(names, zip(*part, strict=True), strict=True)), known)


def typed_table(columns: Mapping[str, Sequence[Any]], kinds: dict[str, pa.DataType]) -> pa.Table:
    """Return columns of Python values as a table in which each has its type of `kinds`.

    A column that is not in `kinds` gets the type of its values, and is added: text if all are null;
    decimals keep at least nine digits after the point, objects and lists become JSON text. A value
    that does not fit becomes text in a variant column, as in dlt.
    """
    table: dict[str, pa.Array] = {}
    for name, values in columns.items():
        table |= _typed_columns(name, values, kinds)
    return pa.table(table)


def _typed_columns(
    name: str, values: Sequence[Any], kinds: dict[str, pa.DataType]
) -> dict[str, pa.Array]:
    """Return a column in its known type and, if some values do not fit, a text variant column."""
    nested = any(isinstance(value, _AS_TEXT) and _is_text(value) for value in values)
    array = _texts(values) if nested else _array(values)
    if name not in kinds:
        array, kinds[name] = _stable_type(array, values)
    kind = kinds[name]
    try:
        return {name: array.cast(kind)}
    except pa.ArrowException:
        fitting = [value if _fits(value, kind) else None for value in values]
        misfits = [
            None if value is None or fits is not None else _text(value)
            for value, fits in zip(values, fitting, strict=True)
        ]
        variant = f"{name}{VARIANT}text"
        return {name: pa.array(fitting, kind), variant: pa.array(misfits, pa.string())}


def _stable_type(array: pa.Array, values: Sequence[Any]) -> tuple[pa.Array, pa.DataType]:
    """Return a column in a type that later parts can have, too."""
    if pa.types.is_null(array.type):
        return array, pa.string()
    if pa.types.is_decimal(array.type):
        kind = pa.decimal128(_PRECISION, max(array.type.scale, _SCALE))
        try:
            return array.cast(kind), kind
        except pa.ArrowException:
            return _texts(values), pa.string()
    return array, array.type


def _fits(value: Any, kind: pa.DataType) -> bool:
    try:
        pa.scalar(value, kind)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return False
    return True


def _is_text(value: Any) -> bool:
    """Return whether an object, a list, or a time becomes text: Arrow's times have no zone."""
    return not isinstance(value, time) or value.tzinfo is not None


def _array(values: Sequence[Any]) -> pa.Array:
    failures = (pa.ArrowException, TypeError, ValueError, OverflowError)
    with contextlib.suppress(*failures):
        return pa.array(values)
    with contextlib.suppress(*failures):  # Arrow's decimals are all numbers
        return pa.array(_without_nan(values))
    # values of several types, or of one that Arrow does not know, lose nothing as text
    return _texts(values)


def _without_nan(values: Sequence[Any]) -> list[Any]:
    """Return values in which decimals that are not numbers are null."""
    return [None if isinstance(v, Decimal) and v.is_nan() else v for v in values]


def _texts(values: Sequence[Any]) -> pa.Array:
    return pa.array([None if value is None else _text(value) for value in values], pa.string())


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Decimal):
        return format(value, "f")
    text = simplejson.dumps(
        value, use_decimal=True, default=_plain, ensure_ascii=False, encoding=None, allow_nan=True
    )
    return str(simplejson.loads(text)) if text.startswith('"') else text


def _number(text: str) -> int | float | Decimal:
    # 12.00 was a decimal or a whole float; both mean 12
    value = Decimal(text)
    if not value.is_finite():
        return math.nan
    if value == value.to_integral_value() and abs(value) < 2**63:
        return int(value)
    number = float(text)
    # a decimal may have more digits than a float
    return number if Decimal(repr(number)) == value else value


def _plain(value: Any) -> Any:
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return {"base64": base64.b64encode(value).decode()}
    return str(value)
