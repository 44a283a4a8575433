"""From a source table to customers that can be sent, and rows that cannot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.errors import ConfigurationError, MappingError
from dlt_bunce.model import REJECT_CODES
from dlt_bunce.records.cells import LETTER_ID
from dlt_bunce.records.column import Column, any_true, none_of
from dlt_bunce.records.devices import judge_devices
from dlt_bunce.records.emails import judge_emails
from dlt_bunce.records.fingerprint import fingerprint, text_digests
from dlt_bunce.records.identifiers import judge_identifiers
from dlt_bunce.records.mapping import FieldMapping
from dlt_bunce.records.names import judge_names
from dlt_bunce.records.newest import newest, repeated, undecided
from dlt_bunce.records.payload import payloads
from dlt_bunce.records.phones import judge_phones
from dlt_bunce.records.plain import rows_of
from dlt_bunce.records.schema import FIELDS, REQUIRED
from dlt_bunce.records.text import as_json, canonical_json, flat
from dlt_bunce.records.versions import read_versions

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
)

NOTES: Mapping[str, str] = {"devices": "devices_left_out"}
"""The warning that counts what was noted of a field's values."""
_VARIANT = "▶v_"
MAPPING_SAMPLE = 1_000
"""So many first rows, all rejected for the same reason, mean a wrong mapping, not bad rows."""


@dataclass(frozen=True)
class Rules:
    """What the configuration says about values.

    `default_region` is the ISO code for national phone numbers, `defaults` go from field to the
    value for rows that have none.
    """

    default_region: str | None = None
    lowercase_email: bool = True
    strict_devices: bool = False
    version_format: str | None = None
    defaults: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Prepared:
    """Every row read, in one of three places: accepted, rejected, or counted as superseded.

    `accepted`: row (index into the source), the six fields, fingerprint, version.
    `rejected`: row, customer_id (null if unusable), code, field, message, fingerprint, email (null
    if unusable), version. The fingerprint of a row without an id is of all its columns.
    `warnings` counts rows, whatever becomes of them, by code of WARNINGS.
    """

    accepted: pa.Table
    rejected: pa.Table
    superseded: int
    read: int
    warnings: Mapping[str, int] = field(default_factory=dict)


def prepare(source: pa.Table, mapping: FieldMapping, rules: Rules) -> Prepared:
    """Judges every row of `source` and takes the fingerprints of those that can go.

    Of several rows with one customer_id only the newest stays. Raises MappingError for a version
    column that cannot be ordered and ConfigurationError for a default that is itself invalid.
    """
    defaults = _defaults(rules)
    whole = source
    rows = pa.array(range(source.num_rows), pa.int64())
    ids = judge_identifiers(_column(source, mapping, "customer_id"))
    versions, unreadable = _versions(source, mapping, rules)
    kept = newest(ids.values, versions)
    ids_repeated = 0
    if kept is not None:
        used = {*mapping.columns.values()}
        names = [n for n in source.column_names if n.partition(_VARIANT)[0] in used]
        source = source.select(names)
        several = repeated(ids.values)
        contents = _contents(source.filter(several), mapping)
        ids_repeated = undecided(ids.values.filter(several), versions.filter(several), contents)
        source, rows, versions = source.filter(kept), rows.filter(kept), versions.filter(kept)
        ids = ids.filter(kept)
    judged = {"customer_id": ids} | {
        name: judge(_column(source, mapping, name)) for name, judge in _judges(rules).items()
    }
    filled = {name: column.or_default(defaults.get(name)) for name, column in judged.items()}
    bad = none_of(len(rows))
    for name, column in filled.items():
        bad = pc.or_(bad, _refused(name, column))
    return Prepared(
        accepted=_accepted(rows, filled, versions, pc.invert(bad)),
        rejected=_rejected(whole, rows, judged, filled, versions, bad, mapping),
        superseded=len(kept) - len(rows) if kept is not None else 0,
        read=len(rows) if kept is None else len(kept),
        warnings={
            code: count
            for code, count in (
                *((NOTES[name], judged[name].noted) for name in NOTES),
                ("versions_unreadable", unreadable),
                ("ids_repeated", ids_repeated),
            )
            if count
        },
    )


