"""Attribute values of rows in dicts, as text that loses nothing of them."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from dlt_bunce.records.text import canonical_json

_NOTHING = frozenset({"NAType", "NaTType"})


def value_text(value: Any) -> str | None:
    """Return a value as text that `read_values` reads as the value itself; None for a null.

    A timestamp keeps its offset, or the lack of one, and a number all of its digits.
    """
    if type(value).__name__ in _NOTHING or value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return None if value != value else _number(Decimal(repr(float(value))))  # noqa: PLR0124
    if isinstance(value, Decimal):
        return None if value.is_nan() else _number(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, dict | list | tuple):
        return canonical_json(value)
    return str(value)


def _number(value: Decimal) -> str:
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
