"""What spreadsheets and exports leave in cells is taken for what it is, or kept on request."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from dlt_bunce.records.fields.phones import parse_phones
from dlt_bunce.records.fields.rules import Rules
from dlt_bunce.records.prepare import Prepared
from dlt_bunce.records.text.spreadsheet_traces import PLACEHOLDERS

from .conftest import GOOD, prepared

KEPT = Rules(unquote_cells=False, blank_placeholders=False)


def sent(found: Prepared) -> dict[str, Any]:
    [row] = found.accepted.to_pylist()
    return dict(row)


@pytest.mark.parametrize(
    ("field", "cell", "expected"),
    [
        ("customer_id", "'00123", "00123"),
        ("customer_id", '="00123"', "00123"),
        ("customer_id", " '7 ", "7"),
        ("customer_id", "'abc", "'abc"),  # no number, so nothing for a spreadsheet to protect
        ("email", '="ada@example.com"', "ada@example.com"),
        ("first_name", '="Ada"', "Ada"),
        ("first_name", "'Ada", "'Ada"),
        ("last_name", "d'Arc", "d'Arc"),
        ("phone_no", "'+234 803 123 4567", "+2348031234567"),
        ("phone_no", '="+2348031234567"', "+2348031234567"),
    ],
)
def test_marks_of_a_spreadsheet_are_removed(field: str, cell: str, expected: str) -> None:
    assert sent(prepared({field: cell}))[field] == expected


def test_marks_are_kept_on_request() -> None:
    found = prepared({"customer_id": "'00123", "first_name": '="Ada"'}, rules=KEPT)

    assert sent(found)["customer_id"] == "'00123"
    assert sent(found)["first_name"] == '="Ada"'


def test_ids_with_and_without_a_mark_are_one_customer() -> None:
    found = prepared({"customer_id": "'00123"}, {"customer_id": "00123"}, {"customer_id": "123"})

    assert (found.accepted.column("customer_id").to_pylist(), found.superseded) == (
        ["00123", "123"],
        1,
    )


@pytest.mark.parametrize("word", PLACEHOLDERS)
def test_a_word_for_nothing_is_blank_in_every_field_and_counted(word: str) -> None:
    fields = ("email", "first_name", "last_name", "phone_no")
    rows = [{"customer_id": str(n), field: f" {word} "} for n, field in enumerate(fields)]

    found = prepared(*rows, {"customer_id": word}, {"customer_id": "9"})

    assert sorted(found.rejected.column("code").to_pylist()) == sorted(
        f"missing_{field}" for field in ("customer_id", *fields)
    )
    assert found.warnings == {"placeholders_blank": 5}
    assert found.rejected.column("message")[0].as_py() == "null or blank in column 'email'"


@pytest.mark.parametrize("name", ["Null", "Nan", "Na", "NA", "None Such", "N/A Ltd", "nano"])
def test_people_keep_their_names(name: str) -> None:
    assert sent(prepared({"last_name": name}))["last_name"] == name


def test_words_for_nothing_are_kept_on_request() -> None:
    found = prepared({"first_name": "NULL", "last_name": "-", "customer_id": "none"}, rules=KEPT)

    assert (sent(found)["first_name"], sent(found)["last_name"]) == ("NULL", "-")
    assert sent(found)["customer_id"] == "none"
    assert found.warnings == {}


def test_a_default_stands_in_for_a_word_for_nothing_and_may_be_one_itself() -> None:
    found = prepared({"last_name": "N/A"}, rules=Rules(defaults={"last_name": "-"}))

    assert sent(found)["last_name"] == "-"
    assert found.warnings == {"placeholders_blank": 1}


def test_customers_without_traces_keep_their_fingerprints() -> None:
    rows = [
        GOOD,
        {**GOOD, "customer_id": "E-5", "first_name": "d'Arc", "phone_no": "+44 20 7946 0958"},
    ]

    assert prepared(*rows).accepted.equals(prepared(*rows, rules=KEPT).accepted)


@pytest.mark.parametrize(
    "phone",
    [
        "tel:+2348031234567",
        "tel: +234 803 123 4567",
        "p:+2348031234567",
        "WhatsApp: +2348031234567",
        "whatsapp:+2348031234567",
        "Mobile: +2348031234567",
    ],
)
def test_a_word_before_a_phone_number_is_left_out(phone: str) -> None:
    column = parse_phones(pa.array([phone]))

    assert (column.values.to_pylist(), column.notes) == (["+2348031234567"], 0)


@pytest.mark.parametrize(
    "phone", ["+14155552671 x123", "+1 415 555 2671 ext. 5", "+14155552671 ::: +14155550000"]
)
def test_text_after_a_phone_number_is_left_out_and_noted(phone: str) -> None:
    column = parse_phones(pa.array([phone]))

    assert (column.values.to_pylist(), column.notes) == (["+14155552671"], 1)


@pytest.mark.parametrize(
    "phone", ["tel:+2348031234567", "p:+2348031234567", "+14155552671 x123", "+14155552671 ext. 5"]
)
def test_a_number_with_more_than_a_number_is_rejected_on_request(phone: str) -> None:
    found = prepared({"phone_no": phone}, rules=Rules(trim_phones=False))

    assert found.rejected.column("code").to_pylist() == ["invalid_phone_no"]
    assert "415" not in found.rejected.column("message")[0].as_py()


def test_a_rounded_number_says_so() -> None:
    [rejected] = prepared({"phone_no": "2.34803E+12"}).rejected.to_pylist()

    assert (rejected["code"], rejected["message"]) == (
        "invalid_phone_no",
        "a rounded number, such as 2.34803E+12",
    )
