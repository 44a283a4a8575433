"""`dlt-bunce rejected-values`, and what status and report say of values."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from dlt_bunce.emulator import Behavior, Emulator

from .conftest import Done, Run, people, write
from .terminal import Terminal

LOAD = ("--attribute", "plan=Plan", "--attribute", "balance=Balance", "--segment", "vip=VIP")


@pytest.fixture
def load(run: Run, emulator: Emulator, store: str) -> Any:
    """Loads customers of whom two have a bad value, into a store of either kind."""
    emulator.behavior = Behavior(rate_limit=0, refused_value="cursed")
    emulator.attributes.add("Plan", "text")
    emulator.attributes.add("Balance", "numeric")
    emulator.attributes.add_segment("VIP")
    rows = people(*range(1, 5), plan="gold", balance="1.50", vip="true")
    rows[1] |= {"plan": "cursed"}
    rows[2] |= {"balance": "seven", "vip": "maybe"}
    rows[3] |= {"plan": None, "email": "nobody"}
    write(rows)

    def load(*words: str) -> Done:
        return run("load", "customers.parquet", "--pipeline-name", "crm", *LOAD, *words)

    return load


def test_rejected_values_are_listed_exported_and_retried(
    run: Run, emulator: Emulator, load: Any
) -> None:
    loaded = load()
    listed = run("rejected-values", "list")
    found = run("rejected-values", "list", "--json").json
    one = run("rejected-values", "list", "--limit", "1")
    some = run(
        *("rejected-values", "list", "--attribute", "Plan", "--attribute", "Balance", "--json"),
        *("--customer", "2", "--code", "refused", "--pipeline", "crm"),
    ).json
    emulator.behavior = Behavior(rate_limit=0)
    received = emulator.attributes.values_received
    every = run("rejected-values", "retry")
    retried = run("rejected-values", "retry", "--all")
    marked = run("rejected-values", "list", "--attribute", "Plan").output
    sent = emulator.attributes.values_received
    again = load("--json").json
    left = run("rejected-values", "list", "--json").json

    assert loaded.code == 0
    assert "Rejected values of this run" in loaded.output
    assert "To list them, run: dlt-bunce rejected-values list" in loaded.output
    assert {
        (v["kind"], v["name"], v["column_name"], v["code"], v["customer_id"]) for v in found
    } == {
        ("attributes", "Plan", "plan", "refused", "2"),
        ("attributes", "Balance", "balance", "invalid_number", "3"),
        ("segments", "VIP", "vip", "invalid_boolean", "3"),
    }
    assert "3 rejected values" in listed.output
    assert "seven" not in listed.output
    assert "cursed" not in listed.output
    assert "Showing 1 of 3. Pass --limit to show more" in one.output
    assert [value["customer_id"] for value in some] == ["2"]
    assert (every.code, "Pass a filter such as --attribute" in every.errors) == (2, True)
    assert "Released 1 value: the next load that reads their rows" in retried.output
    assert "Left 2 values that never reached Bunce" in retried.output
    assert "retry_at" in marked
    assert sent == received, "a retry sends nothing itself"
    assert again["attributes"]["written"] == 1
    assert {value["name"] for value in left} == {"Balance", "VIP"}


def test_status_and_report_count_values_by_fate_and_code(run: Run, load: Any) -> None:
    load()
    load()
    status, shown = run("status", "--json").json, run("status").output
    report, printed = run("report", "--json").json, run("report").output
    page = run("report", "--html", "runs.html")

    assert status["rejected_values"] == {
        "Plan": {"refused": 1},
        "Balance": {"invalid_number": 1},
        "VIP": {"invalid_boolean": 1},
    }
    assert "1 open dead letter, 3 rejected values" in shown
    assert shown.count("invalid_number") == 1
    newest, first = report["runs"]
    assert first["attributes"] == {
        "read": 8,
        "written": 4,
        "unchanged": 0,
        "blank": 1,
        "waiting": 1,
        "superseded": 0,
        "rejected": 2,
        "skipped": 0,
        "deferred": 0,
    }
    assert (newest["attributes"]["unchanged"], newest["segments"]["waiting"]) == (4, 1)
    assert first["rejected_values"] == {
        "Plan": {"refused": 1},
        "Balance": {"invalid_number": 1},
        "VIP": {"invalid_boolean": 1},
    }
    for text in (shown, printed):
        assert "Attribute values and segment members of these runs" in text
    html = Path("runs.html").read_text()
    assert page.code == 0
    assert "Attribute values and segment members by fate" in html
    assert "Values rejected in this run" in html


def test_without_attributes_nothing_is_said_of_values(run: Run) -> None:
    write(people(1, 2) + people(3, mobile="call me"))
    loaded = run("load", "customers.parquet")
    texts = [loaded.output, run("status").output, run("report").output]
    run("report", "--html", "runs.html")
    empty = run("rejected-values", "list")

    assert not any("value" in text.lower() for text in texts)
    assert "Attribute values" not in Path("runs.html").read_text()
    assert (empty.code, empty.output) == (0, "Account default has no rejected values.\n")


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_rejected_values_are_exported_for_whoever_corrects_them(
    run: Run, load: Any, ending: str
) -> None:
    load()
    done = run("rejected-values", "export", f"bad.{ending}")
    again = run("rejected-values", "export", f"bad.{ending}")
    some = run(
        "rejected-values", "export", f"bad.{ending}", "--overwrite", "--code", "refused", "--json"
    )

    path = Path(f"bad.{ending}")
    rows = {
        "csv": lambda: pyarrow.csv.read_csv(path).to_pylist(),
        "parquet": lambda: pq.read_table(path).to_pylist(),
        "jsonl": lambda: [json.loads(line) for line in path.read_text().splitlines()],
    }[ending]()
    assert "Wrote 3 rejected values" in done.output
    assert (again.code, "already exists" in again.errors) == (2, True)
    assert some.json == {"file": f"bad.{ending}", "rejected_values": 1}
    assert [(row["name"], row["code"], row["column_name"]) for row in rows] == [
        ("Plan", "refused", "plan")
    ]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_filter_that_names_nothing_is_refused(run: Run, load: Any) -> None:
    load()
    for words, sentence in (
        (("--attribute", "Color"), "No load has fed attribute 'Color'"),
        (("--pipeline", "carm"), "No run of a pipeline 'carm'"),
        (("--customer", ""), "--customer is empty"),
        (("--code", "email_taken"), "Invalid value for '--code'"),
        (("--account", "other"), "The store has no account 'other'"),
    ):
        for action in (("list",), ("export", "bad.csv"), ("retry",)):
            done = run("rejected-values", *action, *words)
            assert (done.code, sentence in done.errors) == (2, True), (action, done.errors)


def test_a_retry_of_everything_is_confirmed_on_a_terminal(
    load: Any, on_a_terminal: Terminal
) -> None:
    load()

    asked = "Retry all 3 rejected values of account default? [y/N]"
    shown = on_a_terminal("rejected-values", "retry", answers={asked: "n\n"}, code=1)

    assert asked in shown
    assert "Released" not in shown
