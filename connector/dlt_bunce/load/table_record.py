"""How a load reads a table, for replays of its dead letters."""

from __future__ import annotations

from dlt_bunce.load.chunks import Chunk
from dlt_bunce.records.mapping.mapping import FieldMapping
from dlt_bunce.records.values.recorded_targets import recorded_fields
from dlt_bunce.store.database import Database
from dlt_bunce.store.load_file import LoadFile
from dlt_bunce.store.runs import mappings


def record(db: Database, load_file: LoadFile, mapping: FieldMapping, chunk: Chunk) -> None:
    """Record with the first chunk of a file how its rows are read: a run may have tables that are
    mapped otherwise, or with another disposition; and JSON does not keep the types of columns.
    """
    if chunk.number != 0:
        return
    reading = mappings.reading(
        mapping.recorded,
        hinted=mapping.hinted,
        by_name=mapping.by_name,
        disposition=load_file.disposition,
    )
    types = recorded_fields(mapping.source_columns, chunk.table.schema)
    with db.transaction():
        mappings.record_targets(db, load_file, {**reading, **types})
