"""Dry runs count values as the load would, and neither send nor store any."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from typing import Any

import dlt
import pyarrow as pa
import pytest

import dlt_bunce
from dlt_bunce import RunSummary, bunce_adapter, flush_and_run, run_summary
from dlt_bunce.emulator import Behavior, Emulator
from dlt_bunce.errors import MappingError

from .attribute_runs import ATTRIBUTES, PAID, calls, fates, prepare, rich, run
from .conftest import STORE, MakePipeline, customer, refused

OPTIONS = {"attributes": ATTRIBUTES, "segments": {"vip": "VIP"}}
Way = Callable[[dlt.Pipeline, Any], RunSummary]


@pytest.fixture(autouse=True)
def _workspace(emulator: Emulator) -> None:
    prepare(emulator)


def _flushed(pipeline: dlt.Pipeline, data: Any) -> RunSummary:
    return flush_and_run(pipeline, data, table_name="customers")


def _plain(pipeline: dlt.Pipeline, data: Any) -> RunSummary:
    pipeline.run(data, table_name="customers")
    return run_summary(pipeline)


def contents() -> list[str]:
    """All that the store holds."""
    with closing(sqlite3.connect(STORE.removeprefix("sqlite:///"))) as store:
        return sorted(store.iterdump())


def counted(summary: RunSummary) -> dict[str, dict[str, int]]:
    """The fates that occurred, by kind."""
    return {
        kind: {fate: n for fate, n in getattr(summary, kind).items() if n}
        for kind in ("attributes", "segments")
    }


@pytest.mark.parametrize("way", [_flushed, _plain])
@pytest.mark.parametrize("shape", [list, pa.Table.from_pylist])
def test_a_dry_run_counts_values_sends_none_and_leaves_the_ledger_as_it_was(
    way: Way, shape: Callable[..., Any], make: MakePipeline, emulator: Emulator
) -> None:
    known = [rich(n, vip="true") for n in range(10)]
    rows = [
        *known[:5],
        rich(5, vip="true", plan="silver", balance="a lot"),
        rich(6, vip="false", paid=None),
        rich(20, vip="true"),
        rich(21, vip="true", email="nobody"),
    ]
    for row in (*known, *rows):
        row["balance"] = str(row["balance"])
    way(make(), bunce_adapter(shape(known), **OPTIONS))
    before, asked = contents(), len(emulator.requests)

    told = way(make("dry", dry_run=True), bunce_adapter(shape(rows), **OPTIONS))

    assert (told.state, told.read, told.created) == ("dry_run", 9, 1)
    assert counted(told) == {
        "attributes": {
            "read": 27,
            "written": 4,
            "unchanged": 18,
            "blank": 1,
            "waiting": 3,
            "rejected": 1,
        },
        "segments": {"read": 9, "written": 2, "unchanged": 6, "waiting": 1},
    }
    assert contents() == before
    assert Counter(r.call for r in emulator.requests[asked:]) == {"listing": 2}
    done = way(make(), bunce_adapter(shape(rows), **OPTIONS))
    assert counted(done) == counted(told)


def test_a_dry_run_creates_no_attribute_and_counts_as_if_it_had(
    make: MakePipeline, emulator: Emulator
) -> None:
    rows = pa.Table.from_pylist([rich(n, spent=n / 2, day=PAID.date()) for n in range(4)])
    options = {"attributes": {"spent": "Spent", "day": "Day", "plan": "Plan"}}
    attributes = list(emulator.attributes.attributes)
    settings = {"dry_run": True, "create_attributes": True}

    told = _plain(make("dry", **settings), bunce_adapter(rows, **options))

    assert fates(told) == {"written": 12}
    assert emulator.attributes.attributes == attributes
    assert {r.method for r in emulator.requests} == {"GET"}
    error = refused(make("strict", dry_run=True), bunce_adapter(rows, **options))
    assert isinstance(error, MappingError)
    assert "Bunce has no attribute 'Spent', 'Day'. It has: Balance, Last payment, Plan." in str(
        error
    )


def test_a_dry_run_needs_no_key_and_takes_what_the_ledger_knows(
    make: MakePipeline, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(make(), *(rich(n) for n in range(5)))
    emulator.behavior = Behavior(rate_limit=0)
    asked = len(emulator.requests)

    told = _flushed(
        make("dry", dry_run=True, credentials=None),
        bunce_adapter([rich(n) for n in range(7)], attributes=ATTRIBUTES),
    )

    assert (told.created, told.unchanged) == (2, 5)
    assert fates(told) == {"written": 6, "unchanged": 15}
    assert told.warnings == {"targets_not_compared": 7}
    assert len(emulator.requests) == asked
    assert calls(emulator, "values") == [15]


def test_a_program_checks_values_of_two_tables(make: MakePipeline, emulator: Emulator) -> None:
    @dlt.source
    def crm() -> Any:
        people = dlt.resource([rich(1), rich(2, balance="x")], name="customers")
        leads = dlt.resource([rich(3, plan=None)], name="leads")
        yield bunce_adapter(people, attributes=ATTRIBUTES)
        yield bunce_adapter(leads, attributes={"plan": "Plan", "paid": "Paid"})

    found = dlt_bunce.check(crm(), destination=make().destination)

    assert [(t.table, t.column, t.state, dict(t.values)) for t in found.targets] == [
        ("customers", "plan", "exists", {"written": 2}),
        ("customers", "balance", "exists", {"written": 1, "rejected": 1}),
        ("customers", "paid", "exists", {"written": 2}),
        ("leads", "plan", "exists", {"blank": 1}),
        ("leads", "paid", "missing", {"written": 1}),
    ]
    assert [(r.table, r.name, r.code) for r in found.rejected_values] == [
        ("customers", "Balance", "invalid_number")
    ]
    assert "It has: Balance, Last payment, Plan." in found.warnings[0].text
    assert found.as_dict()["targets"][0]["values"] == {"written": 2}
    assert found.summary.attributes["read"] == 8
    assert calls(emulator, "values") == []


def test_an_attribute_that_two_tables_feed_is_counted_as_created_once(
    make: MakePipeline, emulator: Emulator
) -> None:
    settings = {"create_attributes": True, "customers_table": "customers,leads"}

    def requests(*names: str) -> int:
        @dlt.source
        def crm() -> Any:
            for number, (table, name) in enumerate(zip(("customers", "leads"), names, strict=True)):
                people = dlt.resource([customer(number, tier="gold")], name=table)
                yield bunce_adapter(people, attributes={"tier": name})

        return dlt_bunce.check(crm(), destination=make(**settings).destination).cost.requests

    assert requests("Tier", "Tier") + 1 == requests("Tier", "Rank")


def test_values_of_customers_whose_email_is_taken_wait_in_a_dry_run_as_they_do_in_the_load(
    make: MakePipeline, emulator: Emulator
) -> None:
    run(make(), rich(1))
    rows = [
        rich(2, email="c1@example.com"),
        rich(3, email="twins@example.com", plan=None),
        rich(4, email="twins@example.com"),
    ]
    data = bunce_adapter(rows, attributes=ATTRIBUTES)

    told = _flushed(make("dry", dry_run=True), data)
    done = _flushed(make(), data)

    assert (told.created, told.rejected) == (done.created, done.rejected) == (1, 2)
    assert fates(told) == fates(done) == {"written": 2, "blank": 1, "waiting": 6}


def test_a_time_zone_that_does_not_exist_is_refused_before_anything_is_sent(
    make: MakePipeline, emulator: Emulator
) -> None:
    data = bunce_adapter([rich(1)], attributes=ATTRIBUTES)
    for settings in ({}, {"dry_run": True}):
        pipeline = make(f"crm_{len(settings)}", timezone="Africa/Lagoss", **settings)
        error = refused(pipeline, data, table_name="customers")
        assert "'Africa/Lagoss', which is not a time zone" in str(error)
    assert calls(emulator, "create") == []


def test_a_table_of_values_alone_is_counted_after_the_customers_of_the_run(
    make: MakePipeline, emulator: Emulator
) -> None:
    def facts(*rows: dict[str, Any]) -> Any:
        adapted = bunce_adapter(list(rows), customer_id="user", values_only=True, **facts_given)
        adapted.apply_hints(table_name="account_facts")
        return adapted.with_name("account_facts")

    def people(*numbers: int) -> Any:
        return bunce_adapter([customer(n) for n in numbers]).with_name("customers")

    def fact(user: str | None, balance: Any) -> dict[str, Any]:
        return {"user": user, "balance": balance, "vip": True}

    facts_given: Any = {"attributes": {"balance": "Balance"}, "segments": {"vip": "VIP"}}
    make().run([people(1, 2), facts(fact("c1", 1), fact("c2", 2))])
    before = contents()
    rows = [fact("c1", 1), fact("c2", 3), fact("c3", 4), fact("c9", 5), fact(None, 6)]
    rows.append(fact("c3", "many"))

    pipeline = make("dry", dry_run=True)
    pipeline.run([people(1, 2, 3), facts(*rows)])
    told = run_summary(pipeline)
    found = dlt_bunce.check(facts(*rows), destination=make().destination)
    after = contents()
    pipeline = make()
    pipeline.run([people(1, 2, 3), facts(*rows)])
    done = run_summary(pipeline)

    assert before == after
    assert (told.read, told.created, told.unchanged) == (3, 1, 2)
    assert (
        counted(told)
        == counted(done)
        == {
            "attributes": {
                "read": 6,
                "written": 1,
                "unchanged": 1,
                "waiting": 1,
                "superseded": 1,
                "rejected": 2,
            },
            "segments": {
                "read": 6,
                "written": 1,
                "unchanged": 2,
                "waiting": 1,
                "superseded": 1,
                "rejected": 1,
            },
        }
    )
    assert told.value_rows == done.value_rows
    assert {t.column: dict(t.values) for t in found.targets}["balance"] == {
        "written": 1,
        "unchanged": 1,
        "waiting": 2,
        "superseded": 1,
        "rejected": 1,
    }
    assert {w.code for w in found.warnings} == {"value_rows_without_id", "value_rows_waiting"}
    assert (found.summary.read, found.summary.value_rows["read"]) == (0, 6)
