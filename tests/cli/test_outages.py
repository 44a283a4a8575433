"""An outage leaves a trace: every run that began is recorded, and `status` says what is wrong."""

from __future__ import annotations

import resource
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from tests.forks import Forks

from dlt_bunce.emulator import Behavior, Emulator, Fault

from .conftest import Run, people, write

LOAD = ("load", "customers.parquet", "--json")
DOWN = Behavior(faults=(Fault("error_before", probability=1.0, call="any", status=503),))


@pytest.fixture(autouse=True)
def _small_batches(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("MAX_BATCH_SIZE", "10"), ("CONCURRENCY", "2"), ("TIMEOUT_S", "2")):
        monkeypatch.setenv(f"DESTINATION__BUNCE__{name}", value)
    # dlt tries a job several times before it gives up
    monkeypatch.setenv("LOAD__RAISE_ON_MAX_RETRIES", "1")


def wrong(run: Run) -> dict[str, Any]:
    """Return the only problem that `status` reports."""
    [problem] = run("status", "--json").json["problems"]
    assert isinstance(problem, dict)
    return problem


def begun(program_file: Path, emulator: Emulator, requests: int) -> subprocess.Popen[str]:
    """Start a load of slow batches; return once Bunce has seen so many requests."""
    process = subprocess.Popen(
        [program_file, *LOAD],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 120
    while sum(request.method == "POST" for request in emulator.requests) < requests:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.02)
    return process


def test_an_api_that_is_down_is_told_with_its_figures_and_forgotten_once_it_is_back(
    run: Run, emulator: Emulator
) -> None:
    write(people(*range(30)))
    emulator.behavior = Behavior(api_keys=("sk_test_other",))
    assert run(*LOAD).json["error_class"] == "CredentialsError"
    emulator.behavior = DOWN
    first = run(*LOAD)

    assert (first.code, first.json["state"], first.json["read"]) == (1, "failed", 0)
    assert first.json["error"] in first.errors
    assert first.json["remedy"]
    problem = wrong(run)
    assert (problem["runs"], problem["waiting"], problem["state"]) == (2, None, "failed")
    assert problem["error_class"] == "UnavailableError"
    assert "503" in problem["error"]
    said = run("status").output.splitlines()
    assert ": 2 runs since " in said[0]
    assert said[1] == f"  Reason: {problem['error']}"
    assert said[2] == f"  Remedy: {problem['remedy']}"

    emulator.behavior = Behavior()
    assert run(*LOAD).code == 0
    found = run("status", "--json").json
    assert found["problems"] == []
    states = [shown["state"] for shown in found["runs"]]
    assert states == ["completed", "failed", "failed"], "newest first"
    assert found["runs"][1]["error"].startswith(problem["error"])


@pytest.mark.parametrize("store", ["postgres"], indirect=True)
def test_an_outage_in_the_middle_of_a_load_counts_the_rows_that_wait(
    run: Run, emulator: Emulator, store: str
) -> None:
    write(people(*range(100)))
    emulator.behavior = Behavior(
        faults=(Fault("error_before", on_request=4, until_request=999, call="any", status=503),)
    )

    failed = run(*LOAD)

    assert failed.code == 1
    delivered = len(emulator.customers)
    assert 0 < delivered < 100
    figures = failed.json
    assert (figures["state"], figures["created"]) == ("failed", delivered)
    problem = wrong(run)
    assert (problem["waiting"], problem["runs"]) == (100 - delivered, 1)
    assert f"{100 - delivered} rows not loaded yet." in run("status").output
    emulator.behavior = Behavior()
    assert run(*LOAD).code == 0
    assert run("status", "--json").json["problems"] == []
    assert {str(n) for n in range(100)} == emulator.customers.keys()


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_and_an_interrupted_load_do_not_stay_running(
    sign: int, run: Run, emulator: Emulator, program_file: Path
) -> None:
    write(people(*range(200)))
    emulator.behavior = Behavior(latency_ms=1000)
    with begun(program_file, emulator, 3) as process:
        assert [run["state"] for run in run("status", "--json").json["runs"]] == ["running"]
        assert run("status", "--json").json["problems"] == []
        process.send_signal(sign)
        output, _ = process.communicate(timeout=120)

    killed = sign == signal.SIGKILL
    problem = wrong(run)
    assert problem["state"] == ("interrupted" if killed else "stopped")
    assert problem["error_class"] == ("ProcessEnded" if killed else "StoppedError")
    assert 0 < problem["waiting"] <= 200
    assert killed or '"state": "stopped"' in output
    emulator.behavior = Behavior()
    assert run(*LOAD).code == 0
    assert run("status", "--json").json["problems"] == []


