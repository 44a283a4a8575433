"""The devices field: a customer's devices as a canonical JSON array."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.records.fields.payload import json_text
from dlt_bunce.records.text.column import Column, any_true, none_of
from dlt_bunce.records.text.not_text import NOT_TEXT
from dlt_bunce.records.text.text import as_json, canonical_json, characters, flat, read_text

_TYPE, _TOKEN = "device_type", "device_token"
_DEVICES = pa.list_(pa.struct([(_TYPE, pa.string()), (_TOKEN, pa.string())]))
SPELLINGS = {
    _TYPE: (_TYPE, "deviceType", "type"),
    _TOKEN: (_TOKEN, "deviceToken", "token"),
}
_INCOMPLETE = f"an item lacks {_TYPE} or {_TOKEN}"
# what json.dumps and databases write for typical devices: no white space but blanks, no escapes
_STRING = r'"[^"\\\x00-\x1f\x{fdd0}]*"'
_ITEM = (
    rf'\{{ *(?:"{_TYPE}" *: *{_STRING} *, *"{_TOKEN}" *: *{_STRING}'
    rf'|"{_TOKEN}" *: *{_STRING} *, *"{_TYPE}" *: *{_STRING}) *\}}'
)
_SIMPLE = rf"^\[ *{_ITEM}(?: *, *{_ITEM})* *\]$"
_NO_TEXT = pa.scalar(None, pa.string())


def parse_devices(array: pa.Array, *, strict: bool = False) -> Column:
    """Return `[{"device_type":…,"device_token":…},…]` in the order given, without repeats.

    Reads lists of structs of any list type, and JSON text. Type and token are trimmed, the type is
    lowercased, other keys are ignored. An empty list counts as missing. Devices without a type or
    token, which apps leave behind at logout, and anything that is not a list of devices are left
    out and `noted`, because an optional field must not cost a customer. If `strict`, they are
    invalid.
    """
    column = _strict(array)
    if strict or not any_true(column.invalid):
        return column
    # not filter(): it has no kernel for string views
    cells = [array[row].as_py() for row in pc.indices_nonzero(column.invalid).to_pylist()]
    salvaged = [_complete_devices(cell) for cell in cells]
    values, _ = _canonical(pa.array([devices for devices, _ in salvaged], _DEVICES))
    return Column(
        pc.replace_with_mask(column.values, column.invalid, values),
        none_of(len(array)),
        pa.nulls(len(array), pa.string()),
        column.raw,
        noted=pc.replace_with_mask(
            none_of(len(array)), column.invalid, pa.array([left_out for _, left_out in salvaged])
        ),
    )


def _complete_devices(cell: Any) -> tuple[list[dict[str, str]], bool]:
    """Return the complete devices of a cell of any shape, and whether anything was left out."""
    for _ in range(2):  # JSON within JSON
        if isinstance(cell, str | bytes):
            try:
                cell = json.loads(cell)
            except (ValueError, RecursionError):
                return [], True
    if isinstance(cell, dict) and not any(cell.values()):
        return [], False
    items = cell if isinstance(cell, list) else [cell]
    read = [{name: _member_text(item, name) for name in SPELLINGS} for item in items]
    complete = [device for device in read if all(device.values())]
    return complete, len(complete) < len(items)


def _member_text(item: Any, name: str) -> str:
    """Return the first non-blank text among the spellings of a member, or ""."""
    if not isinstance(item, dict):
        return ""
    texts = (_text(item.get(spelling)) for spelling in SPELLINGS[name])
    return next((text.strip() for text in texts if text and text.strip()), "")


def _strict(array: pa.Array) -> Column:
    kind = array.type
    if _is_list(kind):
        values, invalid = _canonical(array)
        if not any_true(invalid):
            return Column.of(values)
        raw = pc.replace_with_mask(values, invalid, as_json(array.filter(invalid)))
        return Column(values, invalid, pc.if_else(invalid, _INCOMPLETE, _NO_TEXT), raw)
    if pa.types.is_struct(kind):
        return Column.refused(as_json(array), pc.is_valid(array), "a single struct, not a list")
    return _from_json(read_text(array))


def _from_json(column: Column) -> Column:
    encoded = column.values.dictionary_encode()
    texts, indices = encoded.dictionary, encoded.indices
    simple = pc.match_substring_regex(texts, _SIMPLE)
    values, incomplete = _canonical(_read_simple(texts.filter(simple)))
    parsed = [_parsed(text) for text in texts.filter(pc.invert(simple)).to_pylist()]
    parsed_values, parsed_incomplete = _canonical(
        pa.array([devices for devices, _ in parsed], _DEVICES)
    )
    reasons = pa.array([reason for _, reason in parsed], pa.string())
    reason = _merged(
        simple,
        pc.if_else(incomplete, _INCOMPLETE, _NO_TEXT),
        pc.if_else(parsed_incomplete, _INCOMPLETE, reasons),
    ).take(indices)
    values = _merged(simple, values, parsed_values).take(indices)
    refused = pc.is_valid(reason)
    if any_true(refused):
        # the digest of a bad list must not depend on the layout of its JSON
        raws = pa.array([_raw_json(text) for text in column.values.filter(refused).to_pylist()])
        column = replace(column, raw=pc.replace_with_mask(column.raw, refused, raws))
    return Column(
        values, pc.or_(column.invalid, refused), pc.coalesce(column.reason, reason), column.raw
    )


def _merged(mask: pa.Array, if_true: pa.Array, if_false: pa.Array) -> pa.Array:
    """Return one string array of the entries for true rows and those for false rows."""
    merged = pc.replace_with_mask(pa.nulls(len(mask), pa.string()), mask, if_true)
    return pc.replace_with_mask(merged, pc.invert(mask), if_false)


def _read_simple(texts: pa.Array) -> pa.Array:
    """Read the lists in texts that match `_SIMPLE`, which are always JSON."""
    if not len(texts):
        return pa.array([], _DEVICES)
    from pyarrow import json as arrow_json

    lines = pc.binary_join_element_wise('{"devices":', texts, "}\n", "")
    data = pc.binary_join(pa.ListArray.from_arrays([0, len(lines)], lines), "").cast(pa.binary())
    read = arrow_json.read_json(
        pa.BufferReader(data[0].as_buffer()),
        read_options=arrow_json.ReadOptions(
            use_threads=False, block_size=data[0].as_buffer().size + 1
        ),
        parse_options=arrow_json.ParseOptions(
            explicit_schema=pa.schema([("devices", _DEVICES)]), unexpected_field_behavior="error"
        ),
    )
    return flat(read["devices"])


def _parsed(text: str) -> tuple[list[dict[str, str | None]] | None, str | None]:
    """Return the devices in a JSON text, or the reason why it is invalid."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None, f"not JSON: {characters(len(text))}"
    if content is None:
        return None, None
    if not isinstance(content, list):
        return None, f"JSON, but not a list: {characters(len(text))}"
    if not all(isinstance(item, dict) for item in content):
        return None, "an item is not an object"
    return [
        {name: _member_text(item, name) or None for name in SPELLINGS} for item in content
    ], None


