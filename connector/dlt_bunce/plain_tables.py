"""Arrow tables as dlt can keep them: a column of an unusual type stops no load.

dlt knows no durations, intervals, extension types, views, or run-end encoding. Each becomes the
plain type of what it means, or text.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.types as pt

from dlt_bunce.errors import SourceError

_PRECISION = 38


def plain(item: Any) -> Any:
    """The same rows in plain types; anything but a table or a batch is returned as it is.

    Raises SourceError for two columns of one name, of which dlt would keep the last.
    """
    if not isinstance(item, (pa.Table, pa.RecordBatch)):
        return item
    refuse_twice(item.schema.names, "The rows")
    for number, field in enumerate(item.schema):
        if not _is_plain(field.type):
            column = _plain(item.column(number))
            item = item.set_column(number, pa.field(field.name, column.type), column)
    return item


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


def _is_plain(kind: Any) -> bool:
    if pt.is_list(kind) or pt.is_large_list(kind):
        return _is_plain(kind.value_type)
    if pt.is_struct(kind):
        return all(_is_plain(field.type) for field in kind)
    if pt.is_decimal(kind):
        return bool(kind.precision <= _PRECISION and pt.is_decimal128(kind))
    if pt.is_timestamp(kind):
        return bool(kind.unit != "ns")
    return not isinstance(kind, pa.BaseExtensionType) and not (
        pt.is_duration(kind)
        or pt.is_interval(kind)
        or pt.is_run_end_encoded(kind)
        or pt.is_string_view(kind)
        or pt.is_binary_view(kind)
        or pt.is_list_view(kind)
        or pt.is_large_list_view(kind)
        or pt.is_float16(kind)
        or pt.is_union(kind)
        or pt.is_map(kind)
    )


def _plain(column: Any) -> Any:
    kind = column.type
    if isinstance(column, pa.ChunkedArray):
        chunks = [_plain(chunk) for chunk in column.chunks]
        return pa.chunked_array(chunks) if chunks else pa.chunked_array([], pa.string())
    if isinstance(kind, pa.BaseExtensionType):
        if kind.extension_name == "arrow.uuid":
            return _texts(column)
        return plain_array(column.storage)
    if pt.is_run_end_encoded(kind):
        return plain_array(pa.compute.run_end_decode(column))
    simple = _simple(kind)
    return _texts(column) if simple is None else column.cast(simple, safe=False)


def _simple(kind: Any) -> Any:
    """The plain type with the same values, times to the microsecond; None where there is none."""
    if pt.is_decimal(kind):
        wide = kind.precision > _PRECISION
        return None if wide else pa.decimal128(kind.precision, kind.scale)
    if pt.is_timestamp(kind):
        return pa.timestamp("us", kind.tz)
    kinds = {
        pt.is_string_view: pa.large_string(),
        pt.is_binary_view: pa.large_binary(),
        pt.is_float16: pa.float32(),
        pt.is_duration: pa.int64(),
    }
    return next((simple for test, simple in kinds.items() if test(kind)), None)


def plain_array(column: Any) -> Any:
    """A column that was wrapped, and may be unusual itself."""
    return column if _is_plain(column.type) else _plain(column)


def _texts(column: Any) -> Any:
    # no kernel turns these into text
    return pa.array([None if v is None else str(v) for v in column.to_pylist()], pa.string())
