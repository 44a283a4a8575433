"""Two processes run one pipeline: each brings its own rows, and nobody is sent twice."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.forks import Forks

from dlt_bunce.destination.run_lock import owner_of, run_lock
from dlt_bunce.emulator import Behavior, Emulator, Fault
from dlt_bunce.errors import RunInProgressError

ROWS = 500
PROGRAM = """
import json, sys, dlt
from dlt_bunce import bunce, flush_and_run, run_summary
base_url, how, start, folder = sys.argv[1:]
rows = [
    {
        "customer_id": f"c{i}",
        "email": f"c{i}@example.com",
        "first_name": "Ada",
        "last_name": "Obi",
        "phone_no": f"+23480{i:08d}",
    }
    for i in range(int(start), int(start) + 500)
]
customers = dlt.resource(rows, name="customers")
pipeline = dlt.pipeline("same", pipelines_dir=folder, destination=bunce(
    credentials="sk_test_x", base_url=base_url, store_url="sqlite:///s.sqlite",
    requests_per_minute=0))
if how == "flush_and_run":
    summary = flush_and_run(pipeline, customers)
elif how == "flush":
    from dlt_bunce.operations.flush import flush
    summary = flush(pipeline)
else:
    pipeline.run(customers, write_disposition="merge")
    summary = run_summary(pipeline)
print(json.dumps({"read": summary.read, "fates": summary.fates}))
"""


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(emulator: Emulator, loading: Forks) -> Start:
    """Start a process that loads 500 customers, from a number on."""

    def start(how: str, first: int, folder: str = "p") -> subprocess.Popen[str]:
        return subprocess.Popen(
            loading.python(PROGRAM, emulator.base_url, how, str(first), folder),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def figures(process: subprocess.Popen[str]) -> Any:
    """What it has printed, once it has ended well."""
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors[-2_000:]
    return json.loads(out)


def wait_for_the_pipeline() -> None:
    """Until dlt has made its folder: it cannot make one twice at the same moment."""
    until = time.monotonic() + 60
    while not Path("p/same/state.json").exists():
        assert time.monotonic() < until
        time.sleep(0.005)


def wait_for_requests(emulator: Emulator, count: int) -> None:
    """Until so many requests have come."""
    until = time.monotonic() + 60
    while len(emulator.requests) < count:
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.parametrize("how", ["flush_and_run", "run"])
@pytest.mark.parametrize("requests", [0, 1, 3])
def test_each_of_two_runs_in_one_folder_brings_its_own_rows(
    emulator: Emulator, how: str, requests: int, start: Start
) -> None:
    emulator.behavior = Behavior(rate_limit=0, latency_ms=200)
    first = start(how, 0)
    wait_for_the_pipeline()
    wait_for_requests(emulator, requests)
    second = start(how, ROWS)

    found = [figures(first), figures(second)]

    assert [(run["read"], run["fates"]["created"]) for run in found] == [(ROWS, ROWS)] * 2
    assert {f"c{i}" for i in range(2 * ROWS)} == set(emulator.customers)
    assert set(emulator.times_sent.values()) == {1}


@pytest.mark.parametrize("how", ["flush_and_run", "run"])
def test_the_same_rows_started_twice_are_sent_once(
    emulator: Emulator, how: str, start: Start
) -> None:
    emulator.behavior = Behavior(rate_limit=0, latency_ms=200)
    first = start(how, 0)
    wait_for_the_pipeline()
    second = start(how, 0)

    found = [figures(process)["fates"] for process in (first, second)]

    assert sorted(fates["created"] for fates in found) == [0, ROWS]
    assert sorted(fates["unchanged"] for fates in found) == [0, ROWS]
    assert set(emulator.times_sent.values()) == {1}


def test_a_copied_folder_sends_nothing_that_its_original_is_sending(
    emulator: Emulator, start: Start
) -> None:
    # the third request brings customers: a key check comes first
    slow = Fault("hang_before", on_request=3, seconds=4.0)
    emulator.behavior = Behavior(rate_limit=0, faults=(slow,))
    first = start("run", 0)
    wait_for_requests(emulator, 3)
    shutil.copytree("p", "q")
    second = start("flush", 0, "q")

    found = [figures(first)["fates"], figures(second)["fates"]]

    assert {f"c{i}" for i in range(ROWS)} == set(emulator.customers)
    assert set(emulator.times_sent.values()) == {1}
    assert [fates["deferred"] for fates in found] == [0] * 2


def test_a_run_that_finds_another_says_which_and_what_to_do(emulator: Emulator) -> None:
    hold = """
import os, sys
from pathlib import Path
from dlt_bunce.destination.run_lock import run_lock
with run_lock(Path("p/same")):
    print(os.getpid(), flush=True)
    sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        pid = holder.stdout.readline().strip()
        with (
            pytest.raises(RunInProgressError, match=rf"process {pid} on .* since .*wait_for_run"),
            run_lock(Path("p/same"), lambda: 0.2),
        ):
            pass
        holder.kill()
        holder.wait()
        with run_lock(Path("p/same"), lambda: 5) as owner:
            # the one that was killed is known to be gone; its claims protect nobody
            assert len(owner.ended) == 1
            assert owner == owner_of(Path("p/same"))
    with run_lock(Path("p/same")) as next_owner:
        assert owner.ended == next_owner.ended
    shutil.copytree("p", "q")
    with run_lock(Path("q/same")) as elsewhere:
        assert elsewhere.ended == ()


def test_a_store_that_goes_in_mid_load_ends_the_run(emulator: Emulator, start: Start) -> None:
    slow = Fault("hang_before", on_request=3, seconds=3.0)
    emulator.behavior = Behavior(rate_limit=0, faults=(slow,))
    process = start("run", 0)
    wait_for_requests(emulator, 3)
    for file in Path().glob("s.sqlite*"):
        file.unlink()

    _, errors = process.communicate(timeout=120)

    assert process.returncode != 0
    assert "was removed or replaced after this run began" in errors
    assert set(emulator.times_sent.values()) == {1}