def mapping_fault(
    prepared: Prepared, table: pa.Table, mapping: FieldMapping
) -> MappingError | None:
    """What is wrong with a mapping by which no row of a large enough first chunk is good."""
    codes = set(prepared.rejected.column("code").to_pylist())
    if prepared.read < MAPPING_SAMPLE or prepared.accepted.num_rows or len(codes) != 1:
        return None
    code = REJECT_CODES[codes.pop()]
    column = mapping.columns.get(code.field or "", "none")
    return MappingError(
        f"All of the first {prepared.read} rows are rejected as {code.code}: the mapping of "
        f"{code.field} (column {column!r}) looks wrong. Nothing was sent.",
        columns=[name for name in table.column_names if not name.startswith("_dlt_")],
        remedy=f'Write {code.field} = "…" under [destination.bunce.mapping], or {code.remedy}.',
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
    judged: Mapping[str, Column],
    filled: Mapping[str, Column],
    versions: pa.Array,
    bad: pa.Array,
    mapping: FieldMapping,
) -> pa.Table:
    if not any_true(bad):
        return REJECTED_SCHEMA.empty_table()
    nothing = pa.nulls(bad.true_count, pa.string())
    code, at_fault, message = nothing, nothing, nothing
    # from the last field to the first, so that the first failing field has the last word
    for name in reversed(FIELDS):
        column = filled[name].filter(bad)
        refused = _refused(name, column)
        kind = pc.if_else(column.invalid, f"invalid_{name}", f"missing_{name}")
        reason = pc.coalesce(column.reason, pa.scalar(_blank(name, mapping)))
        code = pc.if_else(refused, kind, code)
        at_fault = pc.if_else(refused, name, at_fault)
        message = pc.if_else(refused, reason, message)
    arrays = [
        rows.filter(bad),
        judged["customer_id"].values.filter(bad),
        code,
        at_fault,
        message,
        _digests(source, rows.filter(bad), {n: column.filter(bad) for n, column in judged.items()}),
        judged["email"].values.filter(bad),
        versions.filter(bad),
    ]
    return pa.Table.from_arrays(arrays, schema=REJECTED_SCHEMA)


def _digests(source: pa.Table, rows: pa.Array, columns: Mapping[str, Column]) -> pa.Array:
    digests = _digest(columns)
    nameless = pc.is_null(columns["customer_id"].values)
    if not any_true(nameless):
        return digests
    # nothing else tells such rows apart: two that differ in a column that nobody mapped are two
    names = [n for n in source.column_names if not n.startswith("_dlt_") and n != LETTER_ID]
    found = rows_of(source.select(names).take(rows.filter(nameless)))
    texts = [canonical_json({n: str(v) for n, v in row.items() if v is not None}) for row in found]
    return pc.replace_with_mask(digests, nameless, text_digests(pa.array(texts, pa.string())))


def _digest(columns: Mapping[str, Column]) -> pa.Array:
    # canonical values where there are any: one bad field must not make the letter depend on how
    # the source writes the good ones
    return text_digests(
        payloads({f"source.{n}": pc.coalesce(c.values, c.raw) for n, c in columns.items()})
    )


def _refused(name: str, column: Column) -> pa.Array:
    if name not in REQUIRED:
        return column.invalid
    return pc.is_null(column.values)


def _blank(name: str, mapping: FieldMapping) -> str:
    column = mapping.columns.get(name)
    return "no column is mapped" if column is None else f"null or blank in column {column!r}"


def _judges(rules: Rules) -> Mapping[str, partial[Column]]:
    return {
        "email": partial(judge_emails, lowercase=rules.lowercase_email),
        "first_name": partial(judge_names),
        "last_name": partial(judge_names),
        "phone_no": partial(judge_phones, default_region=rules.default_region),
        "devices": partial(judge_devices, strict=rules.strict_devices),
    }


def _defaults(rules: Rules) -> dict[str, str]:
    canonical: dict[str, str] = {}
    judges = _judges(rules)
    for name, value in rules.defaults.items():
        if name not in judges:
            raise ConfigurationError(
                f"[destination.bunce.defaults] cannot fill {name}.",
                remedy=f"It can fill: {', '.join(judges)}.",
            )
        # TOML and the environment may give a number for what looks like one
        judged = judges[name](pa.array([None if value is None else str(value)], pa.string()))
        if any_true(judged.invalid):
            raise ConfigurationError(
                f"The default for {name} under [destination.bunce.defaults] is invalid: "
                f"{judged.reason[0].as_py()}.",
                remedy="Correct it, or remove it.",
            )
        if judged.values[0].is_valid:
            canonical[name] = judged.values[0].as_py()
    return canonical


def _contents(source: pa.Table, mapping: FieldMapping) -> pa.Array:
    """What each row says under its id, as one text."""
    columns = [_column(source, mapping, name) for name in FIELDS[1:]]
    texts = [column if pa.types.is_string(column.type) else as_json(column) for column in columns]
    return pc.binary_join_element_wise(*(pc.fill_null(text, "") for text in texts), "\x1f")


def _column(source: pa.Table, mapping: FieldMapping, name: str) -> pa.Array:
    return values_of(source, mapping.columns.get(name))


def values_of(source: pa.Table, column: str | None) -> pa.Array:
    """What a column of the source holds; nulls where there is none."""
    if column is None or column not in source.column_names:
        return pa.nulls(source.num_rows)
    # dlt keeps values of another type than the column's in columns of their own, one a type
    others = [n for n in source.column_names if n.startswith(f"{column}{_VARIANT}")]
    if not others:
        return flat(source.column(column))
    parts = [flat(source.column(n)).cast(pa.string()) for n in (column, *others)]
    return pc.coalesce(*parts)


def _versions(source: pa.Table, mapping: FieldMapping, rules: Rules) -> tuple[pa.Array, int]:
    if mapping.version is None or mapping.version not in source.column_names:
        return pa.nulls(source.num_rows, pa.int64()), 0
    column = flat(source.column(mapping.version))
    return read_versions(column, mapping.version, rules.version_format)
