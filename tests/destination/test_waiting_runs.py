"""A run that finds another in its working folder waits for it, then says which, and what to do."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import dlt
import pytest
from tests.forks import Forks

from dlt_bunce import flush_and_run
from dlt_bunce.destination.folder.run_lock import owner_of, run_lock
from dlt_bunce.emulator import Emulator
from dlt_bunce.errors import RunInProgressError, StoreError, bunce_error
from dlt_bunce.operations.flush import flush
from dlt_bunce.store.ledger import DEFAULT_LEASE_S

from .conftest import Form, MakePipeline, customer

ROOT = Path(__file__).parent.parent.parent
HOLD = """
import os, sys
from pathlib import Path
from dlt_bunce.destination.folder.run_lock import run_lock
with run_lock(Path(sys.argv[1])):
    print(os.getpid(), flush=True)
    sys.stdin.read()
"""
RUN = """
import sys, dlt
from dlt_bunce import bunce
pipeline = dlt.pipeline("crm", destination=bunce("sk_test_x", sys.argv[1]))
rows = [{"customer_id": "c1", "email": "c1@example.com", "first_name": "Ada", "last_name": "Obi",
         "phone_no": "+2348100000001"}]
pipeline.run(rows, table_name="customers", write_disposition="merge")
"""
FOLDER = Path("dlt/pipelines/crm")


@pytest.fixture
def other(loading: Forks) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Another process that has the working folder to itself, and its process id."""
    with subprocess.Popen(
        loading.python(HOLD, str(FOLDER.absolute())),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
        process.kill()


@pytest.mark.parametrize("how", ["run", "flush_and_run", "flush", "load"])
def test_after_the_wait_it_names_the_process_and_what_to_do(
    make: MakePipeline, emulator: Emulator, how: str, other: tuple[Any, str]
) -> None:
    pipeline = make(wait_for_run=0.2)
    data: Any = [customer(1)]
    doors: dict[str, Any] = {
        "run": partial(pipeline.run, data, table_name="customers"),
        "flush_and_run": partial(flush_and_run, pipeline, data, table_name="customers"),
        "flush": partial(flush, pipeline),
        "load": pipeline.load,
    }

    with pytest.raises(Exception) as caught:  # noqa: PT011, dlt's own around ours in a plain run
        doors[how]()

    error = bunce_error(caught.value)
    assert isinstance(error, RunInProgressError)
    since = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00"
    assert re.fullmatch(
        rf"Another run of 'crm' is in progress \(process {other[1]} on \S+ since {since}\)\. "
        r"Waited 0\.2 s; nothing was read or sent\. Stop it, or run again after it ends\. To wait "
        r"longer, set wait_for_run \(in seconds\) under \[destination\.bunce\]\.",
        str(error),
    )
    assert emulator.requests == []


@pytest.mark.parametrize("settings", ["no settings", "the settings of config.toml"])
def test_it_waits_as_long_as_documented_and_then_loads(
    emulator: Emulator,
    loading: Forks,
    settings: str,
    other: tuple[subprocess.Popen[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("RUNTIME__LOG_LEVEL")
    if settings != "no settings":
        shutil.copy(ROOT / "config.toml", "config.toml")
    reference = (ROOT / "docs/reference/settings.md").read_text()
    [documented] = re.findall(r"## wait_for_run\n[^#]+default `(\S+)`", reference)

    with subprocess.Popen(
        loading.python(RUN, emulator.base_url), stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        waiting = next(line for line in process.stderr if '"run.waiting"' in line)
        assert emulator.requests == []
        other[0].communicate()
        process.communicate(timeout=120)

    assert (documented, json.loads(waiting)["at_most_s"]) == ("300.0", 300.0)
    assert process.returncode == 0
    assert emulator.times_sent == {"c1": 1}


def test_a_run_does_not_wait_for_the_claims_of_one_whose_store_failed(
    make: MakePipeline, emulator: Emulator, form: Form, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOAD__RAISE_ON_MAX_RETRIES", "1")
    rows = dlt.resource(form([customer(n) for n in range(20)]), name="customers")
    pipeline = make(max_batch_size=2)

    def take_away(*_: object) -> None:
        if Path("bunce.sqlite").exists():
            Path("bunce.sqlite").rename("away.sqlite")

    listeners = pipeline.destination.run_context.on_progress  # type: ignore[union-attr]
    listeners.append(take_away)
    with pytest.raises(StoreError):
        flush_and_run(pipeline, rows)
    listeners.remove(take_away)
    Path("away.sqlite").rename("bunce.sqlite")
    began = time.monotonic()

    again = flush_and_run(pipeline, rows)

    assert again.flushed is not None
    assert time.monotonic() - began < DEFAULT_LEASE_S / 2
    assert (again.flushed.read, again.unchanged) == (20, 20)
    assert set(emulator.times_sent.values()) == {1}


def test_the_next_run_knows_which_earlier_ones_are_gone(
    other: tuple[subprocess.Popen[str], str],
) -> None:
    other[0].kill()
    other[0].wait()
    with run_lock(FOLDER, lambda: 5) as owner:
        # the one that was killed is known to be gone; its claims protect nobody
        assert len(owner.ended) == 1
        assert owner == owner_of(FOLDER)
    with run_lock(FOLDER) as next_owner:
        assert owner.ended == next_owner.ended
    shutil.copytree("dlt", "copied")
    with run_lock(Path("copied/pipelines/crm")) as elsewhere:
        assert elsewhere.ended == ()
