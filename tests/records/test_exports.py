"""Exports of common programs are mapped by themselves, or with one decision."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

from dlt_bunce.errors import MappingError
from dlt_bunce.records.fields.payload import with_payloads
from dlt_bunce.records.fields.rules import Rules
from dlt_bunce.records.mapping.exports import EXPORTS, recognized
from dlt_bunce.records.mapping.mapping import FieldMapping, resolve_mapping
from dlt_bunce.records.mapping.schema import MAPPABLE, fold
from dlt_bunce.records.prepare import prepare

from .header_sets import HEADER_SETS, HeaderSet

NAMED = pytest.mark.parametrize("export", HEADER_SETS, ids=lambda export: export.name)


def mapped(export: HeaderSet) -> FieldMapping:
    return resolve_mapping(export.columns, hints=export.maps, defaults=export.defaults)


@NAMED
def test_an_export_feeds_the_fields_that_it_should(export: HeaderSet) -> None:
    mapping = mapped(export)

    found = {field: ", ".join(mapping.columns_of(field)) for field in export.fields | export.maps}
    assert found == export.fields | export.maps


@NAMED
def test_a_row_of_an_export_becomes_a_customer(export: HeaderSet) -> None:
    mapping = mapped(export)
    kinds = {"email": "ada@example.com", "full_name": "Ada Obi", "phone_no": "+2348031234567"}
    # of several columns, the last is filled; others hold what nobody looks at
    row = dict.fromkeys(export.columns, "x")
    for field in ("customer_id", "first_name", "last_name", *kinds):
        for column in mapping.columns_of(field)[:-1]:
            row[column] = ""
    for field in ("customer_id", "first_name", "last_name", *kinds):
        if columns := mapping.columns_of(field):
            row[columns[-1]] = kinds.get(
                field, {"first_name": "Ada", "last_name": "Obi"}.get(field, "7")
            )
    if "email" in mapping.shared.get(mapping.columns["customer_id"], []):
        row[mapping.columns["customer_id"]] = kinds["email"]

    prepared = prepare(pa.Table.from_pylist([row]), mapping, Rules(defaults=export.defaults))

    assert prepared.rejected.to_pylist() == []
    sent = json.loads(with_payloads(prepared.accepted).column("payload")[0].as_py())
    del sent["customer_id"]
    phone = export.defaults.get("phone_no", kinds["phone_no"])
    assert sent == {
        "email": "ada@example.com",
        "first_name": "Ada",
        "last_name": "Obi",
        "phone_no": phone,
    }


def test_most_exports_need_one_decision_or_none() -> None:
    decisions = [len(export.maps) + len(export.defaults) for export in HEADER_SETS]

    assert (len(decisions), decisions.count(0), decisions.count(1)) == (43, 33, 8)


@NAMED
def test_what_an_export_needs_is_what_the_error_suggests(export: HeaderSet) -> None:
    if not export.maps:
        return
    with pytest.raises(MappingError) as caught:
        resolve_mapping(export.columns, defaults=export.defaults)

    suggested = {word for word in caught.value.suggested if word != "--map"}
    needed = {f"{field}={column}" for field, column in export.maps.items()}
    if caught.value.unresolved:  # "On which number can we reach you?"
        assert "No column looks like phone_no" in caught.value.unresolved
        needed = {word for word in needed if "phone_no" not in word}
    assert suggested == needed


@NAMED
def test_each_export_is_recognized_as_one_at_most(export: HeaderSet) -> None:
    folded = {fold(column): column for column in export.columns}
    matches = {e.name for e in EXPORTS if e.has_made(folded) and not e.is_general}

    assert len(matches) <= 1


def test_nearly_every_export_in_the_table_recognizes_a_header_set() -> None:
    seen = {found.name for s in HEADER_SETS if (found := recognized(s.columns)) is not None}

    assert {export.name for export in EXPORTS} - seen == {
        "Salesforce leads",
        "Auth0",
        "Constant Contact",
    }


def test_the_table_names_fields_only() -> None:
    assert {field for export in EXPORTS for field in export.columns} <= {*MAPPABLE}


def test_what_could_be_either_of_two_exports_is_taken_for_neither() -> None:
    both = ["id", "cio_id", "braze_id", "external_id", "email"]

    assert recognized(both) is None
    with pytest.raises(
        MappingError, match="Several columns match customer_id: 'id', 'external_id'"
    ):
        resolve_mapping(both)


def test_a_name_of_bunce_goes_before_the_columns_of_an_export() -> None:
    columns = ["Record ID", "First Name", "Last Name", "Lifecycle Stage", "Email", "Phone Number"]

    mapping = resolve_mapping([*columns, "customer_id"])

    assert mapping.columns["customer_id"] == "customer_id"
    assert (mapping.export, mapping.how["phone_no"]) == ("HubSpot contacts", "export")
