"""One schema for files whose columns have changed their types from one to another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from dlt_bunce.errors import SourceError

_EXACT = 2.0**53
"""From here on a float may have lost digits, and stays what it is."""


def common_schema(schemas: Mapping[str, pa.Schema]) -> pa.Schema | None:
    """The columns of all files by their names, each of a type that holds the values of all; None
    where there are no files.

    Raises SourceError for two columns of one name in a file, and for types that no type can hold.
    """
    kinds: dict[str, pa.DataType] = {}
    first: dict[str, str] = {}
    for file, schema in schemas.items():
        for name, count in Counter(schema.names).items():
            if count > 1:
                raise SourceError(
                    f"Column {name!r} stands {count} times in {file}.",
                    remedy="Rename or remove all but one of them.",
                )
        for field in schema:
            known = kinds.get(field.name)
            kind = field.type if known is None else _common(known, field.type)
            if kind is None:
                raise SourceError(
                    f"Column {field.name!r} is {field.type} in {file}, and {known} in "
                    f"{first[field.name]}.",
                    remedy="Write it with one type into all files, or load them one after the "
                    "other.",
                )
            kinds[field.name] = kind
            if not pt.is_null(field.type):
                first.setdefault(field.name, file)
    return pa.schema(list(kinds.items())) if schemas else None


def fitted(batch: Any, schema: pa.Schema | None, file: str) -> Any:
    """The same rows in `schema`; null where a file has no such column. Raises SourceError."""
    if schema is None or batch.schema.equals(schema):
        return batch
    columns = []
    for field in schema:
        if field.name not in batch.schema.names:
            columns.append(pa.nulls(batch.num_rows, field.type))
            continue
        column = batch.column(field.name)
        try:
            columns.append(_as_type(column, field.type))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            raise SourceError(
                f"Column {field.name!r} is {column.type} in {file}, and other files have values "
                f"that need {field.type}.",
                remedy="Write it with one type into all files, or load them one after the other.",
            ) from None
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _common(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    if one.equals(other) or pt.is_null(other):
        return one
    one, other = _value_type(one), _value_type(other)
    if one.equals(other) or pt.is_null(one):
        return other
    kinds = (one, other)
    if any(_is_text(kind) for kind in kinds) and all(_is_text(k) or _is_number(k) for k in kinds):
        return pa.large_string() if any(map(pt.is_large_string, kinds)) else pa.string()
    try:
        schemas = [pa.schema([("column", kind)]) for kind in kinds]
        return pa.unify_schemas(schemas, promote_options="permissive").field(0).type
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return None


def _value_type(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pt.is_dictionary(kind) else kind


def _as_type(column: Any, kind: pa.DataType) -> Any:
    if _is_text(kind) and pt.is_floating(column.type):
        # 8031234567.0 is a number that another writer had to store with nulls
        whole = pc.and_(
            pc.less(pc.abs(column), _EXACT), pc.equal(pc.floor(column), column)
        ).fill_null(False)
        digits = pc.if_else(whole, column, 0.0).cast(pa.int64()).cast(kind)
        return pc.if_else(whole, digits, column.cast(kind))
    return column.cast(kind)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pt.is_string(kind) or pt.is_large_string(kind) or pt.is_string_view(kind))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pt.is_integer(kind) or pt.is_floating(kind) or pt.is_decimal(kind))
