"""`dlt-bunce probe --output`: a file that cannot be written costs no test customer."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

from dlt_bunce.emulator import Behavior, Emulator

from .conftest import Run, people, write

SMALL = ("--max-batch", "20")


def test_a_file_that_cannot_be_written_is_told_before_anything_is_sent(
    run: Run, emulator: Emulator
) -> None:
    Path("there.json").write_text("{}")
    Path("folder.json").mkdir()

    told = {
        name: run("probe", *SMALL, "--output", name)
        for name in ("missing/bunce.json", "there.json", "folder.json")
    }

    assert {done.code for done in told.values()} == {2}
    assert "missing/bunce.json cannot be written: No such file" in told["missing/bunce.json"].errors
    assert "there.json already exists. Use another name, or pass --overwrite." in (
        told["there.json"].errors
    )
    assert run("probe", "--overwrite").code == 2
    assert (emulator.requests, Path("there.json").read_text()) == ([], "{}")


def test_the_file_is_replaced_whole_and_only_where_that_is_asked_for(
    run: Run, emulator: Emulator
) -> None:
    Path("bunce.json").write_text("{}")

    done = run("probe", *SMALL, "--output", "bunce.json", "--overwrite")

    assert done.code == 0, done.errors
    assert done.output.endswith("The report is in bunce.json.\n")
    assert json.loads(Path("bunce.json").read_text())["requests"] == len(emulator.requests)
    assert [file.name for file in Path().glob(".bunce.json*")] == []


def test_a_probe_that_is_stopped_says_what_stays(
    run: Run, emulator: Emulator, program_file: Path
) -> None:
    emulator.behavior = Behavior(rate_limit=0, latency_ms=200)
    words = ("probe", *SMALL, "--output", "bunce.json")

    process = subprocess.Popen(
        [program_file, *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        until = time.monotonic() + 120
        while len(emulator.requests) < 3:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < until
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=120)

    assert process.returncode == 1
    assert errors.decode().splitlines()[-1] == (
        "Stopped before the answers were complete, so none were kept. Test customers that were "
        "made stay in Bunce. Probe again with: dlt-bunce probe --max-batch 20 --output bunce.json"
    )
    assert list(Path().glob("*bunce.json*")) == []


def test_a_load_tells_that_its_append_may_have_overwritten_somebody(
    run: Run, emulator: Emulator
) -> None:
    emulator.behavior = Behavior(rate_limit=0, repeated_id="overwritten")
    run("probe", *SMALL)
    write(people(*range(5)))

    done = run("load", "customers.parquet", "--disposition", "append", "--limit", "3")

    assert done.code == 0, done.errors
    assert "append_overwrites" in done.output
    assert "dlt-bunce adopt" in done.output
