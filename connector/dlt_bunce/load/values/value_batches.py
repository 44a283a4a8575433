"""What a batch of values is made of: the values to send, each with its operation and its JSON."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.records.fields.payload import json_text
from dlt_bunce.records.values.targets import Target

# `verb` is the operation
TO_SEND = pa.schema(
    [
        ("row", pa.int64()),
        ("chunk", pa.int64()),
        ("customer_id", pa.string()),
        ("sent_id", pa.string()),
        ("target_id", pa.string()),
        ("slot", pa.int64()),
        ("digest", pa.binary()),
        ("verb", pa.string()),
        ("payload", pa.string()),
    ]
)


def to_send(
    target: Target,
    chunk: int,
    *,
    rows: pa.Array,
    ids: pa.Array,
    sent_ids: pa.Array,
    texts: pa.Array,
    digests: pa.Array,
) -> pa.Table:
    """Return values of one target (TO_SEND): of a segment, true adds the customer, false removes
    them.
    """
    number = len(rows)
    return pa.table(
        [
            rows,
            repeat(chunk, pa.int64(), number),
            ids,
            sent_ids,
            repeat(target.id, pa.string(), number),
            repeat(target.slot, pa.int64(), number),
            digests,
            _verbs(target, texts),
            _payloads(target, sent_ids, texts),
        ],
        schema=TO_SEND,
    )


def repeat(value: object, kind: pa.DataType, number: int) -> pa.Array:
    """Return an array that holds one value so many times."""
    return pa.repeat(pa.scalar(value, kind), number)


def _payloads(target: Target, ids: pa.Array, texts: pa.Array) -> pa.Array:
    """Return the JSON of each value or member."""
    customers = json_text(ids)
    if target.kind == "attributes":
        head = f'{{"id":"{target.id}","customer_id":"'
        return pc.binary_join_element_wise(
            head, customers, '","value":"', json_text(texts), '"}', ""
        )
    added = pc.binary_join_element_wise('{"customer_id":"', customers, '"}', "")
    removed = pc.binary_join_element_wise('"', customers, '"', "")
    return pc.if_else(pc.equal(texts, "true"), added, removed)


def _verbs(target: Target, texts: pa.Array) -> pa.Array:
    if target.kind == "attributes":
        return repeat("values", pa.string(), len(texts))
    return pc.if_else(pc.equal(texts, "true"), f"add {target.id}", f"remove {target.id}")
