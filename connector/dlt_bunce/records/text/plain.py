"""Conversion of Arrow tables to types that dlt and Parquet files support."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.errors import SourceError
from dlt_bunce.records.text.python_values import value_of
from dlt_bunce.records.text.text import flat
from dlt_bunce.records.text.value_texts import duration_texts


def plain(table: Any) -> Any:
    """Return the same rows with unsupported column types converted to the closest supported type.

    Nanoseconds become microseconds; UUIDs, durations and intervals (in ISO 8601), and unions become
    text; views, dictionaries, and run-end-encoded values are decoded; large text and binary become
    ordinary, fixed-size lists become lists; other extension types become their storage type.
    Anything but a table or a record batch is returned unchanged. Raises SourceError for two columns
    with the same name, of which dlt would keep only the last, for a column without a name, and for
    a type whose values end the process when they are read.
    """
    if not isinstance(table, pa.Table | pa.RecordBatch):
        return table
    refuse_twice(table.schema.names, "The rows")
    _refuse_nameless(table.schema.names)
    for field in table.schema:
        if _aborts(field.type):
            raise SourceError(
                f"Column {field.name!r} is of type {field.type}: Arrow cannot read dictionaries of "
                "run-end-encoded nested values.",
                remedy="Decode its values where the rows come from, with "
                "pyarrow.compute.run_end_decode.",
            )
    if all(_plain_type(kind) == kind for kind in table.schema.types):
        return table
    if isinstance(table, pa.RecordBatch):
        table = pa.Table.from_batches([table])
    for index, field in enumerate(table.schema):
        if _plain_type(field.type) != field.type:
            column = _plain_array(table.column(index))
            table = table.set_column(index, pa.field(field.name, column.type), column)
    return table


def refuse_twice(names: Any, where: str) -> None:
    """Raise SourceError for the first name that appears twice."""
    seen: set[str] = set()
    for name in names:
        base, _, number = name.rpartition(":")  # SQLite numbers repeated names of a subquery
        repeated = name if name in seen else base if number.isdecimal() and base in seen else None
        if repeated is not None:
            raise SourceError(
                f"{where} have two columns named {repeated!r}, and only one could be read.",
                remedy="List the columns in the query instead of *, and rename one: "
                f"SELECT a.{repeated}, b.{repeated} AS other_{repeated}.",
            )
        seen.add(name)


def _refuse_nameless(names: Iterable[str]) -> None:
    """Raise SourceError for a name that is blank: of a table, dlt can make no column of it."""
    if not all(map(str.strip, names)):
        raise SourceError(
            "The rows have a column without a name.",
            remedy='Name it where they come from, or leave it out: table.drop_columns([""])',
        )


def _aborts(kind: Any) -> bool:
    """Return whether Arrow ends the process, with no exception, when it reads a value of the type:
    seen up to version 26.
    """
    types = pa.types
    if isinstance(kind, pa.BaseExtensionType):
        return _aborts(kind.storage_type)
    if types.is_dictionary(kind) and types.is_run_end_encoded(kind.value_type):
        within = kind.value_type.value_type
        coded = types.is_dictionary(within) or types.is_run_end_encoded(within)
        if coded or types.is_nested(within):
            return True
    if types.is_dictionary(kind) or types.is_run_end_encoded(kind):
        return _aborts(kind.value_type)
    return any(_aborts(kind.field(index).type) for index in range(kind.num_fields))


def _plain_type(kind: Any) -> pa.DataType:
    types = pa.types
    if isinstance(kind, pa.BaseExtensionType):
        return pa.string() if kind.extension_name in _TEXTS else _plain_type(kind.storage_type)
    if types.is_run_end_encoded(kind) or types.is_dictionary(kind):
        return _plain_type(kind.value_type)
    if types.is_string_view(kind) or types.is_duration(kind) or types.is_interval(kind):
        return pa.string()
    # dlt writes a column that a later table lacks as string, and joins no string to a large_string
    if types.is_large_string(kind):
        return pa.string()
    if types.is_binary_view(kind) or types.is_large_binary(kind):
        return pa.binary()
    if types.is_union(kind) or (types.is_decimal(kind) and kind.scale < 0):
        return pa.string()
    if types.is_timestamp(kind) and kind.unit == "ns":
        return pa.timestamp("us", kind.tz)
    if types.is_time64(kind) and kind.unit == "ns":
        return pa.time64("us")
    return _plain_nested(kind)


def _plain_nested(kind: Any) -> pa.DataType:
    types = pa.types
    if types.is_struct(kind):
        fields = [kind.field(index) for index in range(kind.num_fields)]
        plain_fields = [field.with_type(_plain_type(field.type)) for field in fields]
        return kind if plain_fields == fields else pa.struct(plain_fields)
    if types.is_list_view(kind) or types.is_large_list_view(kind):
        return pa.list_(_plain_type(kind.value_type))
    if types.is_fixed_size_list(kind):
        # before 26, Arrow writes null ones to Parquet files that it then cannot read
        return pa.list_(_plain_type(kind.value_type))
    if types.is_list(kind) or types.is_large_list(kind):
        value = _plain_type(kind.value_type)
        return kind if value == kind.value_type else pa.list_(value)
    if types.is_map(kind):
        key, item = _plain_type(kind.key_type), _plain_type(kind.item_type)
        return kind if (key, item) == (kind.key_type, kind.item_type) else pa.map_(key, item)
    return kind


def _plain_array(column: Any) -> pa.Array:
    types = pa.types
    try:
        array = flat(column)
        if types.is_duration(array.type) or types.is_interval(array.type):
            return duration_texts(array)
        kind = _plain_type(array.type)
        if types.is_decimal(array.type) and array.type.scale < 0:
            # as text, Arrow has 1E+2 for a hundred, which is no id
            array = array.cast(_in_ones(array.type))
        if types.is_list_view(array.type) or types.is_large_list_view(array.type):
            array = _lists(array)
        if types.is_run_end_encoded(array.type):
            array = flat(pc.run_end_decode(array))
        # unsafe, because it truncates nanoseconds
        made = array.cast(kind, safe=False)
        made.validate()  # a cast of nested views returns arrays that cannot be written
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.array([_text(cell) for cell in column], pa.string())
    return made


def _in_ones(kind: Any) -> pa.DataType:
    """Return a type for the same decimals, of hundreds, say, with all of their digits."""
    return pa.decimal256(min(_WIDEST, kind.precision - kind.scale), 0)


def _lists(views: Any) -> pa.Array:
    """Return list views as lists."""
    lengths = pc.fill_null(pc.list_value_length(views).cast(pa.int32()), 0)
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), pc.cumulative_sum(lengths)])
    return pa.ListArray.from_arrays(offsets, pc.list_flatten(views), mask=views.is_null())


def _text(cell: Any) -> str | None:
    value = value_of(cell)
    return None if value is None else str(value)


_WIDEST = 76
"""Digits of a decimal in Arrow."""
_TEXTS = frozenset({"arrow.uuid", "arrow.json"})
