"""What a run's record keeps of its targets, so that replayed rows give the same values.

A dead letter holds its row as JSON, in which a timestamp is text and a decimal a number. With the
types that the columns had, the values become what they were.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import time
from typing import Any

import pyarrow as pa

from dlt_bunce.records.mapping.paths import column_of_path
from dlt_bunce.records.values.targets import KINDS, Kind, Targets

_TYPES = "types"
_HINTED = "hinted"


def recorded(targets: Targets, schema: pa.Schema) -> dict[str, Any]:
    """Return column to name by kind, which kinds the table's hint gave, and the types of these
    columns, as plain values for JSON.
    """
    owns = (column_of_path(target.column, schema.names) for target in targets.items)
    types = pa.schema([schema.field(own) for own in dict.fromkeys(owns) if own is not None])
    return {
        **{kind: {t.column: t.name for t in targets.of(kind)} for kind in KINDS},
        _HINTED: [kind for kind in KINDS if kind in targets.hinted],
        _TYPES: base64.b64encode(types.remove_metadata().serialize()).decode(),
    }


def hinted(record: Mapping[str, Any]) -> list[Kind]:
    """Return the kinds that the table's hint gave; none for a record that is older than this."""
    return [kind for kind in KINDS if kind in record.get(_HINTED, ())]


def types_in(record: Mapping[str, Any]) -> pa.Schema:
    """Return the types of columns in a record; none for a record that is older than this."""
    if _TYPES not in record:
        return pa.schema([])
    return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(record[_TYPES])))


def restored(table: pa.Table, record: Mapping[str, Any]) -> pa.Table:
    """Return rows whose columns have the types in a record, where their values fit."""
    for field in types_in(record):
        if field.name in table.column_names:
            at = table.column_names.index(field.name)
            try:
                typed = _typed(table.column(at), field.type)
            except (pa.ArrowException, ValueError):
                continue  # somebody has corrected the row
            table = table.set_column(at, field.name, typed)
    return table


def _typed(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray | pa.Array:
    if pa.types.is_time(kind) and pa.types.is_string(column.type):
        # Arrow does not read times
        times = [text and time.fromisoformat(text) for text in column.to_pylist()]
        return pa.array(times, kind)
    return column.cast(kind)
