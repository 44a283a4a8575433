"""A source row as JSON and back, so that a dead letter can be replayed with nothing lost."""

from __future__ import annotations

import base64
import math
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import simplejson


def encode(row: dict[str, Any]) -> str:
    """One source row as JSON text: decimals as numbers, times in ISO-8601, bytes in base64."""
    return simplejson.dumps(
        row, use_decimal=True, default=_plain, ensure_ascii=False, ignore_nan=True
    )


def decode(text: str) -> dict[str, Any]:
    """The row of `encode`; whole numbers stay exact, whatever their size."""
    row: dict[str, Any] = simplejson.loads(text, parse_float=_number)
    return row


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
