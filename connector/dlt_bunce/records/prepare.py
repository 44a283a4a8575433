"""Preparation of a source table: customers that can be sent, and rows that cannot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.records.cells import LETTER_ID
from dlt_bunce.records.defects import Defects, other_defects
from dlt_bunce.records.duplicates import DUPLICATES, marked
from dlt_bunce.records.fields.fields import (
    Parser,
    first_filled,
    identifiers,
    read_field,
    split_names,
)
from dlt_bunce.records.fields.payload import payloads
from dlt_bunce.records.fields.rules import Rules, canonical_defaults, parsers_of
from dlt_bunce.records.fingerprint import fingerprint, text_digests
from dlt_bunce.records.mapping.mapping import VERSION, FieldMapping
from dlt_bunce.records.mapping.schema import FIELDS, FULL_NAME, NAMES, REQUIRED
from dlt_bunce.records.mapping.source_columns import (
    belonging,
    contents_of,
    field_values,
    versions_of,
)
from dlt_bunce.records.text.column import Column, any_true, none_of
from dlt_bunce.records.text.python_values import rows_of
from dlt_bunce.records.text.text import canonical_json, read_text
from dlt_bunce.records.unreadable import with_unreadable
from dlt_bunce.records.versions.newest_version import newest, repeated, undecided, with_many
from dlt_bunce.records.versions.version_kinds import CODE as INVALID_VERSION
from dlt_bunce.records.versions.version_kinds import VersionKind

ACCEPTED_SCHEMA = pa.schema(
    [("row", pa.int64())]
    + [(name, pa.string()) for name in (*FIELDS, "fingerprint")]
    + [("version", pa.int64())]
)
REJECTED_SCHEMA = pa.schema(
    [("row", pa.int64())]
    + [(name, pa.string()) for name in ("customer_id", "code", "field", "message", "fingerprint")]
    + [("email", pa.string())]
    + [("version", pa.int64())]
    + [("other_defects", pa.string())]
)

NOTES: Mapping[str, Sequence[str]] = {
    "devices_left_out": ["devices"],
    "names_damaged": ["first_name", "last_name"],
    "phones_shortened": ["phone_no"],
}
"""For each warning, the fields whose noted values it counts."""
SHARED_BY = 5
"""An id that has so many emails within a chunk is not that of one person."""


@dataclass(frozen=True)
class Prepared:
    """The rows of a table: each is accepted, rejected, or counted as superseded.

    `accepted`: row (index into the source), the six fields, fingerprint, version.
    `rejected`: row, customer_id (null if unusable), code, field, message, fingerprint, email (null
    if unusable), version, other_defects (JSON, null if there is one defect only). The fingerprint
    of a row without an id covers all its columns.
    `warnings`: number of rows, whatever their fate, by code of WARNINGS.
    """

    accepted: pa.Table
    rejected: pa.Table
    superseded: int
    read: int
    warnings: Mapping[str, int] = field(default_factory=dict)


def prepare(
    source: pa.Table,
    mapping: FieldMapping,
    rules: Rules,
    duplicates: pa.Table | None = None,
    kind: VersionKind | None = None,
) -> Prepared:
    """Validate every row of `source` and compute the fingerprints of the valid ones.

    Of several rows with one customer_id only the newest stays. If `source` is a part of a larger
    load, `duplicates` (DUPLICATES) lists the rows that give way; otherwise they are found within
    `source`. Rows with a version of another `kind` than the load's are rejected, and decide nothing
    about others. Raises MappingError for a version column that cannot be ordered and
    ConfigurationError for an invalid default.
    """
    defaults = canonical_defaults(rules)
    unfiltered = source
    rows = pa.array(range(source.num_rows), pa.int64())
    ids = identifiers(source, mapping, rules.traces)
    versions, unreadable, other = versions_of(source, mapping, rules.version_format, kind)
    other = none_of(len(rows)) if other is None else other
    if duplicates is None:
        comparable = pc.if_else(other, pa.scalar(None, pa.string()), ids.values)
        duplicates = _duplicates(source, mapping, comparable, versions)
    shared = _sharing_an_id(source, mapping, ids.values) if duplicates.num_rows else 0
    given_way = duplicates.filter(duplicates.column("gives_way")).column("row").combine_chunks()
    if len(given_way):
        kept = pc.invert(pc.is_in(rows, value_set=given_way))
        source = source.select(belonging(source.column_names, mapping.source_columns))
        source, rows, versions = source.filter(kept), rows.filter(kept), versions.filter(kept)
        ids, other = ids.filter(kept), other.filter(kept)
    parsed = {"customer_id": ids} | {
        name: read_field(source, mapping, name, parse) for name, parse in parsers_of(rules).items()
    }
    for name, part in split_names(source, mapping, rules.traces).items():
        parsed[name] = parsed[name].or_else(_validated(part, parsers_of(rules)[name]))
    filled = {name: column.or_default(defaults.get(name)) for name, column in parsed.items()}
    bad = reduce(pc.or_, (_refused(name, column) for name, column in filled.items()), other)
    return Prepared(
        accepted=_accepted(rows, filled, versions, pc.invert(bad)),
        rejected=_rejected(unfiltered, rows, parsed, filled, (versions, other), bad, mapping),
        superseded=len(given_way),
        read=unfiltered.num_rows,
        warnings={
            code: count
            for code, count in (
                *(
                    (note, _count_rows(parsed[name].noted for name in names))
                    for note, names in NOTES.items()
                ),
                ("placeholders_blank", _count_rows(c.blanked for c in parsed.values())),
                ("versions_unreadable", unreadable),
                ("ids_shared", shared),
                ("id_may_change", unfiltered.num_rows if _id_may_change(mapping) else 0),
                ("ids_repeated", duplicates.num_rows - len(given_way)),
            )
            if count
        },
    )


def _id_may_change(mapping: FieldMapping) -> bool:
    """Return whether a column of the customer id feeds another field, too."""
    return any("customer_id" in fields for fields in mapping.shared.values())


def _count_rows(masks: Iterable[pa.Array | None]) -> int:
    """Return the number of rows in which any of the masks is true."""
    present = [mask for mask in masks if mask is not None]
    return reduce(pc.or_, present).true_count if present else 0


def _validated(part: Column, parse: Parser) -> Column:
    """Return a name that was split from another column, as it would be if it had its own."""
    parsed = parse(part.values)
    parsed = replace(parsed, raw=pc.coalesce(parsed.raw, part.raw), blanked=part.blanked)
    return parsed.refuse(part.invalid, part.reason)


def _sharing_an_id(source: pa.Table, mapping: FieldMapping, ids: pa.Array) -> int:
    """Return the number of rows whose id has more emails than one person is likely to have."""
    emails = first_filled(field_values(source, mapping, "email"), read_text).values
    return with_many(ids, pc.ascii_lower(emails), SHARED_BY)


def _duplicates(
    source: pa.Table, mapping: FieldMapping, ids: pa.Array, versions: pa.Array
) -> pa.Table:
    kept = newest(ids, versions)
    if kept is None:
        return DUPLICATES.empty_table()
    among = repeated(ids)
    rows = pa.array(range(len(ids)), pa.int64()).filter(among)
    contents = contents_of(source.filter(among), mapping)
    kept = kept.filter(among)
    open_ = undecided(ids.filter(among), versions.filter(among), contents, kept)
    superseded = rows.filter(pc.invert(kept))
    return pa.concat_tables(
        [marked(superseded, gives_way=True), marked(rows.filter(open_), gives_way=False)]
    )


def _accepted(
    rows: pa.Array, columns: Mapping[str, Column], versions: pa.Array, good: pa.Array
) -> pa.Table:
    values = {name: column.values for name, column in columns.items()}
    if any_true(pc.invert(good)):
        values = {name: array.filter(good) for name, array in values.items()}
        rows, versions = rows.filter(good), versions.filter(good)
    arrays = [rows, *values.values(), fingerprint(values), versions]
    return pa.Table.from_arrays(arrays, schema=ACCEPTED_SCHEMA)


def _rejected(
    source: pa.Table,
    rows: pa.Array,
    parsed: Mapping[str, Column],
    filled: Mapping[str, Column],
    versions: tuple[pa.Array, pa.Array],
    bad: pa.Array,
    mapping: FieldMapping,
) -> pa.Table:
    if not any_true(bad):
        return REJECTED_SCHEMA.empty_table()
    count, (version, other) = bad.true_count, (array.filter(bad) for array in versions)
    why = f"most versions in {mapping.version!r} are of another kind"
    code, at_fault, message = (
        pa.repeat(pa.scalar(text, pa.string()), count) for text in (INVALID_VERSION, VERSION, why)
    )
    defects = [Defects(VERSION, other, code, message)]
    # from the last field to the first, so that the first failing field is the one reported
    for name in reversed(FIELDS):
        column = filled[name].filter(bad)
        refused = _refused(name, column)
        kind = pc.if_else(column.invalid, f"invalid_{name}", f"missing_{name}")
        reason = pc.coalesce(column.reason, pa.scalar(_missing_reason(name, mapping)))
        defects.insert(0, Defects(name, refused, kind, reason))
        code = pc.if_else(refused, kind, code)
        at_fault = pc.if_else(refused, name, at_fault)
        message = pc.if_else(refused, reason, message)
    arrays = [
        rows.filter(bad),
        parsed["customer_id"].values.filter(bad),
        code,
        at_fault,
        message,
        _row_digests(
            source, rows.filter(bad), {n: column.filter(bad) for n, column in parsed.items()}
        ),
        parsed["email"].values.filter(bad),
        version,
        other_defects(defects),
    ]
    return with_unreadable(pa.Table.from_arrays(arrays, schema=REJECTED_SCHEMA), source)


def _row_digests(source: pa.Table, rows: pa.Array, columns: Mapping[str, Column]) -> pa.Array:
    """Return a digest per rejected row: of its fields, or of all its columns if it has no id."""
    digests = _field_digests(columns)
    nameless = pc.is_null(columns["customer_id"].values)
    if not any_true(nameless):
        return digests
    # rows without an id that differ only in an unmapped column are still different rows
    names = [n for n in source.column_names if not n.startswith("_dlt_") and n != LETTER_ID]
    nameless_rows = rows_of(source.select(names).take(rows.filter(nameless)))
    texts = [
        canonical_json({n: str(v) for n, v in row.items() if v is not None})
        for row in nameless_rows
    ]
    return pc.replace_with_mask(digests, nameless, text_digests(pa.array(texts, pa.string())))


def _field_digests(columns: Mapping[str, Column]) -> pa.Array:
    # canonical values if there are any: a bad field must not make the dead letter depend on how
    # the source writes the good ones
    return text_digests(
        payloads({f"source.{n}": pc.coalesce(c.values, c.raw) for n, c in columns.items()})
    )


def _refused(name: str, column: Column) -> pa.Array:
    if name not in REQUIRED:
        return column.invalid
    return pc.is_null(column.values)


def _missing_reason(name: str, mapping: FieldMapping) -> str:
    columns = mapping.columns_of(name)
    whole = mapping.columns_of(FULL_NAME) if name in NAMES else ()
    if not columns and not whole:
        return "no column is mapped"
    named = " and ".join(repr(column) for column in columns)
    parts = [
        f"null or blank in column{'s' if len(columns) > 1 else ''} {named}" if columns else "",
        f"no {name} in full name column {whole[0]!r}" if whole else "",
    ]
    return ", and ".join(filter(None, parts))
