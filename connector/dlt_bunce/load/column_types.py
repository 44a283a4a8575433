"""The types of a load's columns, for replays of its dead letters: JSON does not keep them."""

from __future__ import annotations

from dlt_bunce.load.chunks import Chunk
from dlt_bunce.records.mapping.mapping import FieldMapping
from dlt_bunce.records.values.recorded_targets import recorded_fields
from dlt_bunce.store.database import Database
from dlt_bunce.store.load_file import LoadFile
from dlt_bunce.store.runs.mappings import record_targets


def record(db: Database, load_file: LoadFile, mapping: FieldMapping, chunk: Chunk) -> None:
    """Record the types of the columns that feed fields, with the first chunk of a file."""
    if chunk.number != 0:
        return
    if types := recorded_fields(mapping.source_columns, chunk.table.schema):
        with db.transaction():
            record_targets(db, load_file, types)
