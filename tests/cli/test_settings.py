"""Settings as their users give them: a config.toml in the folder, variables, arguments in code."""

from __future__ import annotations

import dataclasses
import inspect
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import KEY, Run, add, people, write

from dlt_bunce import bunce
from dlt_bunce.destination.settings.configuration import BunceConfiguration
from dlt_bunce.emulator import Emulator
from dlt_bunce.errors import ConfigurationError
from dlt_bunce.store.database import Database

ROOT = Path(__file__).parent.parent.parent


def test_store_account_and_region_come_from_config_toml(
    base: str, emulator: Emulator, dlt_bunce: Run
) -> None:
    add('default_region = "ng"\n')
    file = write(people(1, mobile="0803 123 4567"))

    done = dlt_bunce("load", file, "--json")

    assert (done.code, done.errors) == (0, "")
    assert done.json["created"] == 1
    assert [c["phone_no"] for c in emulator.customers.values()] == ["+2348031234567"]
    assert not Path("bunce.sqlite").exists()
    with Database("sqlite:///mine.sqlite", read_only=True) as db:
        assert db.rows("SELECT account FROM bunce_customers") == [{"account": "shop"}]
    assert dlt_bunce("status", "--json").json["account"] == "shop"


def test_thresholds_of_config_toml_fail_the_command(base: str, dlt_bunce: Run) -> None:
    add("max_reject_count = 0\n")

    assert dlt_bunce("load", write([*people(1), *people(2, mobile="call me")])).code == 3


def test_dry_run_in_config_toml_sends_nothing_and_says_so(
    base: str, emulator: Emulator, dlt_bunce: Run
) -> None:
    add("dry_run = true\n")
    file = write(people(1))

    told = dlt_bunce("load", file)
    figures = dlt_bunce("load", file, "--json")

    assert (told.code, figures.code, dict(emulator.customers)) == (0, 0, {})
    assert told.output.startswith("Dry run: nothing was sent")
    assert figures.json["state"] == "dry_run"


def test_dead_letters_keep_keys_alone_where_config_toml_says_so(base: str, dlt_bunce: Run) -> None:
    add('dead_letter_rows = "keys"\n')
    assert dlt_bunce("load", write(people(2, mobile="call me"))).code == 0

    with Database("sqlite:///mine.sqlite", read_only=True) as db:
        [letter] = db.rows("SELECT source_row FROM bunce_dead_letters")
    assert "call me" not in str(letter["source_row"])


def test_environment_goes_before_dlts_files_and_those_before_config_toml(
    base: str, dlt_bunce: Run
) -> None:
    Path(".dlt").mkdir()
    Path(".dlt/config.toml").write_text('[destination.bunce]\naccount = "dlt"\n')
    file = write(people(1))
    assert dlt_bunce("load", file).code == 0

    assert dlt_bunce("status", "--json").json["account"] == "dlt"
    assert dlt_bunce("load", file, DESTINATION__BUNCE__ACCOUNT="env").code == 0
    told = dlt_bunce("status", "--json", DESTINATION__BUNCE__ACCOUNT="env")
    assert told.json["account"] == "env"


def test_a_pipeline_of_ours_reads_the_same_file_and_its_own_section(
    base: str, emulator: Emulator, dlt_bunce: Run
) -> None:
    add('[pipelines.parquet]\nlocation = "exports/*.parquet"\n')
    write(people(1, 2), "exports/a.parquet")

    done = subprocess.run(
        [sys.executable, ROOT / "pipelines" / "parquet_to_bunce.py"],
        env={**os.environ, **KEY},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr, len(emulator.customers)) == (0, "", 2)
    assert Path("mine.sqlite").exists()
    assert dlt_bunce("status", "--json").json["ledger"]["delivered"] == 2


