"""A replay that fails or is killed is told like any other run: by `status`, and with figures."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from dlt_bunce import ConfigurationError, replay
from dlt_bunce.emulator import Behavior, Emulator, Fault
from dlt_bunce.store.database import Database

from .conftest import Run, people, write

REPLAY = ("dead-letters", "replay", "--all", "--json")
DOWN = Fault("error_before", probability=1.0, call="any", status=503)


@pytest.fixture
def loaded(run: Run, store: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """After a load of 40 customers whose phone numbers lacked a country."""
    write([person | {"mobile": f"0803000{n:04d}"} for n, person in enumerate(people(*range(40)))])
    assert run("load", "customers.parquet").code == 0
    for name, value in (("MAX_BATCH_SIZE", "10"), ("CONCURRENCY", "1"), ("TIMEOUT_S", "2")):
        monkeypatch.setenv(f"DESTINATION__BUNCE__{name}", value)
    monkeypatch.setenv("DESTINATION__BUNCE__DEFAULT_REGION", "NG")
    return run


def problems(run: Run) -> list[dict[str, Any]]:
    found = run("status", "--json").json["problems"]
    assert isinstance(found, list)
    return found


def test_a_replay_while_bunce_is_down_is_recorded_until_one_completes(
    loaded: Run, emulator: Emulator
) -> None:
    emulator.behavior = Behavior(faults=(DOWN,))
    failed = loaded(*REPLAY)

    assert (failed.code, failed.json["state"], failed.json["read"]) == (1, "failed", 0)
    [problem] = problems(loaded)
    assert (problem["source"], problem["error_class"]) == ("dead letters", "UnavailableError")
    assert "503" in problem["error"]
    assert problem["error"] in loaded("status").output
    loaded(*REPLAY)
    assert problems(loaded)[0]["runs"] == 2
    emulator.behavior = Behavior()
    assert loaded(*REPLAY).json["created"] == 40
    assert problems(loaded) == []


def test_a_replay_that_fails_half_way_prints_its_figures_and_is_over_with_its_letters(
    loaded: Run, emulator: Emulator
) -> None:
    emulator.behavior = Behavior(
        faults=(Fault("error_before", on_request=4, until_request=999, call="any", status=503),)
    )
    failed = loaded(*REPLAY)

    delivered = len(emulator.customers)
    assert 0 < delivered < 40
    assert failed.code == 1
    assert (failed.json["state"], failed.json["created"]) == ("failed", delivered)
    [problem] = problems(loaded)
    assert problem["error_class"] == "UnavailableError"
    assert loaded("dead-letters", "discard", "--all").code == 0
    assert problems(loaded) == []


def test_a_killed_replay_says_so_and_the_next_one_closes_it_with_the_reason(
    loaded: Run, emulator: Emulator, program_file: Path
) -> None:
    # four batches, one after another: the kill comes in the first
    emulator.behavior = Behavior(latency_ms=1000)
    with subprocess.Popen([program_file, *REPLAY], stdout=subprocess.PIPE) as process:
        until = time.monotonic() + 120
        while not any(request.rows for request in emulator.requests):
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=120)
    emulator.behavior = Behavior()

    [problem] = problems(loaded)
    assert (problem["state"], problem["error_class"]) == ("interrupted", "ProcessEnded")
    assert loaded(*REPLAY).code == 0
    assert problems(loaded) == []
    [_, killed, _] = loaded("status", "--json").json["runs"]
    assert (killed["state"], killed["error_class"]) == ("interrupted", "ProcessEnded")
    assert len(emulator.customers) == 40


@pytest.mark.parametrize(("name", "value"), [("CREDENTIALS__API_KEY", None), ("TIMEOUT_S", "soon")])
@pytest.mark.parametrize("door", ["command", "function"])
def test_a_replay_without_a_key_or_with_a_refused_setting_is_recorded_until_one_completes(
    name: str, value: str | None, door: str, loaded: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as wrong:
        variable = f"DESTINATION__BUNCE__{name}"
        wrong.setenv(variable, value) if value else wrong.delenv(variable)
        if door == "command":
            assert loaded(*REPLAY).code == 2
        else:
            with pytest.raises(ConfigurationError):
                replay()

    [problem] = problems(loaded)
    assert (problem["source"], problem["state"]) == ("dead letters", "failed")
    assert (problem["error_class"], problem["runs"]) == ("ConfigurationError", 1)
    assert problem["remedy"]
    assert loaded(*REPLAY).code == 0
    assert problems(loaded) == []


def test_a_replay_without_a_key_that_would_send_nothing_is_no_failed_run(
    loaded: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert loaded("dead-letters", "discard", "--all").code == 0
    monkeypatch.delenv("DESTINATION__BUNCE__CREDENTIALS__API_KEY")

    assert loaded(*REPLAY).code == 2

    assert problems(loaded) == []


def test_a_replay_of_letters_without_rows_is_a_run_that_completed(
    run: Run, store: str, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESTINATION__BUNCE__DEAD_LETTER_ROWS", "keys")
    write(people(1) + people(2, mobile="call me"))
    assert run("load", "customers.parquet").code == 0
    emulator.behavior = Behavior(faults=(DOWN,))
    assert run(*REPLAY).code == 1
    assert problems(run)[0]["error_class"] == "UnavailableError"
    emulator.behavior = Behavior()

    done = run(*REPLAY)

    assert (done.code, done.json["without_row"], done.json["read"]) == (0, 1, 0)
    assert problems(run) == []
    newest = run("status", "--json").json["runs"][0]
    assert (newest["state"], newest["source"], newest["read"]) == ("completed", "dead letters", 0)


def test_a_replay_of_rows_that_newer_ones_have_overtaken_is_recorded_with_its_counts(
    run: Run, store: str, emulator: Emulator
) -> None:
    write(people(1) + people(2, mobile="call me"))
    assert run("load", "customers.parquet").code == 0
    write(people(2))
    assert run("load", "customers.parquet", "--pipeline-name", "other").code == 0
    with Database(store) as db:
        db.execute("UPDATE bunce_dead_letters SET status = 'open'")

    done = run(*REPLAY).json

    newest = run("status", "--json").json["runs"][0]
    assert (done["read"], done["superseded"], done["bulk_requests"]) == (1, 1, 0)
    assert (newest["run_id"], newest["state"]) == (done["run_id"], "completed")
    assert (newest["read"], newest["superseded"]) == (1, 1)
