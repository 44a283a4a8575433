"""Rows that differ from a good one in what a test is about, prepared."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from dlt_bunce.records.fields.rules import Rules
from dlt_bunce.records.mapping.mapping import resolve_mapping
from dlt_bunce.records.mapping.schema import FIELDS
from dlt_bunce.records.prepare import Prepared, prepare

GOOD: dict[str, Any] = {
    "customer_id": "c-1",
    "email": "Ada@Example.com",
    "first_name": " Ada ",
    "last_name": "Lovelace",
    "phone_no": "+234 803 123 4567",
    "devices": '[{"device_token": "t1", "device_type": "iOS"}]',
}
PAYLOAD = (
    '{"customer_id":"c-1","email":"ada@example.com","first_name":"Ada","last_name":"Lovelace",'
    '"phone_no":"+2348031234567","devices":[{"device_type":"ios","device_token":"t1"}]}'
)
SCHEMA = pa.schema([(name, pa.string()) for name in FIELDS])
VERSIONED = SCHEMA.append(pa.field("seen", pa.int64()))
PLAIN = resolve_mapping(FIELDS)
BY_SEEN = resolve_mapping([*FIELDS, "seen"], hints={"version": "seen"})


def prepared(
    *changes: dict[str, Any], rules: Rules | None = None, versioned: bool = False
) -> Prepared:
    rows = [{**GOOD, **change} for change in changes]
    table = pa.Table.from_pylist(rows, VERSIONED if versioned else SCHEMA)
    result = prepare(table, BY_SEEN if versioned else PLAIN, rules or Rules())
    assert_balanced(result)
    return result


def assert_balanced(result: Prepared) -> None:
    places = result.accepted.num_rows + result.rejected.num_rows + result.superseded
    assert result.read == places
