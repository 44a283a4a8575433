"""What was mapped by its name is said by the load itself, and what looks like it and was not."""

from __future__ import annotations

from pathlib import Path

import dlt
import pytest

from dlt_bunce import bunce_adapter, flush_and_run
from dlt_bunce.emulator import Emulator

from .conftest import Run

ROW = "1,ada@example.com,Ada,Obi,+2348031234567"


def csv(header: str, row: str = ROW, name: str = "a.csv") -> str:
    Path(name).write_text(f"{header}\n{row}\n")
    return name


@pytest.mark.parametrize("options", [[], ["--dry-run"]])
def test_a_load_says_in_one_line_which_columns_it_mapped_by_their_names(
    run: Run, emulator: Emulator, options: list[str]
) -> None:
    done = run("load", csv("uid,E-Mail,first_name,Surname,mobile"), *options)

    assert done.errors == (
        "Mapped by their names: uid -> customer_id, Surname -> last_name, mobile -> phone_no.\n"
    )
    assert done.code == 0
    assert run("load", "a.csv", "--json", *options).errors == ""


def test_an_export_is_named_and_nothing_is_said_of_what_was_chosen(
    run: Run, emulator: Emulator
) -> None:
    header = "Record ID,Email,First Name,Last Name,Phone Number,Mobile Phone Number,Lifecycle Stage"
    exported = run("load", csv(header, f"{ROW},+2348031234568,lead"))
    fields = "customer_id,email,first_name,last_name,phone_no"
    exact = run("load", csv(fields, name="exact.csv"))
    other = csv("email,first_name,last_name,phone_no,x", name="other.csv")
    chosen = run("load", other, "--map", "customer_id=x")

    assert exported.errors == (
        "Mapped by their names (HubSpot contacts): Record ID -> customer_id, Mobile Phone Number, "
        "else Phone Number -> phone_no.\n"
    )
    assert exact.errors == chosen.errors == ""


def test_a_version_column_that_is_gone_is_told_with_the_columns_of_the_file_alone(
    run: Run, emulator: Emulator
) -> None:
    fields = "customer_id,email,first_name,last_name,phone_no"
    source = csv(f"{fields},changed", f"{ROW},2026-01-01T00:00:00Z")
    assert run("load", source, "--version-column", "changed").code == 0

    done = run("load", csv(f"{fields},other", f"{ROW},"))

    assert "No column is mapped to version any more" in done.errors
    assert f"Available columns: {fields.replace(',', ', ')}, other. " in done.errors


@pytest.mark.parametrize(
    ("given", "suggested"),
    [
        ("phone_no=mobil", "phone_no=Msisdn"),
        ("email=emial", "email=email"),
        ("customer_id=emial", "customer_id=email"),
        ("first_name=nothing_like_it", "first_name=first_name"),
    ],
)
def test_a_column_that_does_not_exist_is_not_taken_for_that_of_another_field(
    run: Run, given: str, suggested: str
) -> None:
    done = run("check", csv("id,email,first_name,last_name,Msisdn"), "--map", given)

    assert (done.code, "which does not exist" in done.errors) == (2, True)
    assert f"--map {suggested}" in done.errors


def test_columns_named_like_a_field_that_are_not_used_are_named(
    run: Run, emulator: Emulator
) -> None:
    fields = "customer_id,email,first_name,last_name,phone_no"
    emulator.attributes.add("Telefon", "text")
    source = csv(f"{fields},mobile,Telefon,Work Email,plan", f"{ROW},,,,gold")

    said = run("load", source).errors
    attribute = run("load", source, "--attribute", "Telefon=Telefon").errors
    everything = run("load", source, "--map", "phone_no=mobile", "--map", "email=email")

    assert said == (
        "Not used, though named like a field: mobile, Telefon, Work Email. To use one: --map "
        "FIELD=COLUMN.\n"
    )
    assert "field: mobile, Work Email." in attribute
    assert "Not used" not in everything.errors


def test_an_email_that_is_the_id_is_a_warning_of_each_run(run: Run, emulator: Emulator) -> None:
    source = csv("email,first_name,last_name,phone_no", ROW.partition(",")[2])

    shown = run("load", source, "--map", "customer_id=email")
    again = run("load", source, "--map", "customer_id=email", "--json").json
    rows = [dict(zip(("email", "first_name", "last_name", "phone_no"), ROW.split(",")[1:]))]  # noqa: B905
    pipeline = dlt.pipeline("crm", destination="bunce")
    summary = flush_and_run(pipeline, bunce_adapter(rows, customer_id="email"))

    assert "id_may_change" in shown.output
    assert "Bunce gets another customer" in " ".join(shown.output.split())
    assert again["warnings"] == dict(summary.warnings) == {"id_may_change": 1}


def test_a_header_is_known_by_the_names_that_exports_use(run: Run, emulator: Emulator) -> None:
    header = "Kundennummer,E-Mail-Adresse,Vorname,Nachname,Telefon"

    loaded = run("load", csv(f"{header},20260101", f"{ROW},x"))
    twice = run("load", csv(f"{header},Telefon", f"{ROW},x"))
    values = run("load", csv(f"{ROW},x"))

    assert (loaded.code, twice.code, values.code) == (0, 2, 2)
    assert "Column 'Telefon' appears 2 times" in twice.errors
    assert "is not a header" in values.errors
