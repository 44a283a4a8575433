"""Preparation of a source table: customers that can be sent, and rows that cannot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial, reduce

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.errors import ConfigurationError, MappingError
from dlt_bunce.records.cells import LETTER_ID
from dlt_bunce.records.column import Column, any_true, none_of
from dlt_bunce.records.defects import Defects, other_defects
from dlt_bunce.records.devices import parse_devices
from dlt_bunce.records.duplicates import DUPLICATES, marked
from dlt_bunce.records.emails import parse_emails
from dlt_bunce.records.fingerprint import fingerprint, text_digests
from dlt_bunce.records.identifiers import parse_identifiers
from dlt_bunce.records.mapping import FieldMapping
from dlt_bunce.records.names import parse_names
from dlt_bunce.records.newest_version import newest, repeated, undecided
from dlt_bunce.records.payload import payloads
from dlt_bunce.records.phones import parse_phones
from dlt_bunce.records.plain import rows_of
from dlt_bunce.records.schema import FIELDS, REQUIRED
from dlt_bunce.records.source_columns import belonging, contents_of, field_values, versions_of
from dlt_bunce.records.text import canonical_json
from dlt_bunce.records.unreadable import CODE, with_unreadable
from dlt_bunce.reject_codes import REJECT_CODES

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
MAPPING_SAMPLE = 1_000
"""If this many first rows are all rejected for one reason, the mapping is wrong, not the rows."""


@dataclass(frozen=True)
class Rules:
    """The configured rules for values.

    `default_region` is the ISO code for national phone numbers; `defaults` maps fields to the value
    for rows that have none.
    """

    default_region: str | None = None
    lowercase_email: bool = True
    strict_devices: bool = False
    unescape_html: bool = False
    version_format: str | None = None
    defaults: Mapping[str, str] = field(default_factory=dict)


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
    source: pa.Table, mapping: FieldMapping, rules: Rules, duplicates: pa.Table | None = None
) -> Prepared:
    """Validate every row of `source` and compute the fingerprints of the valid ones.

    Of several rows with one customer_id only the newest stays. If `source` is a part of a larger
    load, `duplicates` (DUPLICATES) lists the rows that give way; otherwise they are found within
    `source`. Raises MappingError for a version column that cannot be ordered and ConfigurationError
    for an invalid default.
    """
    defaults = _defaults(rules)
    unfiltered = source
    rows = pa.array(range(source.num_rows), pa.int64())
    ids = parse_identifiers(field_values(source, mapping, "customer_id"))
    versions, unreadable = versions_of(source, mapping, rules.version_format)
    if duplicates is None:
        duplicates = _duplicates(source, mapping, ids.values, versions)
    given_way = duplicates.filter(duplicates.column("gives_way")).column("row").combine_chunks()
    if len(given_way):
        kept = pc.invert(pc.is_in(rows, value_set=given_way))
        source = source.select(belonging(source.column_names, {*mapping.columns.values()}))
        source, rows, versions = source.filter(kept), rows.filter(kept), versions.filter(kept)
        ids = ids.filter(kept)
    parsed = {"customer_id": ids} | {
        name: parse(field_values(source, mapping, name)) for name, parse in _parsers(rules).items()
    }
    filled = {name: column.or_default(defaults.get(name)) for name, column in parsed.items()}
    bad = none_of(len(rows))
    for name, column in filled.items():
        bad = pc.or_(bad, _refused(name, column))
    return Prepared(
        accepted=_accepted(rows, filled, versions, pc.invert(bad)),
        rejected=_rejected(unfiltered, rows, parsed, filled, versions, bad, mapping),
        superseded=len(given_way),
        read=unfiltered.num_rows,
        warnings={
            code: count
            for code, count in (
                *(
                    (note, _count_noted(parsed[name] for name in names))
                    for note, names in NOTES.items()
                ),
                ("versions_unreadable", unreadable),
                ("ids_repeated", duplicates.num_rows - len(given_way)),
            )
            if count
        },
    )


def _count_noted(columns: Iterable[Column]) -> int:
    """Return the number of rows in which any of the columns is noted."""
    masks = [column.noted for column in columns if column.noted is not None]
    return reduce(pc.or_, masks).true_count if masks else 0


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


def detect_bad_mapping(
    prepared: Prepared, table: pa.Table, mapping: FieldMapping
) -> MappingError | None:
    """Return an error if a large enough first chunk has no valid row, all for the same reason."""
    codes = set(prepared.rejected.column("code").to_pylist())
    if prepared.read < MAPPING_SAMPLE or prepared.accepted.num_rows or len(codes - {CODE}) != 1:
        return None
    code = REJECT_CODES[(codes - {CODE}).pop()]
    column = mapping.columns.get(code.field or "", "none")
    return MappingError(
        f"All of the first {prepared.read} rows were rejected as {code.code}: the mapping of "
        f"{code.field} (column {column!r}) looks wrong. Nothing was sent.",
        columns=[name for name in table.column_names if not name.startswith("_dlt_")],
        remedy=f'Set {code.field} = "…" under [destination.bunce.mapping], or {code.remedy}.',
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
    versions: pa.Array,
    bad: pa.Array,
    mapping: FieldMapping,
) -> pa.Table:
    if not any_true(bad):
        return REJECTED_SCHEMA.empty_table()
    nothing = pa.nulls(bad.true_count, pa.string())
    code, at_fault, message = nothing, nothing, nothing
    defects: list[Defects] = []
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
        versions.filter(bad),
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
    column = mapping.columns.get(name)
    return "no column is mapped" if column is None else f"null or blank in column {column!r}"


def _parsers(rules: Rules) -> Mapping[str, partial[Column]]:
    return {
        "email": partial(parse_emails, lowercase=rules.lowercase_email),
        "first_name": partial(parse_names, unescape=rules.unescape_html),
        "last_name": partial(parse_names, unescape=rules.unescape_html),
        "phone_no": partial(parse_phones, default_region=rules.default_region),
        "devices": partial(parse_devices, strict=rules.strict_devices),
    }


def _defaults(rules: Rules) -> dict[str, str]:
    canonical: dict[str, str] = {}
    parsers = _parsers(rules)
    for name, value in rules.defaults.items():
        if name not in parsers:
            raise ConfigurationError(
                f"[destination.bunce.defaults] does not support {name}.",
                remedy=f"Supported fields: {', '.join(parsers)}.",
            )
        # TOML and the environment may give a number for text that looks like one
        parsed = parsers[name](pa.array([None if value is None else str(value)], pa.string()))
        if any_true(parsed.invalid):
            raise ConfigurationError(
                f"The default for {name} under [destination.bunce.defaults] is invalid: "
                f"{parsed.reason[0].as_py()}.",
                remedy="Correct or remove it.",
            )
        if parsed.values[0].is_valid:
            canonical[name] = parsed.values[0].as_py()
    return canonical
