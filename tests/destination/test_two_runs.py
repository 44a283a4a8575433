"""However two runs are started, whatever they load, and whether or not they share a folder: each
does what it was asked, and nobody is sent twice.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.forks import Forks

from dlt_bunce.emulator import Behavior, Emulator, Fault

from .conftest import customer

ROWS = 200
PROGRAM = """
import json, sys, dlt, pyarrow.parquet as pq
from dlt_bunce import bunce, flush_and_run, run_summary
how, file, folder = sys.argv[1:]
customers = dlt.resource(pq.read_table(file).to_pylist(), name="customers")
pipeline = dlt.pipeline("same", pipelines_dir=folder, destination=bunce())
if how == "flush_and_run":
    summary = flush_and_run(pipeline, customers)
else:
    pipeline.run(customers, write_disposition="merge")
    summary = run_summary(pipeline)
print(json.dumps(summary.as_dict()))
"""
WAYS = ["run", "flush_and_run", "load"]
# before it has asked for anything; once it has checked the key; while customers are being sent
GAPS = [0, 1, 3]
# every fate of a row that is in Bunce by now
THERE = ("created", "updated", "unchanged", "adopted")

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(
    emulator: Emulator, loading: Forks, program_file: Path, monkeypatch: pytest.MonkeyPatch
) -> Start:
    """Start a process that loads so many customers, from a number on, with its data in a folder."""
    settings = {
        "BASE_URL": emulator.base_url,
        "CREDENTIALS__API_KEY": "sk_test_x",
        "STORE_URL": "sqlite:///s.sqlite",
        "REQUESTS_PER_MINUTE": "0",
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"DESTINATION__BUNCE__{name}", value)

    def start(how: str, first: int, folder: str = "p", rows: int = ROWS) -> Any:
        # what is read again is the same file, as a schedule reads it
        file = Path(f"from{first}.parquet")
        pq.write_table(
            pa.Table.from_pylist([customer(n) for n in range(first, first + rows)]), file
        )
        words = loading.python(PROGRAM, how, str(file), folder)
        if how == "load":
            words = [str(program_file), "load", str(file), "--json"]
        return subprocess.Popen(
            words,
            env=os.environ | {"DLT_DATA_DIR": str(Path(folder).absolute())},
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


def wait_for_requests(emulator: Emulator, count: int, method: str = "") -> None:
    """Until so many requests have come."""
    until = time.monotonic() + 60
    while sum(request.method.startswith(method) for request in emulator.requests) < count:
        assert time.monotonic() < until
        time.sleep(0.01)


def wait_for_the_pipeline() -> None:
    """Until dlt has made its folder: it cannot make one twice at the same moment."""
    until = time.monotonic() + 60
    while not Path("p/same/state.json").exists():
        assert time.monotonic() < until
        time.sleep(0.005)


@pytest.mark.parametrize("gap", GAPS)
@pytest.mark.parametrize("folder", ["same", "copied"])
@pytest.mark.parametrize("data", ["own", "same"])
@pytest.mark.parametrize("how", WAYS)
def test_two_runs_at_once_each_do_what_they_were_asked(
    emulator: Emulator, start: Start, how: str, data: str, folder: str, gap: int
) -> None:
    before = 0
    if folder == "copied":
        before = figures(start(how, 0, rows=1))["created"]
        shutil.copytree("p", "q")
        emulator.requests.clear()
    emulator.behavior = Behavior(rate_limit=0, latency_ms=100)

    first = start(how, 0)
    if how != "load":
        wait_for_the_pipeline()
    wait_for_requests(emulator, gap)
    second = start(how, ROWS if data == "own" else 0, "q" if folder == "copied" else "p")
    found = [figures(first), figures(second)]

    everybody = range(2 * ROWS if data == "own" else ROWS)
    assert emulator.times_sent == {f"c{n}": 1 for n in everybody}
    assert [run["read"] for run in found] == [ROWS] * 2
    assert [sum(run[fate] for fate in THERE) for run in found] == [ROWS] * 2
    assert before + sum(run["created"] for run in found) == len(everybody)


@pytest.mark.parametrize("how", WAYS)
def test_what_is_pending_in_a_copied_folder_is_not_sent_while_its_original_sends_it(
    emulator: Emulator, start: Start, how: str
) -> None:
    slow = Fault("hang_before", call="create", on_request=1, seconds=4.0)
    emulator.behavior = Behavior(rate_limit=0, faults=(slow,))
    first = start(how, 0)
    wait_for_requests(emulator, 1, "POST")
    shutil.copytree("p", "q")
    second = start(how, 0, "q")
    found = [figures(first), figures(second)]

    assert emulator.times_sent == {f"c{n}": 1 for n in range(ROWS)}
    assert [sum(run[fate] for fate in THERE) for run in found] == [ROWS] * 2
    # a plain run loads what is pending, and leaves its own rows to the next
    pending = found[1] if how == "run" else found[1]["flushed"]
    assert (pending["read"], sum(pending[fate] for fate in THERE)) == (ROWS, ROWS)


def test_a_store_that_goes_in_mid_load_ends_the_run(emulator: Emulator, start: Start) -> None:
    slow = Fault("hang_before", call="create", on_request=1, seconds=3.0)
    emulator.behavior = Behavior(rate_limit=0, faults=(slow,))
    process = start("run", 0)
    wait_for_requests(emulator, 1, "POST")
    for file in Path().glob("s.sqlite*"):
        file.unlink()

    _, errors = process.communicate(timeout=120)

    assert process.returncode != 0
    assert "was removed or replaced after this run began" in errors
    assert set(emulator.times_sent.values()) == {1}
