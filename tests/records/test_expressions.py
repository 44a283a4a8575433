"""What a mapping can say: several columns for a field, one for two, a full name, any case."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from dlt_bunce.errors import MappingError
from dlt_bunce.records.duplicates import find_duplicates
from dlt_bunce.records.fields.rules import Rules
from dlt_bunce.records.mapping.mapping import resolve_mapping
from dlt_bunce.records.prepare import Prepared, prepare

BASE = {"id": "1", "email": "ada@example.com", "first_name": "Ada", "last_name": "Obi"}
PHONE = "+2348031234567"


def loaded(
    rows: list[dict[str, Any]], mapping: dict[str, Any], rules: Rules | None = None
) -> Prepared:
    table = pa.Table.from_pylist(rows)
    rules = rules or Rules()
    columns = resolve_mapping(table.column_names, hints=mapping, defaults=rules.defaults)
    return prepare(table, columns, rules)


@pytest.mark.parametrize(
    ("mobile", "home", "expected"),
    [
        (PHONE, "+2348030000000", PHONE),
        (None, PHONE, PHONE),
        ("  ", PHONE, PHONE),
        ("N/A", PHONE, PHONE),
        (None, None, "missing_phone_no"),
        ("call me", PHONE, "invalid_phone_no"),  # filled, and not replaced in silence
        (None, "call me", "invalid_phone_no"),
    ],
)
def test_of_several_columns_the_first_that_is_filled_counts(
    mobile: str | None, home: str | None, expected: str
) -> None:
    rows = [{**BASE, "mobile": mobile, "home_phone": home}]

    found = loaded(rows, {"phone_no": ["mobile", "home_phone"]})

    accepted, rejected = found.accepted.to_pylist(), found.rejected.to_pylist()
    assert [r["phone_no"] for r in accepted] + [r["code"] for r in rejected] == [expected]


def test_columns_of_several_types_may_feed_one_field() -> None:
    rows = [{**BASE, "id": None, "legacy": 7, "phone": PHONE}, {**BASE, "id": "a", "legacy": 8}]
    table = pa.Table.from_pylist(rows)
    mapping = resolve_mapping(table.column_names, hints={"customer_id": ["id", "legacy"]})

    found = prepare(table, mapping, Rules(defaults={"phone_no": PHONE}))

    assert found.accepted.column("customer_id").to_pylist() == ["7", "a"]


def test_repeated_ids_are_found_in_whichever_column_they_are() -> None:
    rows = [
        {**BASE, "id": None, "legacy": "7", "phone": PHONE},
        {**BASE, "id": "'7", "legacy": "9", "phone": PHONE},
    ]
    table = pa.Table.from_pylist(rows)
    mapping = resolve_mapping(table.column_names, hints={"customer_id": ["id", "legacy"]})

    duplicates = find_duplicates(lambda _: iter([(0, table)]), 2, mapping, None)

    assert duplicates.to_pylist() == [
        {"row": 0, "gives_way": True},
        {"row": 1, "gives_way": False},
    ] or duplicates.column("row").to_pylist() == [0]
    assert loaded(rows, {"customer_id": ["id", "legacy"]}).superseded == 1


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("Ada Obi", "Ada", "Obi"),
        ("  Ada   Obi ", "Ada", "Obi"),
        ("Ada", "Ada", None),
        ("Ada Maria Obi", "Ada", "Maria Obi"),
        ("Ludwig van Beethoven", "Ludwig", "van Beethoven"),
        ("Obi, Ada", "Ada", "Obi"),
        ("van Beethoven, Ludwig Maria", "Ludwig Maria", "van Beethoven"),
        ("Ada Obi, Jr.", "Ada", "Obi, Jr."),
        ("Ada Obi, PhD", "Ada", "Obi, PhD"),
        ("Obi,", "Obi", None),
        (", Ada", "Ada", None),
        ("Ad\u00e9 \u1ecd\u0300b\u00ed", "Ad\u00e9", "\u1ecd\u0300b\u00ed"),
        ("O'Brien, Ada", "Ada", "O'Brien"),
        ('="Ada Obi"', "Ada", "Obi"),
    ],
)
def test_a_full_name_is_split_by_this_rule(name: str, first: str, last: str | None) -> None:
    row = {"id": "1", "email": "ada@example.com", "phone": PHONE, "Name": name}

    found = loaded([row], {"full_name": "name"}, Rules(defaults={"last_name": "-"}))

    [sent] = found.accepted.to_pylist()
    assert (sent["first_name"], sent["last_name"]) == (first, last or "-")


@pytest.mark.parametrize("name", ["Ada", None, "", "N/A", "NULL"])
def test_a_name_that_cannot_be_split_is_rejected_with_the_reason(name: str | None) -> None:
    row = {"id": "1", "email": "ada@example.com", "phone": PHONE, "Name": name}

    found = loaded([row, {**row, "id": "2", "Name": "Ada Obi"}], {})

    [rejected] = found.rejected.to_pylist()
    field = "last_name" if name == "Ada" else "first_name"
    assert (rejected["code"], rejected["message"]) == (
        f"missing_{field}",
        f"no {field} in full name column 'Name'",
    )


def test_a_full_name_fills_only_names_that_are_blank() -> None:
    rows = [
        {**BASE, "id": "1", "phone": PHONE, "whole": "Eve Eze"},
        {**BASE, "id": "2", "phone": PHONE, "whole": "Eve Eze", "last_name": " "},
        {**BASE, "id": "3", "phone": PHONE, "whole": None, "last_name": None},
    ]

    found = loaded(rows, {"full_name": "whole"})

    names = [(r["first_name"], r["last_name"]) for r in found.accepted.to_pylist()]
    assert names == [("Ada", "Obi"), ("Ada", "Eze")]
    assert found.rejected.column("code").to_pylist() == ["missing_last_name"]


def test_a_name_column_counts_only_where_nothing_else_names_people() -> None:
    columns = ["id", "email", "phone", "name"]

    assert resolve_mapping(columns).how["last_name"] == "full_name"
    assert "full_name" not in resolve_mapping([*columns, "first_name", "last_name"]).columns
    with pytest.raises(MappingError, match="required field last_name") as caught:
        resolve_mapping([*columns, "Vorname"])
    assert caught.value.suggested == ("--map", "last_name=name")
    # two defaults were chosen before there was anything to split
    both = resolve_mapping(columns, defaults={"first_name": "Customer", "last_name": "-"})
    assert (both.how["first_name"], both.how["last_name"]) == ("default", "default")


@pytest.mark.parametrize("given", ["E-Mail Adresse", "e-mail adresse", "EMAIL_ADRESSE"])
def test_case_and_punctuation_of_a_given_column_do_not_matter(given: str) -> None:
    columns = ["id", "first_name", "last_name", "phone", "E-Mail Adresse", "mail"]

    mapping = resolve_mapping(columns, hints={"email": given, "version": "ID"})

    assert (mapping.columns["email"], mapping.version) == ("E-Mail Adresse", "id")


def test_where_only_case_tells_columns_apart_it_counts() -> None:
    columns = ["id", "first_name", "last_name", "phone", "Mail", "MAIL"]

    assert resolve_mapping(columns, hints={"email": "MAIL"}).columns["email"] == "MAIL"
    with pytest.raises(MappingError, match="does not exist"):
        resolve_mapping(columns, hints={"email": "mail"})


def test_paths_are_found_in_any_case_too() -> None:
    columns = ["id", "first_name", "last_name", "phone", "Properties"]

    mapping = resolve_mapping(columns, hints={"email": "properties.email"})

    assert mapping.columns["email"] == "Properties.email"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"version": ["a", "b"]}, "maps version to 2 columns"),
        ({"devices": ["a", "b"]}, "maps devices to 2 columns"),
        ({"email": []}, "maps email to 0 columns"),
        ({"email": ["email", "c"]}, "maps email to column 'c', which does not exist"),
    ],
)
def test_what_cannot_be_meant_is_refused(given: dict[str, Any], message: str) -> None:
    columns = ["id", "email", "first_name", "last_name", "phone", "a", "b"]

    with pytest.raises(MappingError, match=message):
        resolve_mapping(columns, hints=given)


def test_what_was_resolved_resolves_to_itself() -> None:
    columns = ["id", "mail", "Name", "mobile", "home_phone"]
    first = resolve_mapping(columns, hints={"phone_no": ["mobile", "home_phone"]})

    again = resolve_mapping(columns, config=first.recorded)

    assert (first.columns, first.fallbacks) == (again.columns, again.fallbacks)
    assert first.recorded["phone_no"] == ["mobile", "home_phone"]
