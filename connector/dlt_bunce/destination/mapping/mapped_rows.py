"""Mapped columns of rows in dicts, kept as they were written.

dlt infers a column's type from its first value and converts later ones to it, which would merge
the ids 7 and "007". So mapped columns are declared as text during extraction, once a row contains
them; a column that no row contains stays unknown and is refused.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from copy import copy
from dataclasses import asdict, dataclass, field, is_dataclass
from datetime import datetime
from decimal import Decimal
from itertools import chain
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from dlt.common.libs import is_pydantic_model
from dlt.extract import DltResource
from dlt.extract.extractors import ImportFileMeta
from dlt.extract.items_transform import ItemTransform, MapItem

from dlt_bunce.destination.mapping.column_kinds import ColumnKinds, text_column
from dlt_bunce.destination.mapping.data_frames import tables_of
from dlt_bunce.destination.mapping.hints_of_rows import table_of, with_hints_of_rows
from dlt_bunce.destination.mapping.whole_reads import note_read
from dlt_bunce.records.mapping.schema import (
    ColumnNames,
)
from dlt_bunce.records.text.not_text import has_half, marked
from dlt_bunce.records.text.plain import plain
from dlt_bunce.records.text.value_texts import TEXT, python_number, types_in, value_text

SHOWN_HINT = "x-bunce-shown"
"""What the latest extraction had and dlt does not tell. `columns` may be unknown to it: mapped
columns of dicts that are not text, and columns of tables that have no type, but not those that
would be a customer's field by their name alone. `fields` are columns of tables that are such a
field: dlt adds those of earlier loads.
"""
VALUES_HINT = "x-bunce-values"
"""Type of each column's values, though the column is declared as text."""
_EXACT = 2**53
"""From this value on, a float may have lost digits and is left unchanged."""
_NO_COLUMNS: Mapping[str, str] = MappingProxyType({})
_NOTHING = frozenset({"NAType", "NaTType"})
_COMMON = frozenset({type(None), bool, datetime, dict, float, int, list, str})


# how many types it takes differs by dlt's version
if TYPE_CHECKING:
    from dlt import Schema

    _Transform = ItemTransform[Any]
else:
    _Transform = ItemTransform


@dataclass
class _Seen:
    """What rows of one table have shown so far, and which hints were given for it."""

    known: set[str] = field(default_factory=set)
    as_text: set[str] = field(default_factory=set)
    values: set[str] = field(default_factory=set)
    types: dict[str, str] = field(default_factory=dict)
    nulls: set[str] = field(default_factory=set)
    fields: set[str] | None = None