def test_a_run_whose_store_failed_is_recorded_by_the_next(run: Run, emulator: Emulator) -> None:
    write(people(*range(10)))
    assert run(*LOAD).code == 0
    write(people(*range(20)))
    file = Path("bunce.sqlite")
    content = file.read_bytes()
    file.write_bytes(b"no database" * 1_000)

    failed = run(*LOAD)
    file.write_bytes(content)

    assert (failed.code, failed.json["error_class"]) == (1, "StoreError")
    assert run(*LOAD).code == 0
    states = [shown["state"] for shown in run("status", "--json").json["runs"]]
    assert states == ["completed", "failed", "completed"]


def test_a_file_that_is_missing_tonight_is_a_failed_run(run: Run) -> None:
    assert run(*LOAD).code == 2
    write(people(*range(10)))
    assert run(*LOAD).code == 0
    Path("customers.parquet").unlink()

    assert run(*LOAD).code == 2

    problem = wrong(run)
    assert (problem["error_class"], problem["runs"]) == ("SourceError", 1)
    assert "No file found at customers.parquet." in problem["error"]
    write(people(*range(10)))
    assert run(*LOAD).code == 0
    assert run("status", "--json").json["problems"] == []


def test_a_disk_that_fills_up_leaves_a_run_that_has_failed(
    run: Run, emulator: Emulator, loading: Forks
) -> None:
    write(people(*range(10)))
    assert run(*LOAD).code == 0
    write(people(*range(2_000), last_name="Changed"))
    limit = Path("bunce.sqlite").stat().st_size + 60_000

    program = (
        "import resource, sys\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
        "from dlt_bunce.cli import main\n"
        "main()\n"
    )
    done = subprocess.run(
        loading.python(program, *LOAD), capture_output=True, text=True, check=False
    )

    assert done.returncode == 1, done.stdout
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != limit
    assert "is full" in done.stderr or "disk I/O error" in done.stderr
    problem = wrong(run)
    assert problem["state"] in {"failed", "interrupted"}
    assert problem["waiting"]
    assert run(*LOAD).code == 0
    found = run("status", "--json").json
    assert found["problems"] == []


READS = """
import sys, time
import dlt
from dlt_bunce import bunce, bunce_adapter, flush_and_run

@dlt.resource
def customers():
    print("reading", flush=True)
    while True:
        yield {people}
        time.sleep(0.01)

flush_and_run(dlt.pipeline("crm", destination=bunce()), bunce_adapter(customers))
"""


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_ends_while_it_reads_is_recorded_from_its_beginning(
    sign: int, run: Run, store: str, loading: Forks
) -> None:
    program = loading.python(READS.replace("{people}", repr(people(1))))
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        before = run("status", "--json").json
        process.send_signal(sign)
        process.communicate(timeout=120)

    assert ([found["state"] for found in before["runs"]], before["problems"]) == (["running"], [])
    problem = wrong(run)
    killed = sign == signal.SIGKILL
    assert problem["state"] == ("interrupted" if killed else "stopped")
    assert (problem["pipeline_name"], problem["runs"], problem["waiting"]) == ("crm", 1, None)
    assert problem["since"] == before["runs"][0]["run_id"].removeprefix("attempt-")
    assert problem["remedy"]

    write(people(*range(3)))
    again = READS.replace("{people}", repr(people(*range(3)))).replace("while True", "if True")
    subprocess.run(loading.python(again), check=True, capture_output=True)
    after = run("status", "--json").json
    assert after["problems"] == []
    assert [found["state"] for found in after["runs"]] == ["completed", problem["state"]]


def test_a_run_without_rows_leaves_no_attempt_behind(run: Run, loading: Forks) -> None:
    empty = READS.replace("{people}", "[]").replace("while True", "if True")

    subprocess.run(loading.python(empty), check=True, capture_output=True)

    states = [found["state"] for found in run("status", "--json").json["runs"]]
    assert [state for state in states if state != "completed"] == []
