"""prepare(): every row read is accepted, rejected for its first fault, or superseded."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlt_bunce.errors import ConfigurationError
from dlt_bunce.model import REJECT_CODES
from dlt_bunce.records.mapping import FieldMapping, resolve_mapping
from dlt_bunce.records.payload import with_payloads
from dlt_bunce.records.prepare import Prepared, Rules, prepare
from dlt_bunce.records.schema import FIELDS, REQUIRED

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


def test_rows_of_one_id_that_differ_are_counted_unless_a_version_decides() -> None:
    rows = [
        {},
        {"phone_no": "+2348031234568"},
        {"phone_no": "+2348031234568"},
        {"customer_id": "c-2"},
        {"customer_id": "c-2"},
        {"customer_id": None},
        {"customer_id": None, "first_name": "Eve"},
    ]

    assert prepared(*rows).warnings == {"ids_repeated": 1}
    told = [row | {"seen": number} for number, row in enumerate(rows)]
    assert prepared(*told, versioned=True).warnings == {}


def test_every_code_of_this_stage_can_occur_for_its_field() -> None:
    codes = {code.code for code in REJECT_CODES.values() if code.stage == "normalize"}

    assert codes == {f"missing_{name}" for name in REQUIRED} | {f"invalid_{n}" for n in FIELDS}


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
        "12 characters, 2 @",
    ]


def test_the_newest_version_of_a_key_wins() -> None:
    result = prepared(
        {"seen": 2, "first_name": "new"},
        {"seen": 1, "first_name": "old"},
        {"seen": None, "first_name": "oldest"},
        {"customer_id": "c-2", "seen": None},
        versioned=True,
    )

    assert result.accepted.select(["row", "first_name", "version"]).to_pylist() == [
        {"row": 0, "first_name": "new", "version": 2},
        {"row": 3, "first_name": "Ada", "version": None},
    ]
    assert result.superseded == 2


@pytest.mark.parametrize("versioned", [False, True])
def test_of_equal_versions_the_last_row_wins(*, versioned: bool) -> None:
    seen = {"seen": 5} if versioned else {}

    result = prepared({"first_name": "a", **seen}, {"first_name": "b", **seen}, versioned=versioned)

    assert result.accepted["first_name"].to_pylist() == ["b"]
    assert result.superseded == 1


def test_the_newest_version_wins_even_if_it_is_bad() -> None:
    result = prepared({"seen": 1}, {"seen": 2, "email": "bad"}, versioned=True)

    assert result.accepted.num_rows == 0
    assert result.rejected.select(["row", "code", "version"]).to_pylist() == [
        {"row": 1, "code": "invalid_email", "version": 2}
    ]
    assert result.superseded == 1


def test_keys_are_compared_in_canonical_form() -> None:
    assert prepared({"customer_id": "c-1 "}, {"customer_id": "\tc-1"}).superseded == 1


def test_rows_without_a_usable_key_are_never_merged() -> None:
    result = prepared(
        {"customer_id": None},
        {"customer_id": " "},
        {"customer_id": "a\x00"},
        {"customer_id": "a\x00"},
    )

    assert result.rejected["row"].to_pylist() == [0, 1, 2, 3]
    assert result.superseded == 0


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


values = st.sampled_from(
    ["c-1", "c-2", "", None, "ada@example.com", "+2348031234567", "[]", "x\x00"]
)
row = st.fixed_dictionaries(
    {**dict.fromkeys(FIELDS, values), "seen": st.none() | st.integers(0, 3)}
)


@given(st.lists(row, max_size=12), st.randoms(use_true_random=False))
def test_each_row_lands_in_one_place_and_order_does_not_matter(
    rows: list[dict[str, Any]], random: Any
) -> None:
    # distinct versions, since of equal ones the order decides
    rows = [{**row, "seen": at} for at, row in enumerate(rows)]
    shuffled = random.sample(rows, len(rows))

    result = prepare(pa.Table.from_pylist(rows, VERSIONED), BY_SEEN, Rules())
    other = prepare(pa.Table.from_pylist(shuffled, VERSIONED), BY_SEEN, Rules())

    assert_balanced(result)
    assert_balanced(other)
    seen = result.accepted["row"].to_pylist() + result.rejected["row"].to_pylist()
    assert len(seen) == len(set(seen))
    for part in ("accepted", "rejected"):
        one, two = getattr(result, part), getattr(other, part)
        order = [(name, "ascending") for name in ("fingerprint", "version")]
        assert one.sort_by(order).drop_columns(["row"]) == two.sort_by(order).drop_columns(["row"])
