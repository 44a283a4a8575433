"""Rows whose fate is known, as the ledger takes them."""

from __future__ import annotations

import pyarrow as pa

# the columns of Ledger.settle(): one row per customer whose fate is known now
SETTLED = pa.schema(
    [
        ("customer_id", pa.string()),
        ("fate", pa.string()),
        ("confirmation", pa.string()),
        ("fingerprint", pa.string()),
        ("version", pa.int64()),
        ("email_digest", pa.string()),
        ("chunk", pa.int64()),
        ("indeterminate", pa.int64()),
    ]
)


def adopted(rows: pa.Table, chunk: int) -> pa.Table:
    """Return claimed rows as adopted with content of which nothing is known (SETTLED)."""
    settled = [
        {"customer_id": row["customer_id"], "version": row["version"], "fate": "adopted"}
        | {"confirmation": "lookup", "chunk": chunk, "indeterminate": 0}
        for row in rows.select(["customer_id", "version"]).to_pylist()
    ]
    return pa.Table.from_pylist(settled, SETTLED)
