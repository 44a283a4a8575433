"""A dry run that is configured, however it is written, leaves no run behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlt_bunce.emulator import Emulator

from .conftest import Run, people, write


@pytest.fixture
def _loaded(run: Run) -> None:
    write(people(1))
    assert run("load", "customers.parquet", "--pipeline-name", "crm").code == 0


@pytest.mark.usefixtures("_loaded")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DESTINATION__BUNCE__DRY_RUN", "true"),
        ("DESTINATION__BUNCE__DRY_RUN", "1"),
        ("DESTINATION__BUNCE__DRY_RUN", "yes"),
        ("CRM__DESTINATION__BUNCE__DRY_RUN", "true"),
    ],
)
def test_a_dry_run_in_the_environment_leaves_no_run_behind(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    write(people(1, 2))
    done = run("load", "customers.parquet", "--pipeline-name", "crm")
    monkeypatch.delenv(name)

    assert (done.code, len(emulator.customers)) == (0, 1)
    status = run("status", "--json").json
    assert ([each["state"] for each in status["runs"]], status["problems"]) == (["completed"], [])


@pytest.mark.usefixtures("_loaded")
def test_a_dry_run_in_the_file_leaves_no_run_behind(run: Run, emulator: Emulator) -> None:
    file = Path("config.toml")
    file.write_text("[crm.destination.bunce]\ndry_run = true\n")
    write(people(1, 2))
    done = run("load", "customers.parquet", "--pipeline-name", "crm")
    file.unlink()

    assert (done.code, len(emulator.customers)) == (0, 1)
    status = run("status", "--json").json
    assert ([each["state"] for each in status["runs"]], status["problems"]) == (["completed"], [])


@pytest.mark.usefixtures("_loaded")
def test_a_dry_run_that_is_neither_true_nor_false_is_told_and_recorded(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESTINATION__BUNCE__DRY_RUN", "perhaps")
    done = run("load", "customers.parquet", "--pipeline-name", "crm")
    monkeypatch.delenv("DESTINATION__BUNCE__DRY_RUN")

    assert (done.code, "dry_run" in done.errors) == (2, True)
    (problem,) = run("status", "--json").json["problems"]
    assert problem["state"] == "failed"
