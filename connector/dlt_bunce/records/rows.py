"""Rows of Python values: as Arrow tables, and as JSON and back with nothing lost."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow as pa
import simplejson

from dlt_bunce.errors import SourceError

_PRECISION, _SCALE = 38, 9


def encode(row: dict[str, Any]) -> str:
    """One source row as JSON text: decimals as numbers, times in ISO-8601, bytes in base64."""
    return simplejson.dumps(
        # without an encoding, bytes come to _plain
        row,
        use_decimal=True,
        default=_plain,
        ensure_ascii=False,
        ignore_nan=True,
        encoding=None,
    )


def decode(text: str) -> dict[str, Any]:
    """The row of `encode`; whole numbers stay exact, whatever their size."""
    row: dict[str, Any] = simplejson.loads(text, parse_float=_number)
    return row


def arrow_table(rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Rows as a table with a column for every key that any of them has."""
    names = dict.fromkeys(name for row in rows for name in row)
    return pa.table({name: _array([row.get(name) for row in rows]) for name in names})


def arrow_tables(
    names: Sequence[str], parts: Iterable[Sequence[Sequence[Any]]]
) -> Iterator[pa.Table]:
    """Parts of a database's answer as tables of one schema, which the first part decides.

    Columns that are null in all of the first part become text, decimals keep nine digits after
    the point or more, objects and lists are JSON text. Raises SourceError when a later value does
    not fit the type of its column.
    """
    kinds: dict[str, pa.DataType] = {}
    for part in parts:
        columns = dict(zip(names, zip(*part, strict=True), strict=True))
        yield pa.table({name: _of_kind(name, column, kinds) for name, column in columns.items()})


def _of_kind(name: str, values: Sequence[Any], kinds: dict[str, pa.DataType]) -> pa.Array:
    if any(isinstance(value, (dict, list, UUID)) for value in values):
        array = pa.array([None if value is None else _text(value) for value in values], pa.string())
    else:
        array = _array(values)
    kind = kinds.setdefault(name, _lasting(array.type))
    try:
        return array.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise SourceError(
            f"Column {name!r} is {kind} in the first rows, and {array.type} later on.",
            remedy=f"Cast it in the query, for example CAST({name} AS text).",
        ) from None


def _lasting(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_null(kind):
        return pa.string()
    if pa.types.is_decimal(kind):
        return pa.decimal128(_PRECISION, max(kind.scale, _SCALE))
    return kind


def _array(values: Sequence[Any]) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        # values of several types, or of one that Arrow does not know: texts keep what each says
        return pa.array([None if value is None else _text(value) for value in values], pa.string())


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    text = simplejson.dumps(
        value, use_decimal=True, default=_plain, ensure_ascii=False, encoding=None
    )
    return str(simplejson.loads(text)) if text.startswith('"') else text


def _number(text: str) -> int | float | Decimal:
    # 12.00 was a decimal or an integral float: both mean 12
    value = Decimal(text)
    if not value.is_finite():
        return math.nan
    return int(value) if value == value.to_integral_value() and abs(value) < 2**63 else float(text)


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
