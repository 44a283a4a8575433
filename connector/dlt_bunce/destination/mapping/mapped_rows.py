"""Mapped columns of rows in dicts, kept as they were written.

dlt infers a column's type from its first value and converts later ones to it, which would merge
the ids 7 and "007". So mapped columns are declared as text during extraction, once a row contains
them; a column that no row contains stays unknown and is refused.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field
from itertools import chain
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from dlt.extract import DltResource
from dlt.extract.extractors import ImportFileMeta
from dlt.extract.items_transform import ItemTransform, ValidateItem

from dlt_bunce.destination.mapping.column_kinds import ColumnKinds, text_column
from dlt_bunce.destination.mapping.data_frames import tables_of
from dlt_bunce.destination.mapping.hints_of_rows import table_of, with_hints_of_rows
from dlt_bunce.destination.mapping.readable_rows import ReadableRows
from dlt_bunce.destination.mapping.whole_reads import note_read
from dlt_bunce.records.mapping.schema import ColumnNames
from dlt_bunce.records.text.not_text import has_half, marked
from dlt_bunce.records.text.value_texts import TEXT, types_in, value_text, writable

SHOWN_HINT = "x-bunce-shown"
"""What the latest extraction had and dlt does not tell. `columns` may be unknown to it: mapped
columns of dicts that are not text, and columns of tables that have no type, but not those that
would be a customer's field by their name alone. `fields` are columns of tables that are such a
field: dlt adds those of earlier loads.
"""
VALUES_HINT = "x-bunce-values"
"""Type of each column's values, though the column is declared as text."""
_NO_COLUMNS: Mapping[str, str] = MappingProxyType({})


# how many types it takes differs by dlt's version
if TYPE_CHECKING:
    from dlt import Schema

    _Transform = ItemTransform[Any]
else:
    _Transform = ItemTransform


@dataclass
class _Told:
    """What dlt was told of the rows of one table so far."""

    columns: set[str] = field(default_factory=set)
    types: dict[str, str] = field(default_factory=dict)
    nulls: set[str] = field(default_factory=set)
    fields: set[str] | None = None


class MappedRows(_Transform):
    """Transform that declares mapped columns of rows, and writes their attribute values as text.

    It comes last: hints would be lost with a page of which a cursor drops all rows, and a cursor, a
    model, or a limit would take text for what it is not.
    """

    placement_affinity = 1.2

    def __init__(self, read: ReadableRows) -> None:
        super().__init__(lambda item: item)
        self._read = read
        self._told: defaultdict[str | None, _Told] = defaultdict(_Told)
        self._has_model = False

    def bind(self, pipe: Any) -> Any:
        """Return the step of one extraction, which tells it all anew: a resource may be loaded into
        several pipelines, or under several names. Also notes how the source is read, from now on.
        """
        note_read(pipe)
        bound = copy(self)
        bound._told = defaultdict(_Told)  # noqa: SLF001, of this class
        bound._has_model = any(isinstance(step, ValidateItem) for step in pipe.steps)  # noqa: SLF001
        # it stands before this one, so it is bound
        bound._read = [step for step in pipe.steps if isinstance(step, ReadableRows)][-1]  # noqa: SLF001
        return bound

    def __call__(self, item: Any, meta: Any = None) -> Any:
        """Return the item, with hints if it is the first to have a column."""
        if isinstance(meta, ImportFileMeta):
            return item
        told = self._told[table_of(meta)]
        if tables := tables_of(item):
            return self._of_tables(tables, told, meta)
        if self._has_model:
            item = self._read(item, meta)  # it may have renamed columns
        page = item if isinstance(item, list) else [item]
        rows = [row for row in page if isinstance(row, dict)]
        if not rows:
            return item
        read, kinds = self._read.columns[table_of(meta)], self._read.kinds
        types = told.types | types_in(rows, read.values, told.types)
        if read.is_odd:
            page = [_writable(row) for row in page]
        if read.values:
            page = [_with_texts(row, read.values) for row in page]
        new = read.known - told.columns
        texts = new & read.as_text
        if not texts and types == told.types and not any(map(kinds.is_other, new)):
            return page
        told.columns |= new
        told.types = types
        columns: Any = {name: text_column(name) for name in sorted(texts)}
        # dlt drops columns that held only nulls so far; these must not count as unknown
        shown = {"columns": sorted(filter(kinds.is_other, read.known))}
        hints: Any = {SHOWN_HINT: shown, VALUES_HINT: types}
        return with_hints_of_rows(page, meta, columns, hints)

    def _of_tables(self, tables: list[Any], told: _Told, meta: Any) -> Any:
        """Return the tables, with hints if they are the first, or have other columns that matter.

        dlt drops columns without a type, and they must not count as unknown. It takes timestamps
        without a time zone for UTC unless it is told that they have none.
        """
        table = tables[0] if len(tables) == 1 else tables
        kinds, values = self._read.kinds, self._read.columns[table_of(meta)].values
        names: dict[str, Any] = {}
        for column in chain.from_iterable(each.schema for each in tables):
            if pa.types.is_null(names.setdefault(column.name, column.type)):
                names[column.name] = column.type
        untyped = {name for name in names if pa.types.is_null(names[name])}
        fields = {name for name in names if kinds.may_be_field(name)}
        empty = {name for name in untyped if name not in fields or kinds.is_mapped(name)}
        typed = filter(kinds.is_value, names.keys() - untyped)
        # rows in dicts may have none of their values
        types = told.types | dict.fromkeys(typed, TEXT)
        is_told = types == told.types or not values
        told.types = types
        known = told.fields is not None and fields <= told.fields and empty <= told.nulls
        if known and is_told:
            return table
        told.nulls |= empty
        told.fields = fields | (told.fields or set())
        columns: Any = {name: {"name": name, "nullable": True} for name in fields}
        columns |= {
            name: {"name": name, "timezone": kind.tz is not None}
            for name, kind in names.items()
            if pa.types.is_timestamp(kind) and kinds.is_value(name)
        }
        shown = {"columns": sorted(told.nulls), "fields": sorted(told.fields)}
        hints: Any = {SHOWN_HINT: shown}
        if values:
            hints[VALUES_HINT] = types
        return with_hints_of_rows(table, meta, columns, hints)