def test_a_program_of_ones_own_reads_the_same_file(base: str, emulator: Emulator) -> None:
    program = (
        "import dlt; from dlt_bunce import bunce\n"
        f"dlt.pipeline('own', destination=bunce()).run({people(1)!r}, table_name='customers')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], env={**os.environ, **KEY}, check=False)

    assert (done.returncode, len(emulator.customers)) == (0, 1)
    assert Path("mine.sqlite").exists()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('default_regoin = "NG"', "Did you mean default_region?"),
        ("dryrun = true", "Did you mean dry_run?"),
        ('batch_size = "ten"', "must be a whole number. For example: batch_size = 100"),
        ('dead_letter_rows = "none"', 'must be one of "full", "keys"'),
        ('dry_run = "perhaps"', "must be true or false"),
        ('mapping = { emial = "mail" }', "Did you mean email?"),
        ('defaults = { lastname = "-" }', "Did you mean last_name?"),
        ('credentials = { key = "k" }', "api_key"),
        ("wait_for_run = -1", "must not be negative"),
        ("timeout_s = 1e300", "timeout_s is 1e+300, but must not be greater than 86400."),
        ("max_concurrency = 10000000", "max_concurrency is 10000000, but must not be greater"),
        ('timezone = "Lagos"', 'not a time zone. Use a name such as: timezone = "Africa/Lagos"'),
        ('default_region = "XX"', "default_region is 'XX', which is not a country code."),
        ('on_run_ned = "a:b"', "Did you mean on_run_end?"),
        ("this is no TOML", "line 6"),
        ('account = "twice"', "/config.toml is not valid TOML (a key appears twice)."),
    ],
)
def test_what_cannot_be_meant_in_config_toml_is_refused(
    base: str, emulator: Emulator, line: str, told: str, dlt_bunce: Run
) -> None:
    add(f"{line}\n")

    done = dlt_bunce("load", write(people(1)))

    assert (done.code, done.output, len(done.errors.splitlines())) == (2, "", 1), done.errors
    assert told in done.errors
    assert not emulator.customers


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("DESTINATION__BUNCE__DRYRUN", "true", "Did you mean dry_run?"),
        ("DESTINATION__BUNCE__BATCH_SIZE", "ten", "batch_size is 'ten'"),
        ("DESTINATION__BUNCE__DEAD_LETTER_ROWS", "none", 'one of "full", "keys"'),
        ("DESTINATION__BUNCE__MAPPING__EMAIL", "mail", """MAPPING='{"email": "…"}'"""),
        ("DESTINATION__BUNCE__MAPPING", "mail", "mapping = { email"),
        ("DESTINATION__BUNCE__REQUESTS_PER_MINUTE", str(10**12), "requests_per_minute = 0 to turn"),
        ("DESTINATION__BUNCE__CREDENTIALS__KEY", "x", "api_key"),
        ("DESTINATION__BUNCE__CREDENTIALS__API_KEY", '"sk_test_quoted"', "or a quotation mark."),
        ("CRM__DESTINATION__BUNCE__DRYRUN", "true", "Did you mean dry_run?"),
        ("destination__bunce__dry_run", "true", "Set DESTINATION__BUNCE__DRY_RUN."),
    ],
)
def test_what_cannot_be_meant_in_the_environment_is_refused(
    base: str, emulator: Emulator, variable: str, value: str, told: str, dlt_bunce: Run
) -> None:
    done = dlt_bunce("load", write(people(1)), **{variable: value})

    assert (done.code, done.output) == (2, "")
    assert told in done.errors
    assert not emulator.customers


def test_a_command_that_only_looks_refuses_a_misspelt_store(base: str, dlt_bunce: Run) -> None:
    add('store_ulr = "sqlite:///other.sqlite"\n')

    done = dlt_bunce("status")

    assert done.code == 2
    assert "Did you mean store_url?" in done.errors


def test_the_file_of_another_program_is_left_alone(emulator: Emulator, dlt_bunce: Run) -> None:
    Path("config.toml").write_text('baseURL = "https://example.org"\ntheme = "x"\n')

    done = dlt_bunce("load", write(people(1)), DESTINATION__BUNCE__BASE_URL=emulator.base_url)

    assert (done.code, len(emulator.customers)) == (0, 1)


def test_unknown_arguments_are_refused_with_the_nearest_that_there_is() -> None:
    wrong: Any = {"dryrun": True}
    with pytest.raises(ConfigurationError, match="Did you mean dry_run"):
        bunce(**wrong)


@pytest.mark.parametrize(
    "given", [{"batch_size": "ten"}, {"dead_letter_rows": "none"}, {"dry_run": "no"}]
)
def test_arguments_of_another_kind_are_refused(given: Any) -> None:
    from dlt.common.schema import Schema

    with pytest.raises(ConfigurationError, match=next(iter(given))):
        bunce("sk_test_marked", **given).client(Schema("x"))


def test_the_arguments_of_bunce_are_the_fields_of_its_configuration() -> None:
    parameters = inspect.signature(bunce.__init__).parameters.values()
    named = [known for known in parameters if known.kind is not known.VAR_KEYWORD]
    given = {parameter.name for parameter in named} - {"self"}
    fields = {field.name for field in dataclasses.fields(BunceConfiguration)}

    assert given == {name for name in fields - {"destination_type"} if name[:2] != "__"}


@pytest.mark.parametrize("command", ["status", "adopt"])
def test_an_account_that_the_store_has_not_is_refused(
    base: str, command: str, dlt_bunce: Run
) -> None:
    assert dlt_bunce("load", write(people(1))).code == 0

    done = dlt_bunce(command, "--account", "nope")

    assert (done.code, done.output, len(done.errors.splitlines())) == (2, "", 1)
    assert "The store has no account 'nope'. It has: shop." in done.errors


def test_adopt_makes_the_first_account_and_another_when_told_to(base: str, dlt_bunce: Run) -> None:
    assert dlt_bunce("adopt").code == 0
    assert dlt_bunce("adopt", "--account", "second", "--new-account").code == 0
    assert dlt_bunce("status", "--account", "second").code == 0


def test_an_account_that_looks_like_a_number_is_the_same_for_every_command(
    emulator: Emulator, postgres_store: str, dlt_bunce: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESTINATION__BUNCE__BASE_URL", emulator.base_url)
    Path("config.toml").write_text(
        f'[destination.bunce]\naccount = 2026\nstore_url = "{postgres_store}"\n'
    )

    # from the second load on, the command is recorded before its run begins
    loads = [dlt_bunce("load", write(people(1)), "--json") for _ in range(2)]

    assert [done.code for done in loads] == [0, 0], loads[-1].errors
    assert [done.json["created"] for done in loads] == [1, 0]
    monkeypatch.setenv("DLT_CONFIG_FOLDER", ".dlt")  # has dlt find the settings
    done = dlt_bunce("status", "--json")
    assert (done.code, done.errors, done.json["account"]) == (0, "", "2026")
