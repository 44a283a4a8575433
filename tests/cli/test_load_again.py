"""A second `dlt-bunce load`: beside the first, after one that failed, or of what has changed."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from dlt_bunce.destination.folder.run_lock import run_lock
from dlt_bunce.emulator import Behavior, Emulator, Fault

from .conftest import Run, people, write


def test_another_mapping_of_the_same_file_is_not_read_by_the_old_one(
    run: Run, emulator: Emulator
) -> None:
    write([row | {"nick": "Ade"} for row in people(1)])
    run("load", "customers.parquet", "--map", "first_name=nick")

    done = run("load", "customers.parquet", "--map", "first_name=first_name", "--json")

    assert done.json["updated"] == 1, done.errors
    assert emulator.customers["1"]["first_name"] == "Zoë"


def test_the_same_words_in_another_folder_are_another_pipeline(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = set()
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        monkeypatch.chdir(tmp_path / folder)
        write(people(1))
        names.add(run("load", "customers.parquet", "--json").json["pipeline_name"])

    assert len(names) == 2


def test_what_an_earlier_load_left_behind_goes_first_and_the_user_is_told(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOAD__RAISE_ON_MAX_RETRIES", "1")
    write(people(1, 2))
    gone = Fault("error_before", on_request=1, until_request=1_000)
    emulator.behavior = Behavior(rate_limit=0, faults=(gone,))
    assert run("load", "customers.parquet").code == 1
    emulator.behavior = Behavior(rate_limit=0)
    write(people(3))

    done = run("load", "customers.parquet", "--json")

    assert done.errors == "Loading rows left over from an earlier run first.\n"
    before = done.json["flushed"]
    assert (before["read"], before["created"]) == (2, 2)
    assert (done.json["read"], done.json["created"]) == (1, 1)
    assert run("load", "customers.parquet", "--json").errors == ""


def test_rows_left_behind_arrive_although_the_file_has_other_columns_by_now(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOAD__RAISE_ON_MAX_RETRIES", "1")
    write(people(1, 2))
    emulator.behavior = Behavior(
        faults=(Fault("error_before", call="create", on_request=1, until_request=99, status=401),)
    )
    assert run("load", "customers.parquet").code == 1
    emulator.behavior = Behavior()
    write(people(3, nick="Ade"))

    done = run("load", "customers.parquet", "--json")
    again = run("load", "customers.parquet", "--json")

    assert set(emulator.customers) == {"1", "2", "3"}
    before = done.json["flushed"]
    assert (done.code, done.json["created"], before["created"]) == (0, 1, 2)
    assert "left over" in done.errors
    assert (again.json["read"], again.json["unchanged"]) == (1, 1)


@pytest.mark.usefixtures("run")
def test_a_command_that_is_started_twice_sends_nobody_twice(
    emulator: Emulator, program_file: Path
) -> None:
    emulator.behavior = Behavior(rate_limit=0, latency_ms=300)
    write(people(*range(1_500)), "a.parquet")
    both = [
        subprocess.Popen(
            [program_file, "load", "a.parquet", "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]

    ended = [process.communicate(timeout=120) for process in both]

    assert [process.returncode for process in both] == [0, 0], ended
    found = [json.loads(out) for out, _ in ended]
    assert sorted(figures["created"] for figures in found) == [0, 1_500]
    assert sorted(figures["unchanged"] for figures in found) == [0, 1_500]
    assert set(emulator.times_sent.values()) == {1}
    assert sum("Waiting for another run" in errors for _, errors in ended) == 1


def test_a_folder_that_another_command_is_making_is_left_alone(
    run: Run, program: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(people(1), "a.parquet")
    assert run("load", "a.parquet").code == 0
    [state] = Path("dlt/pipelines").glob("*/state.json")
    state.unlink()  # dlt starts a folder without a state anew
    monkeypatch.setenv("DESTINATION__BUNCE__WAIT_FOR_RUN", "0.1")

    with run_lock(state.parent.absolute()):
        (state.parent / "theirs").touch()
        done = program("load", "a.parquet")

    assert done.code == 1
    assert f"is in progress (process {os.getpid()} on " in done.errors
    assert "To wait longer, set wait_for_run (in seconds)" in done.errors
    assert (state.parent / "theirs").exists()


def test_customers_who_were_left_over_are_not_taken_for_values_alone(
    run: Run, emulator: Emulator
) -> None:
    rows = [{"customer_id": str(row.pop("id")), "plan": "gold"} | row for row in people(1, 2)]
    write(rows)
    emulator.attributes.add("Plan", "text")
    outage = Fault("error_before", on_request=1, until_request=999, status=503)
    emulator.behavior = Behavior(rate_limit=0, faults=(outage,))
    assert run("load", "customers.parquet").code == 1
    emulator.behavior = Behavior(rate_limit=0)

    values = run(
        "load", "customers.parquet", "--values-only", "--attribute", "plan=Plan", "--json"
    ).json
    done = run("load", "customers.parquet", "--json").json

    assert (values["read"], values["value_rows"]["waiting"]) == (0, 2)
    assert done["created"] + done["flushed"]["created"] == 2
    assert emulator.customers.keys() == {"1", "2"}
