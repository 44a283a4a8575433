"""Arrow tables of whatever types there are, in types that dlt and Parquet files take."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.errors import SourceError
from dlt_bunce.records.text import flat


def plain(table: Any) -> Any:
    """The same rows; columns of other types are brought to the nearest. Anything but a table or a
    record batch is returned as it is.

    Nanoseconds become microseconds, UUIDs, durations, intervals, and unions text, views and
    run-end-encoded values what they stand for, other extension types what they are stored as.
    Raises SourceError for two columns of one name, of which dlt would keep the last.
    """
    if not isinstance(table, pa.Table | pa.RecordBatch):
        return table
    refuse_twice(table.schema.names, "The rows")
    if all(_plain_type(kind) == kind for kind in table.schema.types):
        return table
    if isinstance(table, pa.RecordBatch):
        table = pa.Table.from_batches([table])
    for at, field in enumerate(table.schema):
        if _plain_type(field.type) != field.type:
            column = _plain_array(flat(table.column(at)))
            table = table.set_column(at, pa.field(field.name, column.type), column)
    return table


def refuse_twice(names: Any, where: str) -> None:
    """Raises SourceError for the first name that stands twice."""
    seen: set[str] = set()
    for name in names:
        base, _, number = name.rpartition(":")  # as SQLite numbers those of a subquery
        twice = name if name in seen else base if number.isdecimal() and base in seen else None
        if twice is not None:
            raise SourceError(
                f"{where} have two columns named {twice!r}, and only one of them could be read.",
                remedy="Name the columns in the query instead of *, and rename one: "
                f"SELECT a.{twice}, b.{twice} AS other_{twice}.",
            )
        seen.add(name)


def _plain_type(kind: Any) -> pa.DataType:
    types = pa.types
    if isinstance(kind, pa.BaseExtensionType):
        return pa.string() if kind.extension_name in _TEXTS else _plain_type(kind.storage_type)
    if types.is_run_end_encoded(kind):
        return _plain_type(kind.value_type)
    if types.is_string_view(kind) or types.is_duration(kind) or types.is_interval(kind):
        return pa.string()
    if types.is_binary_view(kind):
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
        fields = [kind.field(at) for at in range(kind.num_fields)]
        plain_fields = [field.with_type(_plain_type(field.type)) for field in fields]
        return kind if plain_fields == fields else pa.struct(plain_fields)
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        value = _plain_type(kind.value_type)
        return kind if value == kind.value_type else pa.list_(value)
    if types.is_map(kind):
        both = _plain_type(kind.key_type), _plain_type(kind.item_type)
        return kind if both == (kind.key_type, kind.item_type) else pa.map_(*both)
    return kind


def _plain_array(array: Any) -> pa.Array:
    if pa.types.is_run_end_encoded(array.type):
        array = flat(pc.run_end_decode(array))
    kind = _plain_type(array.type)
    try:
        # cutting off nanoseconds is what makes it unsafe
        return array.cast(kind, safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.array([_text(cell) for cell in array], pa.string())


def _text(cell: Any) -> str | None:
    value = value_of(cell)
    return None if value is None else str(value)


def value_of(cell: Any) -> Any:
    """A cell as Python has it; as text where Python has no such value, such as the year 10000."""
    try:
        return cell.as_py()
    except UnicodeDecodeError:
        return cell.as_buffer().to_pybytes()
    except (OverflowError, ValueError):
        try:
            return cell.cast(pa.string()).as_py()
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return f"a value of type {cell.type}"


def rows_of(table: pa.Table) -> list[dict[str, Any]]:
    """The rows of a table; never fails for a value."""
    try:
        rows: list[dict[str, Any]] = table.to_pylist()
    except (OverflowError, ValueError):  # UnicodeDecodeError is one
        columns = {name: [value_of(cell) for cell in table[name]] for name in table.column_names}
        rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values())]  # noqa: B905, of one table
    return rows


_TEXTS = frozenset({"arrow.uuid", "arrow.json"})