def _raw_json(text: str) -> str:
    try:
        return canonical_json(json.loads(text))
    except (ValueError, RecursionError):
        return text


def _text(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or NOT_TEXT in value:
        return None
    try:
        value.encode()
    except UnicodeEncodeError:
        return None
    return value


def _canonical(lists: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Return JSON texts (null if null, empty, or incomplete) and a mask of incomplete lists."""
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
        broken = pc.unique(parents.filter(pc.is_null(pieces)))
        incomplete = pc.is_in(pa.array(range(len(lists)), parents.type), value_set=broken)
        complete = pc.invert(pc.is_in(parents, value_set=broken))
        parents, pieces = parents.filter(complete), pieces.filter(complete)
        filled = pc.and_not(filled, incomplete)
    if len(pieces) > (filled.true_count or 0):
        pieces = _joined(parents, pieces)
    texts = pc.binary_join_element_wise("[", pieces, "]", "")
    return pc.replace_with_mask(pa.nulls(len(lists), pa.string()), filled, texts), incomplete


def _member(items: pa.Array, name: str) -> pa.Array:
    found = [pa.nulls(len(items), pa.string())]
    for spelling in reversed(SPELLINGS[name]):
        if pa.types.is_struct(items.type) and items.type.get_field_index(spelling) >= 0:
            member = flat(pc.struct_field(items, spelling))
            numbers = name == _TOKEN and pa.types.is_integer(member.type)
            found.insert(0, read_text(member, numbers=numbers).values)
    return pc.coalesce(*found)


def _joined(parents: pa.Array, pieces: pa.Array) -> pa.Array:
    """Join the distinct pieces of each parent by commas, in the order given."""
    positions = pa.array(range(len(pieces)))
    table = pa.table({"parent": parents, "piece": pieces, "position": positions})
    firsts = table.group_by(["parent", "piece"]).aggregate([("position", "min")])["position_min"]
    if len(firsts) < table.num_rows:
        table = table.take(firsts.take(pc.sort_indices(firsts)))
    # parents are ascending, so their counts come in the same order
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
