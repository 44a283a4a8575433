"""The customer as sent to Bunce: canonical JSON, so equal content has equal text."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.records.mapping.schema import FIELDS
from dlt_bunce.records.text.column import any_true
from dlt_bunce.records.text.text import flat

# bytes that JSON must escape inside a string
_SPECIAL = bytes(range(0x20)) + b'"\\'
_CONTROLS = r"[\x00-\x1f]"


def with_payloads(rows: pa.Table) -> pa.Table:
    """Return accepted rows with a `payload` column: the JSON object to send for each."""
    fields = {name: flat(rows.column(name)) for name in FIELDS}
    return rows.append_column("payload", payloads(fields))


def payloads(fields: Mapping[str, pa.Array]) -> pa.Array:
    """Return JSON objects (string array), keys in the order of `fields`, null fields left out.

    Each array holds plain text, except `devices`, which is JSON already. Equal to Python's
    `json.dumps(customer, ensure_ascii=False, separators=(",", ":"))`.
    """
    parts: list[object] = []
    for name, array in fields.items():
        quote = "" if name == "devices" else '"'
        values = array if name == "devices" else json_text(array)
        head = f',"{name}":{quote}'
        if array.null_count:
            member = pc.binary_join_element_wise(head, values, quote, "")
            parts.append(pc.fill_null(member, ""))
        else:
            parts += [head, values, quote]
    members = pc.binary_join_element_wise(*parts, "")
    # the brace replaces the comma before the first member, or starts an object without members
    opened = pc.binary_replace_slice(members, 0, 1, "{")
    return pc.binary_join_element_wise(opened, "}", "")


def json_text(array: pa.Array) -> pa.Array:
    """Return every value as the inside of a JSON string, without the quotes."""
    if not _needs_escape(array):
        return array
    text = pc.replace_substring(array, "\\", "\\\\")
    text = pc.replace_substring(text, '"', '\\"')
    controls = pc.fill_null(pc.match_substring_regex(text, _CONTROLS), False)
    if not any_true(controls):
        return text
    escaped = [
        json.dumps(value, ensure_ascii=False)[1:-1] for value in array.filter(controls).to_pylist()
    ]
    return pc.replace_with_mask(text, controls, pa.array(escaped, pa.string()))


def _needs_escape(array: pa.Array) -> bool:
    data = array.buffers()[2]
    if data is None or not len(array):
        return False
    # One pass over the whole buffer is many times faster than a pattern per value. The buffer of a
    # slice includes its neighbors, which may cost time but is still correct.
    content = data.to_pybytes()
    return len(content.translate(None, _SPECIAL)) != len(content)
