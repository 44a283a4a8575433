"""Whatever is a field is compared, sent, and part of the fingerprint; a new one re-sends nobody."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

from dlt_bunce.records.fields.payload import with_payloads
from dlt_bunce.records.fields.rules import Rules
from dlt_bunce.records.fingerprint import fingerprint
from dlt_bunce.records.mapping.mapping import resolve_mapping
from dlt_bunce.records.mapping.schema import FIELDS
from dlt_bunce.records.prepare import prepare
from dlt_bunce.settlement.comparison import compare

BEFORE = {
    "customer_id": "c1",
    "email": "ada@example.com",
    "first_name": "Ada",
    "last_name": "Obi",
    "phone_no": "+2348012345678",
    "devices": '[{"device_type":"ios","device_token":"a"}]',
}
AFTER = {
    "customer_id": "c2",
    "email": "obi@example.com",
    "first_name": "Eve",
    "last_name": "Ade",
    "phone_no": "+2348012345679",
    "devices": '[{"device_type":"ios","device_token":"b"}]',
}


def prepared(row: dict[str, str]) -> tuple[str, dict[str, object]]:
    """Fingerprint and payload of a row."""
    table = pa.Table.from_pylist([row])
    accepted = with_payloads(prepare(table, resolve_mapping(table.column_names), Rules()).accepted)
    [row] = accepted.to_pylist()
    return row["fingerprint"], json.loads(row["payload"])


def test_these_are_all_fields() -> None:
    assert set(FIELDS) == BEFORE.keys() == AFTER.keys()


@pytest.mark.parametrize("field", FIELDS)
def test_a_field_that_changes_changes_what_is_sent_and_how_it_compares(field: str) -> None:
    before, sent = prepared(BEFORE)
    after, changed = prepared(BEFORE | {field: AFTER[field]})

    assert before != after
    assert {field} == {name for name in sent if sent[name] != changed[name]}
    if field != "customer_id":  # by which customers are found
        match = compare(sent, changed)
        assert not (match.email and match.rest)


def test_a_field_that_is_new_counts_only_where_a_row_has_it() -> None:
    rows = {name: pa.array([BEFORE[name], AFTER[name]]) for name in FIELDS}
    new = pa.array([None, "Lady"], pa.string())

    before, after = fingerprint(rows), fingerprint({"nickname": new, **rows})

    assert [old == new for old, new in zip(before, after, strict=True)] == [True, False]
    assert after == fingerprint({**rows, "nickname": new})


def test_fingerprints_are_those_that_stores_hold() -> None:
    assert prepared(BEFORE)[0] == "a63f335ea1ee717c09565e33c18e6580"
