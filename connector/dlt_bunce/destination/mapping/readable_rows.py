"""Rows as dlt can compare and write them, before a model or a cursor sees them.

Columns that are text in Bunce are noted here, since a cursor may drop the only rows that have one.
What the rows mean stays: a number that feeds an attribute is a number to a model and to a cursor,
and becomes text behind them, in `MappedRows`.
"""

from __future__ import annotations

from collections import defaultdict
from copy import copy
from dataclasses import asdict, dataclass, field, is_dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pyarrow.parquet as pq
from dlt.common.libs import is_pydantic_model
from dlt.extract.extractors import ImportFileMeta
from dlt.extract.items_transform import ItemTransform, MapItem

from dlt_bunce.destination.mapping.column_kinds import ColumnKinds
from dlt_bunce.destination.mapping.data_frames import tables_of
from dlt_bunce.destination.mapping.hints_of_rows import table_of
from dlt_bunce.records.text.not_text import has_half, marked
from dlt_bunce.records.text.plain import plain
from dlt_bunce.records.text.value_texts import BYTES, python_number, value_text

_EXACT = 2**53
"""From this value on, a float may have lost digits and is left unchanged."""
_BITS = 63
"""Larger whole numbers are written as decimals."""
_NOTHING = frozenset({"NAType", "NaTType"})
_TIMES = frozenset({"datetime64", "timedelta64"})
_COMMON = frozenset({type(None), bool, datetime, dict, float, int, list, str})
_WRITABLE = _COMMON | {bytes, date, Decimal, time, UUID}


# how many types it takes differs by dlt's version
if TYPE_CHECKING:
    _Transform = ItemTransform[Any]
else:
    _Transform = ItemTransform


@dataclass
class ReadColumns:
    """Columns that rows in dicts of one table have shown so far: all, those that are text in Bunce,
    and of these the columns of attribute values and segment members.
    """

    known: set[str] = field(default_factory=set)
    as_text: set[str] = field(default_factory=set)
    values: set[str] = field(default_factory=set)
    is_odd: bool = False
    """Whether there may be values of types that dlt cannot write."""


class ReadableRows(_Transform):
    """Transform that makes dicts of rows, with values that dlt can write, and casts Arrow tables to
    types of dlt.

    It follows the maps and filters of a resource, whenever these are added.
    """

    placement_affinity = 0.5

    def __init__(self, kinds: ColumnKinds) -> None:
        super().__init__(lambda item: item)
        self.kinds = kinds
        self.columns: defaultdict[str | None, ReadColumns] = defaultdict(ReadColumns)
        """By the table that a resource names for its rows; None for its own."""

    def bind(self, _pipe: Any) -> Any:
        """Return the step of one extraction: a resource may be loaded several times."""
        bound = copy(self)
        bound.columns = defaultdict(ReadColumns)
        return bound

    def __call__(self, item: Any, meta: Any = None) -> Any:
        """Return the item. `meta` is what the resource says of it: its table, or hints."""
        if isinstance(meta, ImportFileMeta):
            return _of_file(meta) if item is None else item
        if tables := tables_of(item):
            # plain() also raises if two columns have one name
            tables = [plain(table) for table in tables]
            return tables[0] if len(tables) == 1 else tables
        page = [_as_dict(row) for row in (item if isinstance(item, list) else [item])]
        rows = [row for row in page if isinstance(row, dict)]
        if not rows:
            return item
        columns = self.columns[table_of(meta)]
        types = {type(value) for row in rows for value in row.values()}
        if not types <= _COMMON:
            rows = [{name: _python(value) for name, value in row.items()} for row in rows]
            columns.is_odd |= not types <= _WRITABLE
        for row in rows:
            if not row.keys() <= columns.known:
                self._note(row.keys() - columns.known, columns)
        fields = columns.as_text - columns.values
        written = [_as_written(row, fields, columns.values) for row in rows]
        if len(written) == len(page):
            return written
        # what is no row stays where it was
        left = iter(written)
        return [next(left) if isinstance(row, dict) else row for row in page]

    def _note(self, new: set[str], columns: ReadColumns) -> None:
        columns.known |= new
        # dlt names a column that has no name itself
        new = {name for name in new if isinstance(name, str) and name.strip()}
        columns.as_text |= set(filter(self.kinds.is_text, new))
        columns.values |= set(filter(self.kinds.is_value, new))


class AfterReadableRows(MapItem):
    """A step that sees rows as `ReadableRows` leaves them."""

    placement_affinity = 0.6


def _of_file(meta: ImportFileMeta) -> Any:
    """Return what stands for the rows of a file that dlt imports: a table shows their columns. Not
    None, since dlt leaves out an item of which a step makes that.
    """
    if meta.file_format != "parquet":
        return []
    return plain(pq.read_schema(meta.file_path).empty_table())


def _as_written(row: dict[str, Any], fields: set[str], values: set[str]) -> dict[str, Any]:
    changed = {
        name: _plain(value)
        for name in fields
        if not isinstance(value := row.get(name), str) and value is not None
    }
    row = row | changed if changed else row
    # what feeds an attribute is marked when it is text
    odd = {
        name: marked(value)
        for name, value in row.items()
        if has_half(value) and (name not in values or isinstance(value, str))
    }
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
    """Convert NA and NaT of pandas to None, and numbers, times, and arrays of NumPy to Python's:
    dlt cannot write them, or writes NaT as text.
    """
    name = type(value).__name__
    if name in _NOTHING:
        return None
    if name == "ndarray":
        return list(map(_python, value))
    if name in _TIMES:
        return value.astype(f"{name}[us]").tolist()  # of nanoseconds, it makes a number
    return python_number(value)


def _plain(value: Any) -> Any:
    """Convert whole numbers, and those of other libraries, to int, NaN to None, and bytes to text:
    dlt would make base64 of them.
    """
    if type(value) in BYTES:
        return value_text(value)
    value = python_number(value)
    if isinstance(value, float | Decimal):
        if value != value:  # noqa: PLR0124, not a number
            return None
        number: Any = value
        if abs(number) < _EXACT and number == int(number):
            return int(number)
    if isinstance(value, int) and value.bit_length() > _BITS:
        return Decimal(value)
    if isinstance(value, Decimal) and value == (whole := value.to_integral_value()):
        return whole  # exact, and not to be taken for a float
    return value
