"""Conversion of Arrow columns of any type to text."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.records.text.column import Column, any_true
from dlt_bunce.records.text.python_values import values_of
from dlt_bunce.records.text.spreadsheet_traces import Traces

_UUID = "arrow.uuid"
# the largest whole numbers that a float represents exactly, by bits of its type
_WHOLE_UP_TO = {16: 2**11, 32: 2**24, 64: 2**53}


def flat(column: Any) -> pa.Array:
    """Return one array of plain type: chunks joined, dictionaries and extension types unwrapped.

    A UUID becomes its usual text.
    """
    if isinstance(column, pa.ChunkedArray):
        chunks = [_unwrapped(chunk) for chunk in column.chunks]
        if len(chunks) == 1:
            return chunks[0]
        return pa.concat_arrays(chunks) if chunks else _unwrapped(pa.array([], column.type))
    return _unwrapped(column)


def _unwrapped(array: Any) -> pa.Array:
    while True:
        if isinstance(array, pa.DictionaryArray):
            array = array.dictionary_decode()
        elif isinstance(array, pa.ExtensionArray):
            is_uuid = array.type.extension_name == _UUID
            array = _uuid_text(array.storage) if is_uuid else array.storage
        else:
            return array


def read_text(array: pa.Array, *, numbers: bool = False, traces: Traces | None = None) -> Column:
    """Read a flat array as trimmed text; blank text counts as missing.

    Reads text and UTF-8 bytes of any width and, with `numbers`, whole numbers in plain decimal.
    Anything else is invalid; the reason is its type or the shape of the value. `traces` are removed
    from text.
    """
    kind = array.type
    column: Column | None = None
    if pa.types.is_null(kind) or (numbers and pa.types.is_integer(kind)):
        column = Column.of(array.cast(pa.string()))
    elif is_text(kind):
        column = _trimmed(_decoded(array))
        column = column if traces is None else traces.removed(column)
    elif numbers and pa.types.is_decimal(kind):
        column = _whole_decimals(array)
    elif numbers and pa.types.is_floating(kind):
        column = _whole_floats(array)
    if column is not None:
        return column
    return Column.refused(as_json(array), pc.is_valid(array), f"the column is of type {kind}")


def as_json(array: pa.Array) -> pa.Array:
    """Return values of any type as JSON text, equal across kinds of sources; for digests only."""
    return pa.array(
        [None if value is None else canonical_json(value) for value in values_of(array)],
        pa.string(),
    )


def as_text(array: pa.Array) -> pa.Array:
    """Return values of any type as text, as they were read."""
    if is_text(array.type):
        return read_text(array).raw
    return pc.utf8_trim(as_json(array), '"')


def canonical_json(value: object) -> str:
    """Return JSON with sorted keys, without nulls: a struct and a dict of equal content agree."""
    return json.dumps(_without_nulls(value), sort_keys=True, separators=(",", ":"), default=str)


def count_at_most(texts: pa.Array, part: str) -> int:
    """Return how often a column has a part, or more: all of its buffer is counted, at once."""
    data = texts.buffers()[2]
    return 0 if data is None else int(data.to_pybytes().count(part.encode()))


def hex_text(data: bytes, width: int) -> pa.Array:
    """Return strings of `width` hex digits each, from concatenated values of half that width."""
    digits = pa.py_buffer(data.hex().encode())
    texts = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(width), digits.size // width, [None, digits]
    )
    return texts.cast(pa.binary()).cast(pa.string())


def without_invisible(text: str) -> str:
    """Return trimmed text without invisible marks (zero width, byte order, direction)."""
    return "".join(c for c in text if unicodedata.category(c) != "Cf").strip()


def shapes(texts: Any) -> Any:
    """Replace digits by 9, letters by a, and capitals by A: the shape of texts, not the content."""
    for pattern, mark in (
        (r"\p{N}", "9"),
        (r"[\p{Ll}\p{Lt}\p{Lm}\p{Lo}\p{M}]", "a"),
        (r"\p{Lu}", "A"),
    ):
        texts = pc.replace_substring_regex(texts, pattern, mark)
    return texts


def characters(count: int) -> str:
    """Return the count with its noun: 1 character, 2 characters."""
    return f"{count} character{'' if count == 1 else 's'}"


def _without_nulls(value: object) -> object:
    if isinstance(value, dict):
        return {str(k): _without_nulls(v) for k, v in value.items() if v is not None}
    if isinstance(value, (list, tuple)):
        return [_without_nulls(item) for item in value]
    return value


def is_text(kind: Any) -> bool:
    """Return whether an Arrow type holds text, or bytes that may be text."""
    return any(
        test(kind)
        for test in (
            pa.types.is_string,
            pa.types.is_large_string,
            pa.types.is_string_view,
            pa.types.is_binary,
            pa.types.is_large_binary,
            pa.types.is_binary_view,
            pa.types.is_fixed_size_binary,
        )
    )


def _decoded(array: pa.Array) -> Column:
    try:
        if pa.types.is_fixed_size_binary(array.type):
            array = array.cast(pa.binary())
        text = array.cast(pa.string())
        # Parquet and Arrow files may contain bytes that are typed as text but are not UTF-8
        text.validate(full=True)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return _decoded_one_by_one(array)
    return Column.of(text)


def _decoded_one_by_one(array: pa.Array) -> Column:
    texts: list[str | None] = []
    raws: list[str | None] = []
    for value in array.cast(pa.large_binary()).to_pylist():
        try:
            text = None if value is None else value.decode()
            raw = text
        except UnicodeDecodeError:
            text, raw = None, value.hex()
        texts.append(text)
        raws.append(raw)
    values, raw_values = pa.array(texts, pa.string()), pa.array(raws, pa.string())
    refused = pc.and_(pc.is_null(values), pc.is_valid(raw_values))
    column = Column.of(values)
    reasons = pc.if_else(refused, pa.scalar("bytes that are not UTF-8"), column.reason)
    return Column(values, refused, reasons, raw_values)


def _trimmed(column: Column) -> Column:
    text = pc.utf8_trim_whitespace(column.values)
    blank = pc.equal(pc.binary_length(text), 0)
    if any_true(blank):
        text = pc.if_else(blank, pa.scalar(None, pa.string()), text)
    raw = text if column.raw is column.values else column.raw
    return Column(text, column.invalid, column.reason, raw)


def _uuid_text(array: pa.Array) -> pa.Array:
    width = array.type.byte_width
    data = b"".join(value or bytes(width) for value in array.to_pylist())
    digits = hex_text(data, 2 * width)
    parts = [
        pc.utf8_slice_codeunits(digits, start, stop)
        for start, stop in ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))
    ]
    text = pc.binary_join_element_wise(*parts, "-")
    return pc.if_else(pc.is_valid(array), text, pa.scalar(None, pa.string()))


def _whole_decimals(array: pa.Array) -> Column:
    try:
        wide = array.cast(pa.decimal256(76, array.type.scale))
        is_whole = pc.equal(pc.trunc(wide), wide)
        kept = pc.if_else(is_whole, wide, pa.scalar(None, wide.type))
        digits = kept.cast(pa.decimal256(76, 0)).cast(pa.string())
        # the digest of a rejected row must not depend on the scale of the column
        raw = pc.replace_substring_regex(wide.cast(pa.string()), "0+$", "")
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raws = [None if v is None else format(v.normalize(), "f") for v in array.to_pylist()]
        texts = [None if text is None or "." in text else text for text in raws]
        digits, raw = pa.array(texts, pa.string()), pa.array(raws, pa.string())
    return _whole_numbers(digits, raw, pc.is_valid(array))


def _whole_floats(array: pa.Array) -> Column:
    limit = float(_WHOLE_UP_TO[array.type.bit_width])
    wide = array.cast(pa.float64())
    present = pc.fill_null(pc.invert(pc.is_nan(wide)), False)
    is_whole = pc.and_(pc.less_equal(pc.abs(wide), limit), pc.equal(pc.trunc(wide), wide))
    kept = pc.if_else(is_whole, wide, pa.scalar(None, pa.float64()))
    digits = kept.cast(pa.int64()).cast(pa.string())
    raw = pc.if_else(present, wide.cast(pa.string()), pa.scalar(None, pa.string()))
    return _whole_numbers(digits, raw, present)


def _whole_numbers(digits: pa.Array, raw: pa.Array, present: pa.Array) -> Column:
    refused = pc.and_(present, pc.is_null(digits))
    blank = pa.scalar(None, pa.string())
    reasons = pc.if_else(refused, pa.scalar("not a whole number, or too large to be exact"), blank)
    return Column(digits, refused, reasons, pc.coalesce(digits, raw))
