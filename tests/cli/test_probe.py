"""`dlt-bunce probe`: what it asks first, what it prints, and what it writes."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from dlt_bunce.emulator import Behavior, Emulator, Fault
from dlt_bunce.probe.plan import max_customers, max_requests

from .conftest import Run, people, write
from .terminal import Terminal

KEY = "DESTINATION__BUNCE__CREDENTIALS__API_KEY"
SMALL = ("--max-batch", "20")


def test_it_says_beforehand_what_it_will_send_and_stays_below(run: Run, emulator: Emulator) -> None:
    done = run("probe", *SMALL)

    assert done.code == 0, done.errors
    requests, customers = max_requests(20), max_customers(20)
    assert f"at most {requests} requests, and up to {customers} test customers" in done.errors
    assert len(emulator.requests) <= requests
    assert len(emulator.customers) <= customers
    for customer_id, customer in emulator.customers.items():
        assert customer["email"].lower().startswith("dlt-bunce-probe-"), customer_id
        assert customer["email"].lower().endswith("@example.com")
    assert emulator.stats()["rate_limited"] == 0


TABLES: dict[str, tuple[Behavior, dict[str, str]]] = {
    "as documented": (
        Behavior(rate_limit=0),
        {
            "Good rows of a failed batch": "created",
            "How `errors` name a row": "email",
            "An id that is created again": "refused",
            "Look-up by `customer_ids`": "works",
        },
    ),
    "a validation framework": (
        Behavior(
            rate_limit=0,
            failure="atomic",
            failure_status=400,
            error_form="dotted",
            flag="success",
            lookup="nested",
            max_batch=12,
        ),
        {
            "Good rows of a failed batch": "not created",
            "Status of a failed batch": "400",
            "How `errors` name a row": "position from 0",
            "Where `meta` is in a list": "inside data",
            "Largest batch that was accepted": "12",
        },
    ),
    "an upsert without look-ups": (
        Behavior(
            rate_limit=0,
            repeated_id="overwritten",
            emails="shared",
            unknown_update="created",
            lookup="absent",
            errors="anonymous",
            null_on_update="ignored",
        ),
        {
            "An id that is created again": "overwritten",
            "An email that another customer has": "shared",
            "An update of an unknown id": "created",
            "Look-up by `customer_ids`": "absent",
            "A null in an update": "ignored",
        },
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_the_table_says_how_this_bunce_behaves(name: str, run: Run, emulator: Emulator) -> None:
    emulator.behavior, expected = TABLES[name]

    done = run("probe", *SMALL)

    assert done.code == 0, done.errors
    lines = [[cell.strip() for cell in line.split("│")[1:-1]] for line in done.output.splitlines()]
    answers = {cells[0]: cells[1] for cells in lines if len(cells) > 2}
    assert expected.items() <= answers.items()


def test_the_report_holds_no_key_and_no_value_of_anybody(run: Run, emulator: Emulator) -> None:
    emulator.seed(
        {
            "customer_id": "marked-4711",
            "email": "marked@people.example",
            "first_name": "Markedname",
            "last_name": "Markedname",
            "phone_no": "+2348177777123",
        }
        for _ in range(1)
    )
    # Bunce's words may hold anything, and a filter that is ignored shows everybody
    words = "Markedname Ltd: marked@people.example, +2348177777123, marked-4711 is invalid"
    emulator.behavior = Behavior(rate_limit=0, error_words=words, lookup="unfiltered")

    done = run("probe", *SMALL, "--output", "bunce.json", "--prefix", "marked-tests")

    written = Path("bunce.json").read_text("utf-8")
    with closing(sqlite3.connect("bunce.sqlite")) as db:
        kept = str(db.execute("SELECT * FROM bunce_probes").fetchall())
    assert "is invalid" in written
    for text in (done.output, written, kept):
        for mark in ("marked", "Marked", "2348177777", "4711", "sk_test", "people.example"):
            assert mark not in text, mark
    report = json.loads(written)
    assert report["host"] in emulator.base_url
    assert report["mode"] == "sandbox"
    assert report["requests"] == len(emulator.requests)
    assert run("probe", *SMALL, "--json").json["answers"][0]["meaning"]


def test_a_live_workspace_takes_the_option_and_a_typed_number(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, on_a_terminal: Terminal
) -> None:
    monkeypatch.setenv(KEY, "sk_live_marked")

    without, unasked = run("probe", *SMALL), run("probe", *SMALL, "--live")

    assert (without.code, unasked.code) == (2, 2)
    assert "add --live" in without.errors
    assert "stdin is not a terminal" in unasked.errors
    assert emulator.requests == []
    question = f"{max_customers(20)} test customers will stay in this live workspace for good"
    shown = on_a_terminal("probe", *SMALL, "--live", answers={question: f"{max_customers(20)}\n"})
    assert "test customers who stay in Bunce" in shown
    assert emulator.customers


def test_another_number_sends_nothing(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, on_a_terminal: Terminal
) -> None:
    monkeypatch.setenv(KEY, "sk_live_marked")

    shown = on_a_terminal("probe", *SMALL, "--live", answers={"to go on": "yes\n"}, code=2)

    assert "Not confirmed; nothing was sent." in shown
    assert emulator.requests == []


@pytest.mark.parametrize(
    ("behavior", "code", "line"),
    [
        (Behavior(suspended=True), 1, "for a reason that concerns none of them"),
        (Behavior(rate_limit=0, max_customers=30), 1, "for a reason that concerns none of them"),
        (
            Behavior(refused_email_domain="example.com"),
            1,
            "Bunce accepted no test customer in any form",
        ),
        (
            Behavior(faults=(Fault("error_before", probability=1.0),)),
            1,
            "accepted no test customer",
        ),
        (
            Behavior(faults=(Fault("drop_after", on_request=4, until_request=99),)),
            1,
            "Bunce does not answer",
        ),
        (Behavior(api_keys=("other",)), 1, "refuses the API key"),
    ],
    ids=["suspended", "full", "refused domain", "errors", "dropped", "key"],
)
def test_where_nothing_can_be_found_out_it_says_why(
    behavior: Behavior, code: int, line: str, run: Run, emulator: Emulator
) -> None:
    emulator.behavior = behavior

    done = run("probe", *SMALL)

    assert done.code == code
    assert line in done.errors
    assert "marked" not in done.errors


@pytest.mark.parametrize("prefix", ["", "-a", "a@b", "a" * 41, "Ọ"])
def test_a_prefix_that_would_not_fit_is_refused(prefix: str, run: Run, emulator: Emulator) -> None:
    done = run("probe", "--prefix", prefix)

    assert done.code == 2
    assert emulator.requests == []


def test_check_and_doctor_know_of_the_probe(run: Run, emulator: Emulator) -> None:
    def doctor() -> dict[str, str]:
        (found,) = (c for c in run("doctor", "--json").json if c["name"] == "probe")
        return {"state": found["state"], "detail": found["detail"]}

    def check() -> tuple[int, list[str]]:
        found = run("check", "customers.parquet", "--disposition", "append", "--json").json
        return found["cost"]["requests"], [warning["code"] for warning in found["warnings"]]

    write(people(*range(1000)))
    before, warnings = check()
    assert warnings == ["append_may_overwrite"]
    emulator.behavior = Behavior(rate_limit=0, repeated_id="overwritten")
    run("probe", "--max-batch", "500")
    after, warnings = check()
    assert after < before
    assert warnings == ["append_overwrites"]
    assert doctor() == {"state": "ok", "detail": "0 days old; loads start from it"}
    emulator.behavior = Behavior(rate_limit=0)
    run("probe", *SMALL)
    assert check()[1] == []

    with closing(sqlite3.connect("bunce.sqlite")) as db, db:
        db.execute("UPDATE bunce_probes SET probed_at = '2026-01-01T00:00:00+00:00'")
    assert doctor()["state"] == "warning"
    assert "no longer used" in doctor()["detail"]
    assert check()[1] == ["append_may_overwrite"]


def test_attributes_and_segments_are_asked_about_where_they_are_named(
    run: Run, emulator: Emulator
) -> None:
    emulator.behavior = Behavior(rate_limit=0, max_values=10)
    emulator.attributes.add("Marked plan", "text")
    emulator.attributes.add("Balance", "numeric")
    emulator.attributes.add_segment("Marked testers")
    emulator.attributes.add_segment("Active", kind="automatic")

    done = run("probe", *SMALL, "--attribute", "Marked plan", "--segment", "Marked testers")
    unnamed = run("probe", *SMALL, "--json").json
    wrong = {
        words: run("probe", *SMALL, *words.split())
        for words in ("--attribute Plan", "--attribute Balance", "--segment Active")
    }

    assert done.code == 0, done.errors
    assert f"at most {max_requests(20, values=True)} requests" in done.errors
    assert "A value for a customer" in done.output
    assert "HTTP 422 at 20" in done.output
    assert "Marked" not in done.output
    assert "value_write" not in {answer["question"] for answer in unnamed["answers"]}
    assert {failed.code for failed in wrong.values()} == {2}
    assert "Attributes there: Balance, Marked plan." in wrong["--attribute Plan"].errors
    assert "is of type numeric" in wrong["--attribute Balance"].errors
    assert "is of type automatic" in wrong["--segment Active"].errors


def test_the_first_values_are_as_many_as_a_probe_has_written(run: Run, emulator: Emulator) -> None:
    emulator.attributes.add("Plan", "text")
    assert run("probe", *SMALL, "--attribute", "Plan").code == 0
    before = len(emulator.requests)
    write([{**row, "plan": "gold"} for row in people(*range(100))])

    assert run("load", "customers.parquet", "--attribute", "plan=Plan").code == 0

    sizes = [r.rows for r in emulator.requests[before:] if r.call == "values"]
    assert sizes[0] == 20


def test_a_key_that_may_not_write_values_costs_no_report(run: Run, emulator: Emulator) -> None:
    emulator.attributes.add("Plan", "text")
    emulator.attributes.add_segment("Testers")
    emulator.behavior = Behavior(
        rate_limit=0,
        faults=tuple(
            Fault("html_403", on_request=1, until_request=99, call=call)
            for call in ("values", "members")
        ),
    )

    done = run("probe", *SMALL, "--attribute", "Plan", "--segment", "Testers", "--json")

    assert done.code == 0, done.errors
    answers = {answer["question"]: answer["answer"] for answer in done.json["answers"]}
    assert (answers["value_write"], answers["segment_add"]) == ("refused", "refused")
    assert answers["create_status"] == "200"
