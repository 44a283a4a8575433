"""Rows whose values are older than what Bunce has, although no version of an accepted row says so:
those of rows that are bad, and of rows that correct a dead letter.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.load import corrections
from dlt_bunce.load.chunks import Chunk
from dlt_bunce.store.database import Database
from dlt_bunce.store.letters.late_rows import ROWS, late_rows
from dlt_bunce.store.load_file import LoadFile
from dlt_bunce.store.values import values


def late(db: Database, load_file: LoadFile, chunk: Chunk) -> pa.Array:
    """Return the rejected rows that are late, as their dead letters are."""
    rejected = chunk.prepared.rejected
    has_version = rejected.column("version").null_count < rejected.num_rows
    # rows that bring no customers become no dead letters
    is_letter = bool(rejected.num_rows) and not rejected.column("fingerprint").null_count
    if not is_letter or not (has_version or corrections.are_in(chunk.table)):
        return pa.nulls(0, pa.int64())
    rows = corrections.as_letters(load_file, chunk.table, rejected)
    db.ingest("bunce_late", rows.select(ROWS.names))
    found = pa.array(late_rows(db, load_file.account, "bunce_late"), pa.string())
    is_late = pc.is_in(rows.column("id"), found)
    return rejected.column("row").filter(is_late).combine_chunks()


def changed(db: Database, load_file: LoadFile, chunk: Chunk, incoming: pa.Table) -> pa.Table:
    """Return the rows as `values.changed`; of those that correct a dead letter, they are
    `superseded` if Bunce has accepted another row of the customer since.
    """
    rows = values.changed(db, load_file.account, incoming, load_file.disposition)
    correcting = corrections.named(chunk.table, chunk.prepared.accepted)
    # rows that bring no customers have no fingerprints
    if correcting is None or not correcting.num_rows or incoming["fingerprint"].null_count:
        return rows
    overtaken = values.overtaken(db, load_file, correcting)
    gives_way = pc.and_(pc.equal(rows.column("state"), "open"), pc.is_in(rows["row"], overtaken))
    states = pc.if_else(gives_way, "superseded", rows.column("state"))
    return rows.set_column(rows.column_names.index("state"), "state", states)
