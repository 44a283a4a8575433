"""Numbers of single and half precision within objects and lists, in the digits that they show.

As numbers of double precision, which Python's are, 0.1 would be 0.10000000149011612.
"""

from __future__ import annotations

import struct
from typing import Any

import pyarrow as pa

_FORMATS = {16: "e", 32: "f"}


def has_single(kind: Any) -> bool:
    """Return whether a nested type has such numbers anywhere."""
    if pa.types.is_floating(kind):
        return kind.bit_width in _FORMATS
    return any(has_single(kind.field(at).type) for at in range(kind.num_fields))


def as_shown(value: Any, kind: Any) -> Any:
    """Return a Python value of an Arrow type with the fewest digits that tell its numbers apart."""
    if value is None:
        return None
    types = pa.types
    if types.is_floating(kind):
        return _shortest(value, _FORMATS[kind.bit_width]) if kind.bit_width in _FORMATS else value
    if types.is_struct(kind):
        return {field.name: as_shown(value[field.name], field.type) for field in kind}
    if types.is_map(kind):
        return [(as_shown(key, kind.key_type), as_shown(v, kind.item_type)) for key, v in value]
    if isinstance(value, list):
        return [as_shown(item, kind.value_type) for item in value]
    return value


def _shortest(number: float, form: str) -> float:
    for digits in range(1, 10):
        shown = float(f"{number:.{digits}g}")
        if _rounded(shown, form) == number:
            return shown
    return number  # infinite, or none


def _rounded(number: float, form: str) -> float | None:
    try:
        return float(struct.unpack(form, struct.pack(form, number))[0])
    except OverflowError:  # of so few digits, more than the largest
        return None