class MappedRows(_Transform):
    """Transform that declares mapped columns of rows, and casts Arrow tables to types of dlt.

    It follows the maps and filters of a resource, whenever these are added.
    """

    placement_affinity = 0.5

    def __init__(
        self,
        mapping: Mapping[str, ColumnNames],
        attributes: Mapping[str, str] | str = _NO_COLUMNS,
        segments: Mapping[str, str] = _NO_COLUMNS,
    ) -> None:
        super().__init__(lambda item: item)
        self._kinds = ColumnKinds(mapping, attributes, segments)
        self._seen: defaultdict[str | None, _Seen] = defaultdict(_Seen)

    def bind(self, pipe: Any) -> Any:
        """Return the step of one extraction, which tells it all anew: a resource may be loaded into
        several pipelines, or under several names. Also notes how the source is read, from now on.
        """
        note_read(pipe)
        bound = copy(self)
        bound._seen = defaultdict(_Seen)  # noqa: SLF001, of this class
        return bound

    def __call__(self, item: Any, meta: Any = None) -> Any:
        """Return the item, with hints if it is the first to have a column. `meta` is what the
        resource says of it: its table, or hints.
        """
        if isinstance(meta, ImportFileMeta):
            return _of_file(meta) if item is None else item
        seen = self._seen[table_of(meta)]
        if tables := tables_of(item):
            # plain() also raises if two columns have one name
            return self._of_tables([plain(table) for table in tables], seen, meta)
        rows = [_as_dict(row) for row in (item if isinstance(item, list) else [item])]
        if not rows or not isinstance(rows[0], dict):
            return item
        if not _COMMON.issuperset({type(value) for row in rows for value in row.values()}):
            rows = [{name: _python(value) for name, value in row.items()} for row in rows]
        new: set[str] = set()
        for row in rows:
            new |= row.keys() - seen.known
        texts = {name for name in new if self._kinds.is_text(name)}
        seen.known |= new
        seen.as_text |= texts
        seen.values |= {name for name in texts if self._kinds.is_value(name)}
        types = seen.types | types_in(rows, seen.values, seen.types)
        rows = [_as_written(row, seen) for row in rows]
        others = {name for name in new if self._kinds.is_other(name)}
        if not texts and not others and types == seen.types:
            return rows
        seen.types = types
        columns: Any = {name: text_column(name) for name in sorted(texts)}
        # dlt drops columns that held only nulls so far; these must not count as unknown
        shown = {"columns": sorted(filter(self._kinds.is_other, seen.known))}
        told: Any = {SHOWN_HINT: shown, VALUES_HINT: types}
        return with_hints_of_rows(rows, meta, columns, told)

    def _of_tables(self, tables: list[Any], seen: _Seen, meta: Any) -> Any:
        """Return the tables, with hints if they are the first, or have other columns that matter.

        dlt drops columns without a type, and they must not count as unknown. It takes timestamps
        without a time zone for UTC unless it is told that they have none.
        """
        table = tables[0] if len(tables) == 1 else tables
        names: dict[str, Any] = {}
        for column in chain.from_iterable(each.schema for each in tables):
            if pa.types.is_null(names.setdefault(column.name, column.type)):
                names[column.name] = column.type
        untyped = {name for name in names if pa.types.is_null(names[name])}
        fields = {name for name in names if self._kinds.may_be_field(name)}
        empty = {name for name in untyped if name not in fields or self._kinds.is_mapped(name)}
        typed = filter(self._kinds.is_value, names.keys() - untyped)
        # rows in dicts may have none of their values
        types = seen.types | dict.fromkeys(typed, TEXT)
        is_told = types == seen.types or not seen.values
        seen.types = types
        known = seen.fields is not None and fields <= seen.fields and empty <= seen.nulls
        if known and is_told:
            return table
        seen.nulls |= empty
        seen.fields = fields | (seen.fields or set())
        columns: Any = {name: {"name": name, "nullable": True} for name in fields}
        columns |= {
            name: {"name": name, "timezone": kind.tz is not None}
            for name, kind in names.items()
            if pa.types.is_timestamp(kind) and self._kinds.is_value(name)
        }
        shown = {"columns": sorted(seen.nulls), "fields": sorted(seen.fields)}
        told: Any = {SHOWN_HINT: shown}
        if seen.values:
            told[VALUES_HINT] = types
        return with_hints_of_rows(table, meta, columns, told)


class AfterMappedRows(MapItem):
    """A step that sees rows as `MappedRows` leaves them."""

    placement_affinity = 0.6


def _of_file(meta: ImportFileMeta) -> Any:
    """Return what stands for the rows of a file that dlt imports: a table shows their columns. Not
    None, since dlt leaves out an item of which a step makes that.
    """
    if meta.file_format != "parquet":
        return []
    return plain(pq.read_schema(meta.file_path).empty_table())


def _as_written(row: dict[str, Any], seen: _Seen) -> dict[str, Any]:
    changed = {
        name: value_text(value) if name in seen.values else _plain(value)
        for name in seen.as_text
        if not isinstance(value := row.get(name), str) and value is not None
    }
    row = row | changed if changed else row
    odd = {name: marked(value) for name, value in row.items() if has_half(value)}
    return row | odd if odd else row


def _as_dict(row: Any) -> Any:
    """Convert a row of a class that dlt would write as a dict."""
    if isinstance(row, dict):
        return row
    for method in ("asdict", "_asdict"):
        if hasattr(row, method):
            return getattr(row, method)()
    if is_pydantic_model(row):
        return row.model_dump(by_alias=True)
    return asdict(row) if is_dataclass(row) and not isinstance(row, type) else row


def _python(value: Any) -> Any:
    """Convert NA and NaT of pandas to None, and numbers of NumPy to Python's: dlt cannot write
    them, or writes NaT as text.
    """
    return None if type(value).__name__ in _NOTHING else python_number(value)


def _plain(value: Any) -> Any:
    """Convert whole numbers, and those of other libraries, to int, and NaN to None."""
    value = python_number(value)
    if isinstance(value, float | Decimal):
        if value != value:  # noqa: PLR0124, not a number
            return None
        number: Any = value
        if abs(number) < _EXACT and number == int(number):
            return int(number)
    return value


def with_mapped_rows(
    resource: DltResource,
    mapping: Mapping[str, ColumnNames],
    attributes: Mapping[str, str] | str = _NO_COLUMNS,
    segments: Mapping[str, str] = _NO_COLUMNS,
) -> None:
    """Add the step to a resource, replacing one from an earlier call."""
    pipe = resource._pipe  # noqa: SLF001, dlt has no public call that removes a step
    for number in reversed(range(len(pipe.steps))):
        if isinstance(pipe.steps[number], MappedRows):
            pipe.remove_step(number)
    resource.add_step(MappedRows(mapping, attributes, segments))


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
