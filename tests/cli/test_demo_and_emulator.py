"""`dlt-bunce demo` and `dlt-bunce emulator`, as programs of their own."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import requests

from dlt_bunce.store.database import Database

from .conftest import PROGRAM, Run


def test_the_demo_tells_the_whole_story_and_leaves_it_to_look_at(
    program: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    done = program("demo", "--rows", "400")

    assert done.code == 0, done.errors
    assert "\\n" not in done.output
    first, second, third = done.output.split(" load: ")[1:]
    assert "0 bulk" not in first
    assert "(0 bulk)" in second
    assert "(1 bulk)" in third
    assert "corrected rows are sent" in third
    assert pq.read_metadata("demo/customers.parquet").num_rows == 400
    with Database("sqlite:///demo/bunce.sqlite", read_only=True) as db:
        counts = db.rows("SELECT status, COUNT(*) AS n FROM bunce_dead_letters GROUP BY status")
    assert {row["status"] for row in counts} == {"open", "resolved"}
    looks = [line.split() for line in done.output.splitlines() if "--store-url" in line]
    assert len(looks) == 4
    # without the option, a command would look into another store
    lists = [line for line in done.output.splitlines() if "dead-letters list" in line]
    assert [line for line in lists if "--store-url" not in line] == []
    for words in (look[1:] for look in looks if "ID" not in look):
        assert program(*words).code == 0


def test_the_demo_replaces_its_own_folder_and_no_other(program: Run) -> None:
    assert program("demo", "--rows", "100", "--folder", "story").code == 0
    assert program("demo", "--rows", "100", "--folder", "story").code == 0
    Path("mine").mkdir()
    Path("mine/thesis.txt").write_text("years of work")

    refused = program("demo", "--rows", "100", "--folder", "mine")

    assert (refused.code, Path("mine/thesis.txt").read_text()) == (2, "years of work")
    assert "The folder mine exists and holds other files." in refused.errors


def test_the_emulator_runs_until_it_is_interrupted() -> None:
    words = [PROGRAM, "emulator", "--port", "0", "--json", "--behavior", '{"api_keys": ["k"]}']
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout
        base_url = json.loads(running.stdout.readline())["base_url"]

        answers = [
            requests.get(f"{base_url}/customers", headers={"X-Authorization": key}, timeout=10)
            for key in ("k", "other")
        ]
        running.send_signal(signal.SIGINT)

        assert running.wait(10) == 0
        assert running.stderr
        assert b"Traceback" not in running.stderr.read()
    assert base_url.startswith("http://127.0.0.1:")
    assert [answer.status_code for answer in answers] == [200, 401]
