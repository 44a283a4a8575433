"""devices: the customer's devices as a canonical JSON array."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.records.column import Column, any_true, none_of
from dlt_bunce.records.payload import json_text
from dlt_bunce.records.text import as_json, canonical_json, characters, flat, read_text

_TYPE, _TOKEN = "device_type", "device_token"
_DEVICES = pa.list_(pa.struct([(_TYPE, pa.string()), (_TOKEN, pa.string())]))
_INCOMPLETE = f"an item lacks {_TYPE} or {_TOKEN}"
_NO_TEXT = pa.scalar(None, pa.string())


def judge_devices(array: pa.Array) -> Column:
    """`[{"device_type":…,"device_token":…},…]` in the order given, repeats dropped.

    Lists of structs of any list type and JSON text are read; type and token are trimmed, the type
    is lower-cased, other keys are ignored. An empty list counts as missing. Anything else, an item
    without type or token among it, is invalid.
    """
    kind = array.type
    if _is_list(kind):
        values, invalid = _canonical(array)
        if not any_true(invalid):
            return Column.of(values)
        raw = pc.replace_with_mask(values, invalid, as_json(array.filter(invalid)))
        return Column(values, invalid, pc.if_else(invalid, _INCOMPLETE, _NO_TEXT), raw)
    if pa.types.is_struct(kind):
        return Column.refused(as_json(array), pc.is_valid(array), "one struct, not a list")
    return _from_json(read_text(array))


def _from_json(column: Column) -> Column:
    encoded = column.values.dictionary_encode()
    items: list[list[dict[str, str | None]] | None] = []
    reasons: list[str | None] = []
    raws: list[str] = []
    for text in encoded.dictionary.to_pylist():
        devices, reason, raw = _parsed(text)
        items.append(devices)
        reasons.append(reason)
        raws.append(raw)
    values, incomplete = _canonical(pa.array(items, _DEVICES))
    reason = pc.if_else(incomplete, _INCOMPLETE, pa.array(reasons, pa.string()))
    at = encoded.indices
    refused = reason.take(at)
    return Column(
        values=values.take(at),
        invalid=pc.or_(column.invalid, pc.is_valid(refused)),
        reason=pc.coalesce(column.reason, refused),
        raw=pc.coalesce(values.take(at), pa.array(raws, pa.string()).take(at), column.raw),
    )


def _parsed(text: str) -> tuple[list[dict[str, str | None]] | None, str | None, str]:
    """The devices in a JSON text, or the reason why there are none, and a form for digests."""
    try:
        content = json.loads(text)
        raw = canonical_json(content)
    except (ValueError, RecursionError):
        return None, f"not JSON: {characters(len(text))}", text
    if content is None:
        return None, None, raw
    if not isinstance(content, list):
        return None, f"JSON, but not a list: {characters(len(text))}", raw
    if not all(isinstance(item, dict) for item in content):
        return None, "an item is not an object", raw
    return [{_TYPE: _text(i.get(_TYPE)), _TOKEN: _text(i.get(_TOKEN))} for i in content], None, raw


def _text(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        return None
    try:
        value.encode()
    except UnicodeEncodeError:
        return None
    return value


def _canonical(lists: pa.Array) -> tuple[pa.Array, pa.Array]:
    """JSON texts (null where null, empty, or incomplete) and which lists are incomplete."""
    items, parents = pc.list_flatten(lists), pc.list_parent_indices(lists)
    kind = pc.utf8_lower(_member(items, _TYPE))
    token = _member(items, _TOKEN)
    pieces = pc.binary_join_element_wise(
        f'{{"{_TYPE}":"', json_text(kind), f'","{_TOKEN}":"', json_text(token), '"}', ""
    )
    lengths = pc.fill_null(pc.list_value_length(lists), 0)
    filled = pc.greater(lengths, 0)
    incomplete = none_of(len(lists))
    if pieces.null_count:
        torn = pc.unique(parents.filter(pc.is_null(pieces)))
        incomplete = pc.is_in(pa.array(range(len(lists)), parents.type), value_set=torn)
        whole = pc.invert(pc.is_in(parents, value_set=torn))
        parents, pieces = parents.filter(whole), pieces.filter(whole)
        filled = pc.and_not(filled, incomplete)
    if len(pieces) > (filled.true_count or 0):
        pieces = _joined(parents, pieces)
    texts = pc.binary_join_element_wise("[", pieces, "]", "")
    return pc.replace_with_mask(pa.nulls(len(lists), pa.string()), filled, texts), incomplete


def _member(items: pa.Array, name: str) -> pa.Array:
    if not pa.types.is_struct(items.type) or items.type.get_field_index(name) < 0:
        return pa.nulls(len(items), pa.string())
    member = flat(pc.struct_field(items, name))
    return read_text(member, numbers=name == _TOKEN and pa.types.is_integer(member.type)).values


def _joined(parents: pa.Array, pieces: pa.Array) -> pa.Array:
    """The pieces of each parent, without repeats, joined by commas in the order given."""
    table = pa.table({"parent": parents, "piece": pieces, "at": pa.array(range(len(pieces)))})
    firsts = table.group_by(["parent", "piece"]).aggregate([("at", "min")])
    if firsts.num_rows < table.num_rows:
        table = table.take(firsts["at_min"].take(pc.sort_indices(firsts["at_min"])))
    # parents ascend, so their counts come in the same order
    counts = flat(table["parent"]).value_counts().field("counts")
    offsets = pa.concat_arrays([pa.array([0], pa.int64()), pc.cumulative_sum(counts)])
    lists = pa.ListArray.from_arrays(offsets.cast(pa.int32()), flat(table["piece"]))
    return pc.binary_join(lists, ",")


def _is_list(kind: Any) -> bool:
    return any(
        test(kind)
        for test in (
            pa.types.is_list,
            pa.types.is_large_list,
            pa.types.is_fixed_size_list,
            pa.types.is_list_view,
            pa.types.is_large_list_view,
        )
    )
