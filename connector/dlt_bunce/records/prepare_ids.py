"""Preparation of rows that hold values of customers whom another table brings: their ids alone."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.records.duplicates import DUPLICATES, marked
from dlt_bunce.records.fields.fields import identifiers
from dlt_bunce.records.fields.rules import Rules
from dlt_bunce.records.mapping.mapping import FieldMapping
from dlt_bunce.records.mapping.source_columns import versions_of
from dlt_bunce.records.prepare import ACCEPTED_SCHEMA, REJECTED_SCHEMA, Prepared
from dlt_bunce.records.versions.newest_version import newest
from dlt_bunce.records.versions.version_kinds import VersionKind


def prepare_ids(
    source: pa.Table,
    mapping: FieldMapping,
    rules: Rules,
    duplicates: pa.Table | None = None,
    kind: VersionKind | None = None,
) -> Prepared:
    """Return the rows whose id can be used as accepted, with no field but the id.

    `duplicates` and `kind` are as in `prepare`. Versions only decide which row of an id counts.
    """
    count = source.num_rows
    rows = pa.array(range(count), pa.int64())
    ids = identifiers(source, mapping, rules.traces)
    versions, unreadable, other = versions_of(source, mapping, rules.version_format, kind)
    unreadable += 0 if other is None else other.true_count
    if duplicates is None:
        duplicates = _duplicates(rows, ids.values, versions)
    gives_way = duplicates.filter(duplicates.column("gives_way")).column("row").combine_chunks()
    stays = pc.invert(pc.is_in(rows, value_set=gives_way))
    good, bad = pc.is_valid(ids.values), pc.is_null(ids.values)
    accepted, rejected = pc.and_(stays, good), pc.and_(stays, bad)
    code = pc.if_else(ids.invalid, "invalid_customer_id", "missing_customer_id")
    return Prepared(
        accepted=_table(
            ACCEPTED_SCHEMA,
            row=rows.filter(accepted),
            customer_id=ids.values.filter(accepted),
        ),
        rejected=_table(REJECTED_SCHEMA, row=rows.filter(rejected), code=code.filter(rejected)),
        superseded=len(gives_way),
        read=count,
        warnings={"versions_unreadable": unreadable} if unreadable else {},
    )


def _duplicates(rows: pa.Array, ids: pa.Array, versions: pa.Array) -> pa.Table:
    kept = newest(ids, versions)
    if kept is None:
        return DUPLICATES.empty_table()
    return marked(rows.filter(pc.invert(kept)), gives_way=True)


def _table(schema: pa.Schema, **columns: pa.Array) -> pa.Table:
    """Return a table in which all other columns are null."""
    count = len(columns["row"])
    arrays = [columns.get(field.name, pa.nulls(count, field.type)) for field in schema]
    return pa.table(arrays, schema=schema)
