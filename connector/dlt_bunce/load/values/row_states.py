"""Rows whose values are older than what Bunce has, although no version of an accepted row says so:
those of rows that are bad, and of rows that correct a dead letter.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.load import corrections
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


def changed(db: Database, load_file: LoadFile, chunk: Chunk, incoming: pa.Table) -> pa.Table:
    """Return the rows as `values.changed`; of those that correct a dead letter, they are
    `superseded` if Bunce has accepted another row of the customer since.
    """
    rows = values.changed(db, load_file.account, incoming, load_file.disposition)
    correcting = corrections.named(chunk.table, chunk.prepared.accepted)
    if correcting is None or not correcting.num_rows:
        return rows
    overtaken = values.overtaken(db, load_file, correcting)
    gives_way = pc.and_(pc.equal(rows.column("state"), "open"), pc.is_in(rows["row"], overtaken))
    states = pc.if_else(gives_way, "superseded", rows.column("state"))
    return rows.set_column(rows.column_names.index("state"), "state", states)
