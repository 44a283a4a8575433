"""prepare(): every row read is accepted, rejected for its first fault, or superseded."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from dlt_bunce.errors import ConfigurationError
from dlt_bunce.records.fields.payload import with_payloads
from dlt_bunce.records.fields.rules import Rules
from dlt_bunce.records.mapping.mapping import FieldMapping
from dlt_bunce.records.mapping.schema import FIELDS, REQUIRED
from dlt_bunce.records.prepare import prepare
from dlt_bunce.reject_codes import REJECT_CODES

from .conftest import BY_SEEN, GOOD, PAYLOAD, PLAIN, SCHEMA, assert_balanced, prepared


def test_a_good_row_is_accepted_in_canonical_form() -> None:
    result = prepared({})

    (row,) = result.accepted.to_pylist()
    assert row.pop("fingerprint") == "f3cf52acb43d905b6f78d236056389f7"
    assert row == {
        "row": 0,
        "customer_id": "c-1",
        "email": "ada@example.com",
        "first_name": "Ada",
        "last_name": "Lovelace",
        "phone_no": "+2348031234567",
        "devices": '[{"device_type":"ios","device_token":"t1"}]',
        "version": None,
    }
    assert result.rejected.num_rows == 0
    assert with_payloads(result.accepted)["payload"].to_pylist() == [PAYLOAD]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"customer_id": None}, "missing_customer_id"),
        ({"customer_id": "a\x00"}, "invalid_customer_id"),
        ({"email": " "}, "missing_email"),
        ({"email": "a@b@c.com"}, "invalid_email"),
        ({"first_name": None}, "missing_first_name"),
        ({"first_name": "n" * 10_000}, "invalid_first_name"),
        ({"last_name": "\u3000"}, "missing_last_name"),
        ({"last_name": "n" * 256}, "invalid_last_name"),
        ({"phone_no": ""}, "missing_phone_no"),
        ({"phone_no": "08031234567"}, "invalid_phone_no"),
        ({"devices": "[{'device_type': 'ios'}]"}, "invalid_devices"),
    ],
)
def test_a_bad_row_is_rejected_with_its_code(change: dict[str, Any], code: str) -> None:
    result = prepared({"customer_id": "c-0"}, change, rules=Rules(strict_devices=True))

    assert result.accepted["row"].to_pylist() == [0]
    (row,) = result.rejected.to_pylist()
    assert (row["row"], row["code"], row["field"]) == (1, code, REJECT_CODES[code].field)
    assert row["customer_id"] == (None if "customer_id" in change else "c-1")
    assert len(row["fingerprint"]) == 32
    assert row["message"]


def test_a_device_that_is_not_whole_is_left_out_and_counted() -> None:
    result = prepared({}, {"customer_id": "c-2", "devices": "[{'device_type': 'ios'}]"})

    assert result.accepted["row"].to_pylist() == [0, 1]
    assert result.warnings == {"devices_left_out": 1}


def test_what_is_noted_of_names_and_phones_counts_rows() -> None:
    result = prepared(
        {"first_name": "O&#39;Neil", "last_name": "O&#39;Neil"},
        {"customer_id": "c-2", "last_name": "Jos\ufffd"},
        {"customer_id": "c-3", "phone_no": "+2348031234567 (2)"},
    )

    assert result.accepted["row"].to_pylist() == [0, 1, 2]
    assert result.warnings == {"names_damaged": 2, "phones_shortened": 1}


def test_every_code_of_this_stage_can_occur_for_its_field() -> None:
    codes = {code.code for code in REJECT_CODES.values() if code.stage == "normalize"}

    of_fields = {f"missing_{name}" for name in REQUIRED} | {f"invalid_{n}" for n in FIELDS}
    assert codes == of_fields | {"unreadable_row", "invalid_version"}


def test_the_first_failing_field_decides() -> None:
    result = prepared(
        dict.fromkeys(FIELDS),
        dict.fromkeys(FIELDS[1:]),
        {"customer_id": "c-2", "phone_no": "x", "last_name": None},
    )

    assert result.rejected["code"].to_pylist() == [
        "missing_customer_id",
        "missing_email",
        "missing_last_name",
    ]


def test_a_message_names_the_column_and_never_the_value() -> None:
    table = pa.table({"id": ["1", "2"], "mail": [None, "se@cr@et.com"]})
    mapping = FieldMapping({"customer_id": "id", "email": "mail"}, {}, None)

    result = prepare(table, mapping, Rules())

    assert result.rejected["message"].to_pylist() == [
        "null or blank in column 'mail'",
        "more than one @",
    ]


def test_defaults_fill_what_is_missing_and_not_what_is_wrong() -> None:
    rules = Rules(defaults={"phone_no": "+234 800 000 0000", "first_name": "Friend"})

    result = prepared(
        {"phone_no": None, "first_name": " "},
        {"customer_id": "c-2", "phone_no": "wrong"},
        rules=rules,
    )

    assert result.accepted.select(["first_name", "phone_no"]).to_pylist() == [
        {"first_name": "Friend", "phone_no": "+2348000000000"}
    ]
    assert result.rejected["code"].to_pylist() == ["invalid_phone_no"]


@pytest.mark.parametrize(
    ("field", "value"), [("email", "nobody"), ("customer_id", "x"), ("nickname", "x")]
)
def test_a_default_that_cannot_be_is_a_fault_of_the_configuration(field: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=field):
        prepared({}, rules=Rules(defaults={field: value}))


def test_rules_reach_the_values() -> None:
    rules = Rules(default_region="NG", lowercase_email=False)

    result = prepared({"phone_no": "08031234567"}, rules=rules)

    assert result.accepted.select(["email", "phone_no"]).to_pylist() == [
        {"email": "Ada@example.com", "phone_no": "+2348031234567"}
    ]


def test_a_mapped_column_that_is_not_in_the_file_counts_as_null() -> None:
    table = pa.Table.from_pylist([GOOD], SCHEMA)

    result = prepare(table.drop_columns(["devices"]), BY_SEEN, Rules())
    assert result.accepted["devices"].to_pylist() == [None]
    assert "devices" not in with_payloads(result.accepted)["payload"][0].as_py()

    result = prepare(table.drop_columns(["email"]), BY_SEEN, Rules())
    assert result.rejected["code"].to_pylist() == ["missing_email"]

    result = prepare(table.drop_columns(["customer_id"]), BY_SEEN, Rules())
    assert result.rejected["code"].to_pylist() == ["missing_customer_id"]


def test_nulls_everywhere() -> None:
    table = pa.table({name: pa.nulls(3) for name in FIELDS})

    result = prepare(table, PLAIN, Rules())

    assert result.rejected["code"].to_pylist() == ["missing_customer_id"] * 3
    assert_balanced(result)


def test_zero_rows() -> None:
    filled = prepared({}, {"email": None, "customer_id": "c-2"})

    for table in (SCHEMA.empty_table(), pa.table({name: pa.nulls(0) for name in FIELDS})):
        result = prepare(table, PLAIN, Rules())
        assert (result.read, result.superseded) == (0, 0)
        assert result.accepted.schema == filled.accepted.schema
        assert result.rejected.schema == filled.rejected.schema


def test_rejected_rows_have_one_schema_whatever_their_number() -> None:
    assert prepared({}).rejected.schema == prepared({"email": None}).rejected.schema


def test_a_bad_row_is_known_again_when_only_its_surroundings_change() -> None:
    bad = {"email": "a@b@c", "seen": 1}
    first = prepared(bad, versioned=True)
    later = prepared({"customer_id": "c-2"}, {**bad, "seen": 2}, versioned=True)

    assert first.rejected["fingerprint"] == later.rejected["fingerprint"]


def test_a_bad_row_that_was_changed_is_another() -> None:
    fingerprints = prepared(
        {"customer_id": "1", "email": "a@b@c"},
        {"customer_id": "1x", "email": "a@b@c"},
        {"customer_id": "1y", "email": "a@b@d"},
        {"customer_id": None},
        {"customer_id": None, "email": "other@example.com"},
    ).rejected["fingerprint"]

    assert len(set(fingerprints.to_pylist())) == 5
