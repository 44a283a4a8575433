"""A setting in a misspelt section has no effect, so the command refuses it, wherever it stands."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from tests.cli.conftest import KEY, Run, add, people, write
from tests.forks import Forks

from dlt_bunce.emulator import Emulator

PROGRAM = """
import dlt, os, sys
from dlt_bunce import bunce
destination = bunce(destination_name=sys.argv[2] if sys.argv[2:] else None)
dlt.pipeline(sys.argv[1], destination=destination).run([%r], table_name="customers")
"""


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("DESTINATION__BUNCE_DRY_RUN", "DESTINATION__BUNCE__DRY_RUN"),
        ("DESTINATION_BUNCE_DRY_RUN", "DESTINATION__BUNCE__DRY_RUN"),
        ("DESTINATION_BUNCE__DRY_RUN", "DESTINATION__BUNCE__DRY_RUN"),
        ("DESTINATION__BUNCE__DRY__RUN", "dry_run"),
        ("DESTINATION__BUNCE_DRY_RNU", "DESTINATION__BUNCE__DRY_RUN"),
        ("DESTINATION__BUNC__DRY_RUN", "DESTINATION__BUNCE__DRY_RUN"),
        ("DESTINATION__BUNEC__DRYRUN", "DESTINATION__BUNCE__DRY_RUN"),
        ("DESTINATON__BUNCE__DRY_RUN", "DESTINATION__BUNCE__DRY_RUN"),
        ("DESTINATIONS__BOUNCE__MAX_REJECT_SHARE", "DESTINATION__BUNCE__MAX_REJECT_SHARE"),
        ("CRM__DESTINATION__BUNC__DRY_RUN", "CRM__DESTINATION__BUNCE__DRY_RUN"),
        ("BUNCE__DRY_RUN", "DESTINATION__BUNCE__DRY_RUN"),
        ("DESTINATION_BUNCE_CREDENTIALS_API_KEY", "DESTINATION__BUNCE__CREDENTIALS__API_KEY"),
    ],
)
def test_a_variable_of_a_misspelt_section_is_refused(
    base: str, emulator: Emulator, variable: str, meant: str, dlt_bunce: Run
) -> None:
    done = dlt_bunce("load", write(people(1)), **{variable: "true"})

    assert (done.code, done.output, len(done.errors.splitlines())) == (2, "", 1), done.errors
    assert f"Did you mean {meant}?" in done.errors
    assert emulator.customers == {}
    assert dlt_bunce("status", **{variable: "true"}).code == 2


@pytest.mark.parametrize(
    ("file", "section"),
    [
        ("config.toml", "destination.bunc"),
        ("config.toml", "destinaton.bunce"),
        ("config.toml", "bunce"),
        ("config.toml", '"destination.bunce"'),
        ("config.toml", "Destination.Bunce"),
        (".dlt/config.toml", "destinaton.bunce"),
        (".dlt/secrets.toml", "destination.bunc"),
    ],
)
def test_a_misspelt_section_of_a_file_is_refused(
    emulator: Emulator, file: str, section: str, dlt_bunce: Run
) -> None:
    Path(".dlt").mkdir()
    Path(file).write_text(f"[{section}]\ndry_run = true\n")

    done = dlt_bunce("load", write(people(1)), DESTINATION__BUNCE__BASE_URL=emulator.base_url)

    assert (done.code, done.output, len(done.errors.splitlines())) == (2, "", 1), done.errors
    assert "Did you mean dry_run in [destination.bunce]?" in done.errors
    assert emulator.customers == {}
    assert dlt_bunce("status").code == 2


@pytest.mark.parametrize("file", ["config.toml", ".dlt/config.toml"])
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[destination.bunce]]\ndry_run = true", "destination.bunce is not a section"),
        ("[[destination]]\nbunce.dry_run = true", "destination.bunce is not a section"),
        ("[destination]\nbunce = true", "Write [destination.bunce], in single brackets"),
        ("[destination.bunce]\nstore_url = ['x']", "store_url is a list, but must be text"),
        ("[destination.bunce]\nstore_url = true", "store_url is a bool, but must be text"),
        ("[destination.bunce]\naccount = 2026-01-01", "account is a date, but must be text"),
        ("[destination.bunce]\ncustomers_table = ['a']", 'customers_table = "customers"'),
    ],
)
def test_a_section_or_a_text_of_another_shape_is_refused(
    emulator: Emulator, file: str, text: str, told: str, dlt_bunce: Run
) -> None:
    Path(".dlt").mkdir()
    Path(file).write_text(f"{text}\n")

    done = dlt_bunce("load", write(people(1)), DESTINATION__BUNCE__BASE_URL=emulator.base_url)

    assert (done.code, done.output, len(done.errors.splitlines())) == (2, "", 1), done.errors
    assert told in done.errors
    assert emulator.customers == {}


@pytest.mark.parametrize("file", ["config.toml", ".dlt/config.toml"])
def test_a_key_where_no_secrets_are_read_is_told_with_the_right_file(
    program: Run, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DESTINATION__BUNCE__CREDENTIALS__API_KEY")
    Path(".dlt").mkdir()
    Path(file).write_text('[destination.bunce.credentials]\napi_key = "sk_test_marked"\n')

    done = program("load", write(people(1)))

    assert (done.code, len(done.errors.splitlines())) == (2, 1), done.errors
    assert "to .dlt/secrets.toml" in done.errors
    assert "marked" not in done.errors


@pytest.mark.parametrize("key", ["credentials = ['marked']", "credentials.api_key = ['marked']"])
def test_a_key_that_is_no_text_is_refused(
    program: Run, emulator: Emulator, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DESTINATION__BUNCE__CREDENTIALS__API_KEY")
    Path(".dlt").mkdir()
    Path(".dlt/secrets.toml").write_text(f"[destination.bunce]\n{key}\n")

    done = program("load", write(people(1)))

    assert (done.code, len(done.errors.splitlines())) == (2, 1), done.errors
    assert "is a list, but must be text" in done.errors
    assert "marked" not in done.errors


def test_a_file_as_notepad_saves_it_is_read(emulator: Emulator, dlt_bunce: Run) -> None:
    text = f'\ufeff[destination.bunce]\r\nbase_url = "{emulator.base_url}"\r\n'
    Path("config.toml").write_text(text, newline="")

    assert dlt_bunce("load", write(people(1))).code == 0
    assert len(emulator.customers) == 1


OTHERS = """
[destination.bigquery]
location = "EU"
credentials = { project_id = "p" }

