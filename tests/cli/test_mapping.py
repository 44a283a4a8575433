"""What a mapping can say is said on the command line, in the configuration, and in Python alike."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import dlt
import pyarrow as pa
import pytest

from dlt_bunce import bunce, bunce_adapter, flush_and_run
from dlt_bunce.emulator import Emulator
from dlt_bunce.operations.flush import flush

from .conftest import Run
from .spreadsheets import exported, save

LEADS = """Lead Ref,Name,E-Mail Adresse,Mobile,Home Phone
A-1,Ada Obi,ada@example.com,N/A,0803 123 4567
A-2,"Eze, Chidi",chidi@example.com,'+2348031234568,+2348030000000
A-3,Efua,efua@example.com,whatsapp:+233241234567,
A-4,Kofi Darko,kofi@example.com,,2.34803E+12
"""
MAPS = ("customer_id=lead ref", "email=e-mail adresse", "phone_no=mobile", "phone_no=HOME PHONE")
OPTIONS = [word for text in MAPS for word in ("--map", text)]
DEFAULTS = ("--default", "last_name=-", "--default-region", "NG")
MAPPING: dict[str, Any] = {
    "customer_id": "lead ref",
    "email": "e-mail adresse",
    "phone_no": ["mobile", "HOME PHONE"],
}
EXPECTED = {
    "A-1": ("Ada", "Obi", "+2348031234567"),
    "A-2": ("Chidi", "Eze", "+2348031234568"),
    "A-3": ("Efua", "-", "+233241234567"),
}


def rows() -> list[dict[str, str]]:
    header, *lines = [line.replace('"Eze, Chidi"', "Eze; Chidi") for line in LEADS.splitlines()]
    names = header.split(",")
    return [
        {n: v.replace(";", ",") for n, v in zip(names, line.split(","), strict=True)}
        for line in lines
    ]


def load_by_options(run: Run, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    Path("leads.csv").write_text(LEADS)
    return dict(run("load", "leads.csv", *OPTIONS, *DEFAULTS, "--json").json)


def load_by_config(run: Run, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    Path("leads.csv").write_text(LEADS)
    lines = [f"{field} = {json.dumps(columns)}" for field, columns in MAPPING.items()]
    Path("config.toml").write_text(
        "\n".join(
            [
                "[destination.bunce]",
                'default_region = "NG"',
                "[destination.bunce.mapping]",
                *lines,
                "[destination.bunce.defaults]",
                'last_name = "-"',
            ]
        )
    )
    return dict(run("load", "leads.csv", "--json").json)


def load_by_environment(run: Run, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    Path("leads.csv").write_text(LEADS)
    monkeypatch.setenv("DESTINATION__BUNCE__MAPPING", json.dumps(MAPPING))
    monkeypatch.setenv("DESTINATION__BUNCE__DEFAULTS", json.dumps({"last_name": "-"}))
    return dict(run("load", "leads.csv", "--default-region", "NG", "--json").json)


def load_by_adapter(data: Any) -> dict[str, Any]:
    destination = bunce(default_region="NG", defaults={"last_name": "-"})
    customers = bunce_adapter(dlt.resource(data, name="customers"), **MAPPING)
    pipeline = dlt.pipeline("leads", destination=destination)
    return flush_and_run(pipeline, customers, write_disposition="merge").as_dict()


@pytest.mark.parametrize("door", ["options", "config", "environment", "dicts", "arrow"])
def test_every_door_says_the_same(
    door: str, run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    doors = {
        "options": load_by_options,
        "config": load_by_config,
        "environment": load_by_environment,
        "dicts": lambda *_: load_by_adapter(rows()),
        "arrow": lambda *_: load_by_adapter(pa.Table.from_pylist(rows())),
    }

    found = doors[door](run, monkeypatch)

    assert (found["read"], found["created"], found["rejected"]) == (4, 3, 1)
    assert found["reject_codes"] == {"invalid_phone_no": 1}
    assert found["warnings"] == {"placeholders_blank": 1}
    sent = {
        key: (c["first_name"], c["last_name"], c["phone_no"])
        for key, c in emulator.customers.items()
    }
    assert sent == EXPECTED
    # whichever door, the same fingerprints: nothing is sent again
    again = load_by_adapter(pa.Table.from_pylist(rows()))
    assert (again["unchanged"], again["held"]) == (3, 1)


def test_what_is_removed_from_cells_is_kept_on_request(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("leads.csv").write_text(LEADS)
    for name in ("UNQUOTE_CELLS", "BLANK_PLACEHOLDERS", "TRIM_PHONES"):
        monkeypatch.setenv(f"DESTINATION__BUNCE__{name}", "false")

    found = run("load", "leads.csv", *OPTIONS, *DEFAULTS, "--json").json

    # N/A is filled, so no other phone stands in; whatsapp: makes no number
    assert found["reject_codes"] == {"invalid_phone_no": 3}


def test_check_shows_causes_with_shapes_and_values_only_when_asked(run: Run) -> None:
    Path("leads.csv").write_text(LEADS)
    words = ("check", "leads.csv", *OPTIONS)

    found = run(*words, "--json").json
    shapes = run(*words)
    values = run(*words, "--show-values")

    causes = {(r["code"], r["cause"]): (r["rows"], r["shapes"]) for r in found["rejected"]}
    assert causes == {
        ("invalid_phone_no", "no country code"): (1, ["9999 999 9999"]),
        ("invalid_phone_no", "rounded by a spreadsheet"): (1, ["9.99999A+99"]),
        ("missing_last_name", "a full name of one word"): (1, ["Aaaa"]),
    }
    remedies = {reject["remedy"] for reject in found["rejected"]}
    assert len(remedies) == 3
    assert any("--default-region NG" in remedy for remedy in remedies)
    assert "9999 999 9999" in shapes.output
    for value in ("0803 123 4567", "2.34803E+12", "Efua"):
        assert value not in shapes.output + shapes.errors
        assert value in values.output
    [phone] = [column for column in found["mapping"] if column["field"] == "phone_no"]
    assert (phone["column"], phone["fallbacks"]) == ("Mobile", ["Home Phone"])
    assert "Mobile, else Home Phone" in shapes.output


def test_check_names_the_export_and_warns_of_an_email_as_id(run: Run) -> None:
    header = "First Name,Last Name,E-mail 1 - Label,E-mail 1 - Value,Phone 1 - Value"
    Path("google.csv").write_text(f"{header}\nAda,Obi,* Work,ada@example.com,+2348031234567\n")

    found = run("check", "google.csv", "--map", "customer_id=E-mail 1 - Value", "--json").json
    shown = run("check", "google.csv", "--map", "customer_id=E-mail 1 - Value")

    assert found["export"] == "Google Contacts"
    assert "Recognized by its columns: Google Contacts" in shown.output
    [warning] = found["warnings"]
    assert warning["code"] == "shared_column"
    assert "If it changes for a person, Bunce gets another customer." in warning["text"]


def test_an_error_ends_with_the_whole_command_ready_to_paste(
    program: Run, run: Run, emulator: Emulator
) -> None:
    Path("my leads.csv").write_text(
        "Ref No,Person name,Contact mail,Main phone (work)\n"
        "A-1,Ada Obi,ada@example.com,+2348031234567\n"
    )

    done = program("check", "my leads.csv", "--map", "email=Contact e-mail")
    command = done.errors.partition("Try: ")[2].strip()
    missing = program("check", "my leads.csv", "--limit", "5")
    whole = missing.errors.partition("Try: ")[2].strip()

    assert done.code == 2
    assert command == "dlt-bunce check 'my leads.csv' --map 'email=Contact mail'"
    assert whole == (
        "dlt-bunce check 'my leads.csv' --limit 5 --map 'customer_id=Ref No' "
        "--map 'email=Contact mail' --map 'phone_no=Main phone (work)' "
        "--map 'full_name=Person name'"
    )
    assert program(*shlex.split(whole)[1:]).code == 0
    mistyped = program(*shlex.split(whole)[1:], "--version-column=Contact e-mail")
    assert mistyped.errors.endswith("--version-column 'Contact mail'\n")
    assert "Contact e-mail" not in mistyped.errors.partition("Try: ")[2]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--default", "customer_id=1"), "--default customer_id=… must be FIELD=VALUE"),
        (("--default", "last_name"), "--default last_name=… must be FIELD=VALUE"),
        (("--default", "last_name=A", "--default", "last_name=B"), "last_name=… is given twice"),
        (("--default", "phone_no=none at all"), "The default for phone_no"),
        (("--default-region", "NGA"), "which is not a country code"),
        (("--map", "version=id"), "--map 'version=id' must be FIELD=COLUMN"),
        (("--attribute", "a=A", "--attribute", "a=B"), "Column 'a' is given for 'A' and for 'B'"),
        (("--segment", "a=A", "--segment", "a=B"), "Column 'a' is given for 'A' and for 'B'"),
        (("--attribute", "a=A", "--attribute", "*"), "beside '*', which is all columns"),
    ],
)
def test_what_cannot_be_meant_is_refused(words: tuple[str, ...], message: str, run: Run) -> None:
    Path("leads.csv").write_text(LEADS)

    done = run("check", "leads.csv", *OPTIONS, *words)

    assert done.code == 2, done.output
    assert message in done.errors
    assert "Traceback" not in done.errors


def test_dead_letters_of_such_a_mapping_come_back_from_a_spreadsheet(
    run: Run, emulator: Emulator
) -> None:
    Path("leads.csv").write_text(LEADS.replace("kofi@example.com,,", "kofi@example.com,,x"))
    first = run("load", "leads.csv", *OPTIONS, "--json").json
    assert first["rejected"] == 3

    shown = run("dead-letters", "export", "x.csv")
    letters = exported(run)
    for row in letters:
        row["Mobile"] = "'+2348031111111"
        row["Name"] = "Ada Obi"
        row["E-Mail Adresse"] = f"{row['Lead Ref']}@example.com"
    save(letters)
    command = shown.output.partition("load x.csv")[2].splitlines()[0]
    done = run("load", "rejected.csv", *shlex.split(command), "--json").json

    assert "--map phone_no=Mobile --map 'phone_no=Home Phone'" in command
    assert (done["read"], done["created"]) == (3, 3)
    assert {*emulator.customers} == {"A-1", "A-2", "A-3", "A-4"}


def test_rows_whose_id_is_in_the_second_column_are_erased(run: Run, emulator: Emulator) -> None:
    people = [
        {**row, "Old Ref": f"'{n}", "Lead Ref": None if n % 2 else row["Lead Ref"]}
        for n, row in enumerate(rows(), start=1)
    ]
    load_by_adapter([{**rows()[0], "Lead Ref": "Z-9"}])
    mapping = {**MAPPING, "customer_id": ["Lead Ref", "Old Ref"]}
    customers = bunce_adapter(dlt.resource(people, name="customers"), **mapping)
    waiting = dlt.pipeline("leads", destination=bunce())
    waiting.extract(customers)
    waiting.normalize()

    erased = run("erase", "1", "A-2", "--yes", "--json")
    assert erased.code == 0, erased.errors
    done = erased.json

    # the third person has the id 3, and the second one's other number is nobody's id
    assert done["package_rows"] == 2
    assert flush(waiting).read == 2


def test_ids_that_a_spreadsheet_rounded_load_nobody(run: Run, emulator: Emulator) -> None:
    header = "id,email,first_name,last_name,phone"
    lines = [f"c{n}@example.com,Ada,Obi,+23481{n:08d}" for n in range(1_000)]
    Path("rounded.csv").write_text(
        "\n".join([header, *(f"1.7000{n % 2}E+12,{line}" for n, line in enumerate(lines))])
    )
    Path("one.csv").write_text("\n".join([header, *(f"7,{line}" for line in lines)]))

    done = run("load", "rounded.csv")
    found = run("check", "rounded.csv", "--json").json
    shared = run("check", "one.csv", "--json").json["warnings"]

    assert done.code == 2
    assert "All of the first 1000 rows were rejected as invalid_customer_id" in done.errors
    assert emulator.customers == {}
    [reject] = found["rejected"]
    assert (reject["cause"], reject["rows"]) == ("rounded by a spreadsheet", 1_000)
    assert {warning["code"] for warning in shared} == {"ids_shared", "ids_repeated"}
    assert "1,000 rows: rows share an id" in next(
        warning["text"] for warning in shared if warning["code"] == "ids_shared"
    )


@pytest.mark.parametrize("by", ["option", "config"])
def test_a_shop_s_nested_phone_is_read_in_the_region_however_it_is_written(
    run: Run, emulator: Emulator, by: str
) -> None:
    shop = {"id": 7, "email": "ada@example.com", "first_name": "Ada", "last_name": "Obi"}
    address = {"city": "Lagos", "phone": "0803 123 4567"}
    Path("shop.jsonl").write_text(json.dumps(shop | {"default_address": address}))
    maps = ("--map", "customer_id=id", "--map", "phone_no=default_address.phone")
    if by == "config":
        Path("config.toml").write_text('[destination.bunce]\ndefault_region = " ng"\n')

    done = run("load", "shop.jsonl", *maps, *(["--default-region", "ng"] if by == "option" else []))

    assert done.code == 0, done.errors
    assert emulator.customers["7"]["phone_no"] == "+2348031234567"
