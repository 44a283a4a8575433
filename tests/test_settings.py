"""What is asked for is done, or refused by name: in code, in files, and in the environment."""

from __future__ import annotations

import dataclasses
import inspect
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import dlt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dlt_bunce import bunce, dead_letters, flush_and_run
from dlt_bunce.configuration import BunceConfiguration
from dlt_bunce.emulator import Emulator
from dlt_bunce.errors import ConfigurationError

PROGRAM = Path(sys.executable).with_name("dlt-bunce")
PIPELINES = Path(__file__).parents[1] / "pipelines"


def people(count: int, **changes: Any) -> list[dict[str, Any]]:
    """Good rows, with changes."""
    return [
        {
            "customer_id": f"c{n}",
            "email": f"c{n}@example.com",
            "first_name": "Ada",
            "last_name": "Obi",
            "phone_no": f"+23480{n:08d}",
        }
        | changes
        for n in range(count)
    ]


@pytest.fixture
def run(emulator: Emulator) -> Any:
    """Runs a program in this folder, with the key alone in the environment."""

    def run(*command: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
        key = {"DESTINATION__BUNCE__CREDENTIALS__API_KEY": "sk_test_x"}
        return subprocess.run(
            command, env=os.environ | key | more, capture_output=True, text=True, check=False
        )

    return run


def write_config(emulator: Emulator, *lines: str, more: str = "") -> None:
    """A config.toml in this folder."""
    text = ["[destination.bunce]", f'base_url = "{emulator.base_url}"', *lines, more]
    Path("config.toml").write_text("\n".join(text))


def test_the_command_reads_the_config_toml_beside_it(run: Any, emulator: Emulator) -> None:
    rows = people(3) + people(1, customer_id="x", email="x@example.com", phone_no="08031234567")
    pq.write_table(pa.Table.from_pylist(rows), "a.parquet")
    write_config(
        emulator,
        'store_url = "sqlite:///elsewhere.sqlite"',
        'account = "shop"',
        "max_reject_count = 0",
    )

    done = run(PROGRAM, "load", "a.parquet", "--json")

    assert 3 == done.returncode, done.stderr
    assert (3, 1) == tuple(json.loads(done.stdout)[name] for name in ("created", "rejected"))
    assert Path("elsewhere.sqlite").exists()
    assert not Path("bunce.sqlite").exists()
    accounts = run(PROGRAM, "status", "--json", "--account", "shop")
    assert 0 == accounts.returncode, accounts.stderr

    write_config(emulator, 'default_region = "ng"', "dry_run = true")
    dry = run(PROGRAM, "load", "a.parquet", "--json")
    assert 0 == dry.returncode, dry.stderr
    figures = json.loads(dry.stdout)
    assert ("dry_run", 4) == (figures["state"], figures["created"])
    assert not Path("bunce.sqlite").exists()


def test_the_environment_goes_before_config_toml(run: Any, emulator: Emulator) -> None:
    pq.write_table(pa.Table.from_pylist(people(1)), "a.parquet")
    write_config(emulator, "dry_run = true")

    done = run(PROGRAM, "load", "a.parquet", "--json", DESTINATION__BUNCE__DRY_RUN="false")

    assert "completed" == json.loads(done.stdout)["state"]
    assert 1 == len(emulator.customers)


def test_a_pipeline_reads_its_section_of_the_config_toml_beside_it(
    run: Any, emulator: Emulator
) -> None:
    Path("pipelines").mkdir()
    script = Path("pipelines/parquet_to_bunce.py")
    script.write_text((PIPELINES / script.name).read_text())
    pq.write_table(pa.Table.from_pylist(people(2)), "a.parquet")
    location = f'[pipelines.parquet]\nlocation = "{Path.cwd()}/*.parquet"'
    write_config(emulator, 'store_url = "sqlite:///mine.sqlite"', more=location)

    done = run(sys.executable, script)

    assert 0 == done.returncode, done.stderr
    assert 2 == len(emulator.customers)
    assert Path("mine.sqlite").exists()


def test_a_config_toml_that_is_none_is_told_with_its_line(run: Any) -> None:
    Path("config.toml").write_text('[destination.bunce]\naccount = shop"\n')

    done = run(PROGRAM, "status")

    assert 2 == done.returncode
    assert "config.toml is not TOML, line 2" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("line", "meant"),
    [("dryrun = true", "dry_run"), ('default_regoin = "NG"', "default_region")],
)
def test_a_misspelled_setting_sends_nothing(
    run: Any, emulator: Emulator, line: str, meant: str
) -> None:
    pq.write_table(pa.Table.from_pylist(people(1)), "a.parquet")
    write_config(emulator, line)
    in_file = run(PROGRAM, "load", "a.parquet")
    write_config(emulator)
    name, _, value = line.partition(" = ")
    variable = {f"DESTINATION__BUNCE__{name.upper()}": value.strip('"')}
    in_environment = run(PROGRAM, "load", "a.parquet", **variable)
    with pytest.raises(ConfigurationError, match=f"{name}.*Did you mean {meant}"):
        bunce(**{name: value})

    assert [2, 2] == [in_file.returncode, in_environment.returncode]
    assert f"Did you mean {meant}" in in_file.stderr
    assert f"Did you mean {meant}" in in_environment.stderr
    assert {} == emulator.customers


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"dead_letter_rows": "none"}, "must be one of: full, keys"),
        ({"batch_size": "ten"}, "batch_size is 'ten', but must be a whole number"),
        ({"dry_run": "yes"}, "dry_run is 'yes', but must be true or false"),
        ({"wait_for_run": -1}, "wait_for_run is -1"),
        ({"account": 7}, "account is 7, but must be text"),
    ],
)
def test_a_value_of_another_kind_is_refused_by_name(
    emulator: Emulator, settings: Any, said: str
) -> None:
    destination = bunce("sk_test_x", emulator.base_url, **settings)
    pipeline = dlt.pipeline("crm", destination=destination)

    with pytest.raises(ConfigurationError, match=said):
        flush_and_run(pipeline, dlt.resource(people(1), name="customers"))


def test_every_setting_is_a_parameter_and_no_other() -> None:
    fields = {
        one.name
        for one in dataclasses.fields(BunceConfiguration)
        if one.init and not one.name.startswith("__")
    }
    parameters = set(inspect.signature(bunce.__init__).parameters) - {"self", "unknown"}

    assert fields == parameters


def test_dead_letters_are_those_of_the_configured_store(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESTINATION__BUNCE__STORE_URL", "sqlite:///there.sqlite")
    monkeypatch.setenv("DESTINATION__BUNCE__ACCOUNT", "shop")
    pipeline = dlt.pipeline("crm", destination=bunce("sk_test_x", emulator.base_url))
    flush_and_run(pipeline, dlt.resource(people(1, email="nobody"), name="customers"))

    assert 1 == sum(len(page) for page in [list(dead_letters())])