[destination.bunce_us]
destination_type = "dlt_bunce.bunce"
account = "us"

[destination.bunc]
destination_type = "dlt_bunce.bunce"
account = "a name of one's own"

[destination.dunce]
port = 1

[bunce]
shards = 8

[pipeline]
name = "x"
"""


def test_settings_of_others_are_left_alone(base: str, emulator: Emulator, dlt_bunce: Run) -> None:
    add(OTHERS)
    others = {
        "DESTINATION__POSTGRES__CREDENTIALS": "postgresql://x@y/z",
        "DESTINATION__BIGQUERY__LOCATION": "EU",
        "DESTINATION__BUNCE_EU__ACCOUNT": "eu",
        "DESTINATION__BUNCE2__ACCOUNT": "second",
        "DESTINATION__DUNCE__DESTINATION_TYPE": "dlt_bunce.bunce",
        "DESTINATION__DUNCE__ACCOUNT": "a",
        "DESTINATION_BUNCE": "x",
        "DESTINATION": "/srv",
        "BUNCE_SHARDS": "8",
        "BUNCE_SERVICE_HOST": "10.0.0.1",
        "BUNCE__SHARDS": "8",
        "SOURCES__BUNCE__ACCOUNT": "x",
    }

    done = dlt_bunce("load", write(people(1)), **others)

    assert (done.code, len(emulator.customers)) == (0, 1), done.errors
    assert dlt_bunce("status", **others).errors == ""


@pytest.mark.parametrize(
    ("pipeline", "destination", "variable", "is_refused"),
    [
        # dlt reads a setting of a pipeline without its section, too
        ("bunce", "bunce", "BUNCE__ACCOUNT", False),
        ("crm", "bunce", "BUNCE__ACCOUNT", True),
        ("crm", "bunce_eu", "DESTINATION__BUNCE_EU__ACCOUNT", False),
        ("crm", "bunce_eu", "DESTINATION__BUNCE_US__ACCOUNT", False),
        ("crm", "bunce_eu", "DESTINATON__BUNCE_EU__ACCOUNT", True),
        ("crm", "bunce_eu", "DESTINATION__BUNCE_EU_ACCOUNT", True),
    ],
)
def test_a_plain_run_refuses_a_misspelt_section(
    emulator: Emulator,
    loading: Forks,
    pipeline: str,
    destination: str,
    variable: str,
    is_refused: bool,
) -> None:
    row = {"customer_id": "c1", "email": "a@example.com", "phone_no": "+2348031234567"}
    row |= {"first_name": "Ada", "last_name": "Obi"}
    section = f"DESTINATION__{destination.upper()}__"
    settings = {
        f"{section}BASE_URL": emulator.base_url,
        f"{section}CREDENTIALS__API_KEY": KEY["DESTINATION__BUNCE__CREDENTIALS__API_KEY"],
        variable: "shop",
    }
    done = subprocess.run(
        loading.python(PROGRAM % row, pipeline, destination),
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode == 1, len(emulator.customers)) == (is_refused, not is_refused)
    assert (f"{variable} has no effect" in done.stderr) == is_refused, done.stderr
