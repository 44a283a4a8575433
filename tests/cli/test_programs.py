"""`dlt-bunce demo` and `dlt-bunce emulator`, as programs of their own."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pyarrow.parquet as pq
import requests

from dlt_bunce.store.database import Database

from .conftest import PROGRAM, Run


def test_the_demo_tells_the_whole_story_and_leaves_it_to_look_at(program: Run) -> None:
    done = program("demo", "--rows", "400")

    assert 0 == done.code, done.errors
    first, second, third = done.output.split(" load: ")[1:]
    assert "0 bulk" not in first
    assert "(0 bulk)" in second
    assert "(1 bulk)" in third
    assert "corrected rows are sent" in third
    assert 400 == pq.read_metadata("demo/customers.parquet").num_rows
    with Database("sqlite:///demo/bunce.sqlite", read_only=True) as db:
        counts = db.rows("SELECT status, COUNT(*) AS n FROM bunce_dead_letters GROUP BY status")
    assert {"open", "resolved"} == {row["status"] for row in counts}
    looks = [line.split() for line in done.output.splitlines() if "--store-url" in line]
    assert 4 == len(looks)
    for words in (look[1:] for look in looks if "ID" not in look):
        assert 0 == program(*words).code


def test_the_demo_replaces_its_own_folder_and_no_other(program: Run) -> None:
    assert 0 == program("demo", "--rows", "100", "--folder", "story").code
    assert 0 == program("demo", "--rows", "100", "--folder", "story").code
    Path("mine").mkdir()
    Path("mine/thesis.txt").write_text("years of work")

    refused = program("demo", "--rows", "100", "--folder", "mine")

    assert (2, "years of work") == (refused.code, Path("mine/thesis.txt").read_text())
    assert "The folder mine holds something else." in refused.errors


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

        assert 0 == running.wait(10)
        assert running.stderr
        assert b"Traceback" not in running.stderr.read()
    assert base_url.startswith("http://127.0.0.1:")
    assert [200, 401] == [answer.status_code for answer in answers]
