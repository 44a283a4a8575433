"""A common schema for files whose columns differ in type."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from dlt_bunce.errors import SourceError

_EXACT = 2.0**53
"""From here on a float may have lost digits, so it is not written as a whole number."""


def common_schema(schemas: Mapping[str, pa.Schema]) -> pa.Schema | None:
    """Return a schema of all columns of all files, or None if there are no files.

    Each column has a type that can represent its values in every file. Raises SourceError for
    repeated names in a file, and for types without a common type.
    """
    kinds: dict[str, pa.DataType] = {}
    first: dict[str, str] = {}
    for file, schema in schemas.items():
        for name, count in Counter(schema.names).items():
            if count > 1:
                raise SourceError(
                    f"Column {name!r} appears {count} times in {file}.",
                    remedy="Rename or remove all but one of them.",
                )
        for field in schema:
            known = kinds.get(field.name)
            kind = field.type if known is None else _common_type(known, field.type)
            if kind is None:
                raise SourceError(
                    f"Column {field.name!r} has type {field.type} in {file} but {known} in "
                    f"{first[field.name]}.",
                    remedy="Write the column with the same type in all files, or load the files "
                    "separately.",
                )
            kinds[field.name] = kind
            if not pt.is_null(field.type):
                first.setdefault(field.name, file)
    return pa.schema(list(kinds.items())) if schemas else None


def fitted(batch: Any, schema: pa.Schema | None, file: str) -> Any:
    """Convert rows to `schema`; columns missing from the file are null. Raises SourceError."""
    if schema is None or batch.schema.equals(schema):
        return batch
    columns = []
    for field in schema:
        if field.name not in batch.schema.names:
            columns.append(pa.nulls(batch.num_rows, field.type))
            continue
        column = batch.column(field.name)
        if _is_text(_value_type(column.type)) and _is_number(field.type):
            # text of any file makes the common type text; as a number, "02" would be 2
            raise SourceError(
                f"Column {field.name!r} has type {column.type} in {file}, and {field.type} when "
                "the files were listed: the file was replaced while files were read.",
                remedy="Run the same command again.",
            )
        try:
            columns.append(_as_type(column, field.type))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            raise SourceError(
                f"Column {field.name!r} has type {column.type} in {file}, but other files need "
                f"{field.type}.",
                remedy="Write the column with the same type in all files, or load the files "
                "separately.",
            ) from None
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _common_type(left: pa.DataType, right: pa.DataType) -> pa.DataType | None:
    """Return a type for the values of both, or None."""
    if left.equals(right) or pt.is_null(right):
        return left
    left, right = _value_type(left), _value_type(right)
    if left.equals(right) or pt.is_null(left):
        return right
    kinds = (left, right)
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
        # 8031234567.0 was a whole number: some writers store integers with nulls as floats
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