def _writable(row: Any) -> Any:
    if not isinstance(row, dict):
        return row
    return {name: writable(value) for name, value in row.items()}


def _with_texts(row: Any, names: set[str]) -> Any:
    if not isinstance(row, dict):
        return row
    changed = {
        name: _value_text(value)
        for name in names
        if not isinstance(value := row.get(name), str) and value is not None
    }
    return row | changed if changed else row


def _value_text(value: Any) -> str | None:
    text = value_text(value)
    return marked(text) if has_half(text) else text


def with_mapped_rows(
    resource: DltResource,
    mapping: Mapping[str, ColumnNames],
    attributes: Mapping[str, str] | str = _NO_COLUMNS,
    segments: Mapping[str, str] = _NO_COLUMNS,
) -> None:
    """Add the steps to a resource, replacing those of an earlier call."""
    pipe = resource._pipe  # noqa: SLF001, dlt has no public call that removes a step
    for number in reversed(range(len(pipe.steps))):
        if isinstance(pipe.steps[number], ReadableRows | MappedRows):
            pipe.remove_step(number)
    readable = ReadableRows(ColumnKinds(mapping, attributes, segments))
    resource.add_step(readable)
    resource.add_step(MappedRows(readable))


def as_dlt_names(schema: Schema, table_name: str) -> bool:
    """Name the columns that rows have shown as dlt names them in files, if a naming convention is
    configured; return whether that changed anything.
    """
    table: Any = schema.tables.get(table_name, {})
    name = schema.naming.normalize_identifier
    shown: Mapping[str, list[str]] = table.get(SHOWN_HINT) or {}
    types: Mapping[str, str] = table.get(VALUES_HINT) or {}
    named: Any = {
        SHOWN_HINT: {kind: sorted(set(map(name, columns))) for kind, columns in shown.items()},
        VALUES_HINT: {name(column): kind for column, kind in types.items()},
    }
    changed = {hint: value for hint, value in named.items() if value != table.get(hint, {})}
    if changed:
        noted: Any = {"name": table_name, "columns": {}, **changed}
        schema.update_table(noted)
    return bool(changed)
