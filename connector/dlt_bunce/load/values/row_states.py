"""Rows whose values are older than what Bunce has, although no version of an accepted row says so:
those of rows that are bad.
"""

from __future__ import annotations

import pyarrow as pa

from dlt_bunce.load.chunks import Chunk
from dlt_bunce.store.database import Database
from dlt_bunce.store.load_file import LoadFile
from dlt_bunce.store.values import values


def late(db: Database, load_file: LoadFile, chunk: Chunk) -> pa.Array:
    """Return the rejected rows that are older than what the ledger has of their customers."""
    rejected = chunk.prepared.rejected
    if rejected.column("version").null_count == rejected.num_rows:
        return pa.nulls(0, pa.int64())
    return values.late(db, load_file.account, rejected.select(["row", "customer_id", "version"]))
