"""What a run's record keeps of its targets and of its columns' types, so that replayed rows give
the same customers and values.

A dead letter holds its row as JSON, in which a timestamp is text and a decimal a number. With the
types that the columns had, the values become what they were: a date does not pass as a name.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping
from datetime import time
from typing import Any

import pyarrow as pa

from dlt_bunce.records.mapping.paths import column_of_path
from dlt_bunce.records.text.text import is_text
from dlt_bunce.records.values.targets import KINDS, Kind, Targets

_TYPES = "types"
_FIELD_TYPES = "field_types"
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
        _TYPES: _encoded(types),
    }


def recorded_fields(columns: Collection[str], schema: pa.Schema) -> dict[str, Any]:
    """Return the types of the columns that feed customers' fields, as plain values for JSON; empty
    if they hold nothing but text, objects, and lists, which JSON keeps.
    """
    owns = {column_of_path(column, schema.names) for column in columns}
    types = [field for field in schema if field.name in owns and not _is_kept(field.type)]
    return {_FIELD_TYPES: _encoded(pa.schema(types))} if types else {}


def _is_kept(kind: pa.DataType) -> bool:
    return is_text(kind) or pa.types.is_null(kind) or pa.types.is_nested(kind)


def _encoded(types: pa.Schema) -> str:
    return base64.b64encode(types.remove_metadata().serialize()).decode()


def hinted(record: Mapping[str, Any]) -> list[Kind]:
    """Return the kinds that the table's hint gave; none for a record that is older than this."""
    return [kind for kind in KINDS if kind in record.get(_HINTED, ())]


def types_in(record: Mapping[str, Any]) -> pa.Schema:
    """Return the types of columns in a record; none for a record that is older than this."""
    found: dict[str, pa.Field] = {}
    for name in (_FIELD_TYPES, _TYPES):
        if name in record:
            types = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(record[name])))
            found |= {field.name: field for field in types}
    return pa.schema(list(found.values()))


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
    if pa.types.is_decimal(kind) and pa.types.is_integer(column.type):
        # Arrow wants room for the longest whole number
        return column.cast(pa.string()).cast(kind)
    return column.cast(kind)
