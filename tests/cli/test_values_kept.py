"""What becomes of values under erase, store move, account, purge, adopt, and links."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from dlt_bunce.emulator import Behavior, Emulator
from dlt_bunce.store.database import Database
from dlt_bunce.store.load_file import LoadFile
from dlt_bunce.store.values import values

from .conftest import Run, people, write

LOAD = ("--attribute", "plan=Plan", "--attribute", "balance=Balance", "--segment", "vip=VIP")
SQLITE = "sqlite:///bunce.sqlite"


def rows(*numbers: int, **changes: Any) -> list[dict[str, Any]]:
    """Customers with two attributes and a segment."""
    return people(*numbers, **{"plan": "gold", "balance": "1.50", "vip": True} | changes)


@pytest.fixture
def load(run: Run, emulator: Emulator) -> Any:
    """Loads customers with their values; returns the figures."""
    emulator.behavior = Behavior(rate_limit=0, refused_value="cursed")
    emulator.attributes.add("Plan", "text")
    emulator.attributes.add("Balance", "numeric")
    emulator.attributes.add_segment("VIP")

    def load(*words: str) -> Any:
        done = run("load", "customers.parquet", "--pipeline-name", "crm", "--json", *LOAD, *words)
        assert done.code == 0, done.errors
        return done.json

    return load


def given(counts: dict[str, int]) -> dict[str, int]:
    """The fates that occurred."""
    return {fate: n for fate, n in counts.items() if n and fate != "read"}


def test_an_erased_customer_leaves_no_trace_of_values(run: Run, load: Any, store: str) -> None:
    write(rows(1, plan="cursed", balance="seven") + rows(2, plan="cursed"))
    load()
    erased = run("erase", "1", "--yes", "--json").json
    shown = run("erase", "2", "--yes").output
    with Database(store) as db:
        customers = db.rows("SELECT customer_id FROM bunce_customers")
        rejected = db.rows("SELECT customer_id FROM bunce_rejected_values")

    assert (erased["ledger"], erased["rejected_values"]) == (1, 2)
    assert "1 customer in the ledger, 0 dead letters, 1 rejected value, and" in shown
    assert (customers, rejected) == ([], [])


def test_a_load_that_ends_after_an_erasure_brings_no_customer_back(
    run: Run, load: Any, store: str
) -> None:
    write(rows(1, plan="cursed"))
    load()
    run("erase", "1", "--yes")
    # values have no claims: a load elsewhere may still settle some
    file = LoadFile("default", "run", "crm", "customers", "job", "merge")
    refused = {"customer_id": ["1"], "slot": [0], "name": ["Plan"], "column_name": ["plan"]}
    refused |= {"code": ["refused"], "message": ["no"], "http_status": [422], "digest": [None]}
    with Database(store) as db:
        with db.transaction():
            values.record_rejected(db, file, pa.table(refused, schema=values.REJECTED))
        found = db.rows("SELECT customer_id FROM bunce_rejected_values")

    assert found == []


def test_a_moved_store_knows_every_value(
    run: Run, emulator: Emulator, load: Any, postgres_store: str
) -> None:
    write(rows(1, 2) + rows(3, plan="cursed"))
    first = load()
    listed = run("rejected-values", "list", "--json").json
    moved = run("store", "move", postgres_store, "--yes", "--json").json["rows"]
    received = emulator.attributes.values_received
    there = ("--store-url", postgres_store)
    status = run("status", "--json", *there).json
    again = load(*there)
    run("rejected-values", "retry", "--all", *there)
    emulator.behavior = Behavior(rate_limit=0)
    retried = load(*there)

    assert (moved["bunce_targets"], moved["bunce_rejected_values"]) == (3, 1)
    assert moved["bunce_run_values"] == 2
    assert run("rejected-values", "list", "--json", *there).json == []
    assert [value["customer_id"] for value in listed] == ["3"]
    assert status["runs"][0]["attributes"] == first["attributes"]
    assert given(again["attributes"]) == {"unchanged": 5, "rejected": 1}
    assert given(retried["attributes"]) == {"unchanged": 5, "written": 1}
    assert emulator.attributes.values_received == received + 1


def test_a_rotated_key_sends_no_value_again(
    run: Run, load: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(rows(1, 2))
    load()
    monkeypatch.setenv("DESTINATION__BUNCE__CREDENTIALS__API_KEY", "sk_test_renewed")
    run("account", "rotate")

    assert given(load()["attributes"]) == {"unchanged": 4}


def test_another_account_of_the_store_has_values_of_its_own(run: Run, load: Any) -> None:
    write(rows(1, plan="cursed"))
    load()
    other = load("--account", "second")
    listed = run("rejected-values", "list", "--json", "--account", "second").json
    run("rejected-values", "retry", "--all", "--account", "second")
    with Database(SQLITE) as db:
        marked = db.rows("SELECT account FROM bunce_rejected_values WHERE retry_at IS NOT NULL")

    assert given(other["attributes"]) == {"written": 1, "rejected": 1}
    assert len(listed) == 1
    assert marked == [{"account": "second"}]


def test_values_follow_forgotten_versions(run: Run, load: Any) -> None:
    newer = ("--version-column", "updated_at")
    write(rows(1, updated_at=20))
    load(*newer)
    write(rows(1, updated_at=10, plan="silver"))
    older = load(*newer)
    run("account", "forget-versions")
    forgotten = load(*newer)

    assert given(older["attributes"]) == {"superseded": 2}
    assert given(forgotten["attributes"]) == {"written": 1, "unchanged": 1}


def test_a_purge_of_dead_letters_leaves_rejected_values(run: Run, load: Any) -> None:
    write(rows(1, plan="cursed") + rows(2, email="nobody"))
    load()
    run("dead-letters", "purge", "--status", "open", "--yes")
    listed = run("rejected-values", "list", "--json").json
    again = load()

    assert [value["customer_id"] for value in listed] == ["1"]
    assert given(again["attributes"]) == {"unchanged": 1, "rejected": 1, "waiting": 2}


def test_old_runs_are_deleted_with_their_counts_of_values(
    run: Run, load: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(rows(1))
    monkeypatch.setenv("DESTINATION__BUNCE__RETENTION_DAYS", "1")
    load()
    with Database(SQLITE) as db:
        db.execute("UPDATE bunce_runs SET ended_at = '2020-01-01T00:00:00.000000+00:00'")
    load()
    with Database(SQLITE) as db:
        runs = {row["run_id"] for row in db.rows("SELECT run_id FROM bunce_runs")}
        counted = {row["run_id"] for row in db.rows("SELECT run_id FROM bunce_run_values")}

    assert len(runs) == 1
    assert counted == runs


def test_an_adopted_customer_gets_all_values_and_keeps_those_of_the_ledger(
    run: Run, emulator: Emulator, load: Any
) -> None:
    write(rows(1))
    load()
    emulator.seed([{**emulator.customers["1"], "customer_id": "2", "email": "c2@example.com"}])
    run("adopt")
    write(rows(1, 2))
    done = load()

    assert given(done["attributes"]) == {"unchanged": 2, "written": 2}
    assert given(done["segments"]) == {"unchanged": 1, "written": 1}


def test_values_of_a_removed_link_are_sent_to_the_customer_under_its_own_id(
    run: Run, emulator: Emulator, load: Any
) -> None:
    emulator.seed(
        {
            "customer_id": "made-1",
            "email": "c1@example.com",
            "first_name": "Old",
            "last_name": "Obi",
            "phone_no": "+2348100000000",
        }
        for _ in range(1)
    )
    write(rows(1))
    linked = load("--on-email-taken", "link")
    run("links", "remove", "1")
    # somebody has made the customer under its own id meanwhile
    other = {**emulator.customers["made-1"], "customer_id": "1", "email": "c1@example.com"}
    emulator.seed([{**emulator.customers["made-1"], "email": "moved@example.com"}, other])
    done = load()

    assert linked["linked"] == 1
    assert (done["created"], done["updated"] + done["adopted"]) == (0, 1)
    assert given(done["attributes"]) == {"written": 2}
    assert emulator.attributes.values_of("1") == {"Plan": "gold", "Balance": "1.5"}


@pytest.mark.parametrize(
    ("configured", "told"),
    [(None, True), ({"plan": "Plan"}, True), ({"plan": "Plan", "balance": "Balance"}, False)],
)
def test_a_corrected_spreadsheet_takes_its_values_along(
    run: Run,
    emulator: Emulator,
    load: Any,
    monkeypatch: pytest.MonkeyPatch,
    configured: dict[str, str] | None,
    told: bool,
) -> None:
    write(rows(1) + rows(2, email="nobody", plan="=silver"))
    load()
    if configured:
        monkeypatch.setenv("DESTINATION__BUNCE__ATTRIBUTES", json.dumps(configured))
    command = run("dead-letters", "export", "bad.csv", "--json").json["load"]
    sheet = Path("bad.csv")
    sheet.write_text(sheet.read_text().replace("nobody", "c2@example.com"))
    done = run(*shlex.split(command)[1:], "--json").json
    source = load()

    assert ("--attribute plan=Plan" in command, "--segment vip=VIP" in command) == (told, True)
    assert (done["created"], done["segments"]["written"]) == (1, 1)
    assert emulator.attributes.values_of("2") == {"Plan": "=silver", "Balance": "1.5"}
    # the source still has the bad row, whose values are those of an accepted customer
    assert (source["held"], source["rejected"]) == (0, 1)


def test_an_attribute_that_is_made_anew_forgets_what_the_old_one_rejected(
    run: Run, emulator: Emulator, load: Any
) -> None:
    write(rows(1, plan="cursed"))
    load()
    emulator.behavior = Behavior(rate_limit=0)
    old = [one for one in emulator.attributes.attributes if one["name"] == "Plan"]
    emulator.attributes.attributes.remove(old[0])
    emulator.attributes.add("Plan", "text")
    done = load()

    assert given(done["attributes"]) == {"written": 1, "unchanged": 1}
    assert run("rejected-values", "list", "--json").json == []


def test_a_run_in_progress_shows_its_values_so_far(run: Run, load: Any) -> None:
    write(rows(1))
    load()
    with Database(SQLITE) as db:
        db.execute("UPDATE bunce_runs SET state = 'running', ended_at = NULL, value_fates = NULL")
    [status], [report] = (run(name, "--json").json["runs"] for name in ("status", "report"))

    assert given(status["attributes"]) == given(report["attributes"]) == {"written": 2}


def test_rows_of_values_alone_are_shown_beside_their_values_and_retried(
    run: Run, emulator: Emulator, load: Any
) -> None:
    write(rows(1, 2))
    load()
    write([{"id": 1, "plan": "cursed"}, {"id": 2, "plan": "silver"}], "facts.parquet")
    words = ("load", "facts.parquet", "--values-only", "--map", "customer_id=id", "--json")
    words += ("--attribute", "plan=Plan")
    done = run(*words).json
    shown = run("status").output
    page = run("report", "--html", "runs.html")
    emulator.behavior = Behavior(rate_limit=0)
    run("rejected-values", "retry", "--attribute", "Plan")
    again = run(*words).json

    assert (done["value_rows"]["read"], done["rejected_values"]) == (2, {"Plan": {"refused": 1}})
    assert "rows of values" in shown
    assert (page.code, "Rows of values" in Path("runs.html").read_text()) == (0, True)
    assert given(again["attributes"]) == {"unchanged": 1, "written": 1}
    assert emulator.attributes.values_of("1")["Plan"] == "cursed"
