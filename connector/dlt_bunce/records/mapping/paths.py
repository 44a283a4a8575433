"""Paths to values inside a column: `properties.email`, `phones.0.number`."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.records.text.text import flat

HINT = "To map a value inside a column, use its path, such as properties.email or phones.0."


def column_of_path(path: str, columns: Collection[str]) -> str | None:
    """Return the column named like the path or like its longest prefix, or None."""
    return next((start for start in starts_of(path) if start in columns), None)


def starts_of(path: str) -> Iterator[str]:
    """Yield a path and its prefixes at each dot, longest first."""
    while path:
        yield path
        path = path.rpartition(".")[0]


def at_path(column: Any, steps: Sequence[str]) -> pa.Array:
    """Return the value at a path within each cell; null if there is no such member or item.

    A cell may be a struct, a map, a list (a step is then a zero-based index), or JSON text. Scalars
    in JSON are returned as text, exactly as written; objects and lists stay JSON.
    """
    array = flat(column)
    for number, step in enumerate(steps):
        kind = array.type
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            return _in_json(array, steps[number:])
        array = flat(_member(array, step))
    return array


def _member(array: pa.Array, step: str) -> pa.Array:
    kind = array.type
    if pa.types.is_struct(kind) and kind.get_field_index(step) >= 0:
        return pc.struct_field(array, step)
    if pa.types.is_map(kind) and pa.types.is_string(kind.key_type):
        return pc.map_lookup(array, step, "first")
    if _is_list(kind) and step.isdecimal():
        index = int(step)
        has = pc.fill_null(pc.greater(pc.list_value_length(array), index), False)
        found = pc.list_element(array.filter(has), index)
        positions = pc.subtract(pc.cumulative_sum(pc.cast(has, pa.int64())), 1)
        return found.take(pc.if_else(has, positions, pa.scalar(None, pa.int64())))
    return pa.nulls(len(array))


def _is_list(kind: Any) -> bool:
    types = pa.types
    return any(
        test(kind) for test in (types.is_list, types.is_large_list, types.is_fixed_size_list)
    )


def _in_json(texts: pa.Array, steps: Sequence[str]) -> pa.Array:
    return pa.array([_at_json_path(text, steps) for text in texts.to_pylist()], pa.string())


def _at_json_path(text: str | None, steps: Sequence[str]) -> str | None:
    try:
        # numbers as text, so that no digit is lost
        value = None if text is None else json.loads(text, parse_int=str, parse_float=str)
    except ValueError:
        return None
    for step in steps:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
