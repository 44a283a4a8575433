"""Access to the mapped columns of a source."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.records.mapping.mapping import FieldMapping
from dlt_bunce.records.mapping.paths import at_path, column_of_path, starts_of
from dlt_bunce.records.mapping.schema import FIELDS, FULL_NAME, PARTS, VARIANT
from dlt_bunce.records.text.text import as_json, flat
from dlt_bunce.records.versions.version_kinds import KnownVersions, VersionKind, read_as


def belonging(names: Sequence[str], columns: Collection[str]) -> list[str]:
    """Return the `names` that contain values of `columns`, which may be paths.

    dlt keeps values of another type than their column's in variant columns, one per type.
    """
    wanted = {start for column in columns for start in starts_of(column)}
    return [name for name in names if name.partition(VARIANT)[0] in wanted]


def values_of(source: pa.Table, column: str | None) -> pa.Array:
    """Return the values of a source column, or at a path; nulls if it does not exist."""
    if column is None:
        return pa.nulls(source.num_rows)
    variants = variants_of(source, column)
    if len(variants) == 1:
        return variants[0]
    return pc.coalesce(*(variant.cast(pa.string()) for variant in variants))


def variants_of(source: pa.Table, column: str) -> list[pa.Array]:
    """Return the values of a column, or at a path, and those of its variant columns; each row has
    a value in one of them at most.
    """
    own = column_of_path(column, source.column_names)
    if own is None:
        return [pa.nulls(source.num_rows)]
    if own != column:
        return [at_path(source.column(own), column[len(own) + 1 :].split("."))]
    variants = [name for name in source.column_names if name.startswith(f"{column}{VARIANT}")]
    return [flat(source.column(name)) for name in (column, *variants)]


def field_values(source: pa.Table, mapping: FieldMapping, field: str) -> list[pa.Array]:
    """Return the source values for a field: one array for each of its columns, at least one."""
    if field == "devices" and PARTS[0] in mapping.columns:
        return [_device_lists([values_of(source, mapping.columns[part]) for part in PARTS])]
    return [values_of(source, column) for column in mapping.columns_of(field) or (None,)]


def _device_lists(parts: Sequence[pa.Array]) -> pa.Array:
    """Return a list of one device per row, empty if the row has none of its parts."""
    has = pc.or_(*(pc.is_valid(part) for part in parts))
    devices = pa.StructArray.from_arrays([part.filter(has) for part in parts], list(PARTS))
    ends = pc.cumulative_sum(has.cast(pa.int32()))
    return pa.ListArray.from_arrays(pa.concat_arrays([pa.array([0], pa.int32()), ends]), devices)


def versions_of(
    source: pa.Table,
    mapping: FieldMapping,
    date_format: str | None,
    kind: VersionKind | None = None,
) -> KnownVersions:
    """Return the versions of a part of a load whose versions are of this kind; see `read_as`."""
    if mapping.version is None:
        return KnownVersions(pa.nulls(source.num_rows, pa.int64()), 0)
    return read_as(values_of(source, mapping.version), mapping.version, date_format, kind)


def contents_of(source: pa.Table, mapping: FieldMapping) -> pa.Array:
    """Return all fields of each row but its id, joined into one text."""
    fields = (*FIELDS[1:], *([FULL_NAME] if FULL_NAME in mapping.columns else []))
    columns = [column for name in fields for column in field_values(source, mapping, name)]
    texts = [column if pa.types.is_string(column.type) else as_json(column) for column in columns]
    return pc.binary_join_element_wise(*(pc.fill_null(text, "") for text in texts), "\x1f")
