"""`dlt-bunce probe --import`: a live workspace starts from what its sandbox was found to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dlt_bunce.emulator import Behavior, Emulator

from .conftest import Run, people, write

FILE = "bunce.json"


@pytest.fixture
def report(run: Run, emulator: Emulator) -> dict[str, Any]:
    """A report of another store's probe, also in a file; nothing is known of it in this store."""
    emulator.behavior = Behavior(rate_limit=0, repeated_id="overwritten", max_batch=12)
    done = run("probe", "--max-batch", "20", "--output", FILE, "--store-url", "sqlite:///s.sqlite")
    assert done.code == 0, done.errors
    found: dict[str, Any] = json.loads(Path(FILE).read_text())
    return found


def doctor(run: Run) -> str:
    """What `doctor` says of the probe."""
    said = [check["detail"] for check in run("doctor", "--json").json if check["name"] == "probe"]
    return str(said[0]) if said else "nothing"


def test_loads_and_check_start_from_an_imported_report(
    run: Run, emulator: Emulator, report: dict[str, Any]
) -> None:
    write(people(*range(30)))
    seen = len(emulator.requests)

    done = run("probe", "--import", FILE)

    assert (done.code, len(emulator.requests)) == (0, seen)
    day = report["probed_at"][:10]
    assert done.output == (
        f"Account default: loads start from the probe of {report['host']} on {day}.\n"
    )
    loaded = run("load", "customers.parquet", "--disposition", "append", "--json").json
    assert loaded["warnings"] == {"append_overwrites": 30}
    sizes = [r.rows for r in emulator.requests[seen:] if r.call == "create"]
    assert max(sizes) <= 12
    assert doctor(run) == "0 days old; loads start from it"


def test_the_report_of_a_sandbox_serves_the_live_host_and_no_other_does(
    run: Run, report: dict[str, Any]
) -> None:
    def imported(**changes: Any) -> tuple[int, str]:
        Path(FILE).write_text(json.dumps(report | changes))
        done = run("probe", "--import", FILE)
        return done.code, done.errors

    host = report["host"]
    assert imported(host=f"sandbox.{host}") == (0, "")
    code, errors = imported(host="api.elsewhere.example")
    assert f"The report is of api.elsewhere.example, and this account is at {host}" in errors
    assert code == 2
    assert "still to come" in imported(probed_at="2999-01-01T00:00:00+00:00")[1]


@pytest.mark.parametrize(
    "broken",
    [
        {"format": 9},
        {"probed_at": "yesterday"},
        {"figures": {"largest_batch": "100"}},
        {"figures": {"largest_batch": 100}},
        {"figures": {"lookup_ids": 0}},
        {"figures": {"lookup_ids": True}},
        {"figures": {"largest_batch": 9, "seconds_per_row": float("inf")}},
        {"figures": {"counts": {"taken": [1]}}},
        {"answers": [{"question": "unheard_of", "answer": "yes"}]},
        {"answers": None},
    ],
    ids=str,
)
def test_another_file_is_refused(broken: Any, run: Run, report: dict[str, Any]) -> None:
    for text in (json.dumps(report | broken), "[]", "no JSON", ""):
        Path(FILE).write_text(text)
        done = run("probe", "--import", FILE)
        assert (done.code, "is no report of a probe" in done.errors) == (2, True), text
    assert doctor(run) == "nothing"
