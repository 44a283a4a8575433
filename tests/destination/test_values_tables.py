"""Tables that hold values of customers whom another table brings: no row creates a customer."""

from __future__ import annotations

from typing import Any

import dlt
import pyarrow as pa
import pytest

from dlt_bunce import bunce_adapter, flush_and_run, run_summary
from dlt_bunce.emulator import Behavior, Emulator
from dlt_bunce.errors import MappingError
from dlt_bunce.store.database import Database
from dlt_bunce.store.runs.history import history

from .attribute_runs import PAID, calls, prepare
from .conftest import Form, MakePipeline, customer, letters, refused
from .values_tables import FACTS, Rows, customers, fact, facts, run, some


@pytest.fixture(autouse=True)
def _workspace(emulator: Emulator) -> None:
    prepare(emulator)


def test_values_of_new_customers_arrive_in_the_run_that_creates_them(
    make: MakePipeline, emulator: Emulator, form: Form, store: str
) -> None:
    emulator.behavior = Behavior(rate_limit=0, latency_ms=20)
    pipeline = make(store_url=store)
    people = [customer(n) for n in range(40)]
    rows = [fact(n) for n in range(40)]

    first = run(pipeline, facts(form(rows)), customers(form(people)))
    sent = emulator.attributes.values_received
    again = run(pipeline, facts(form(rows)), customers(form(people)))
    rows[3] |= {"plan": "silver"}
    changed = run(pipeline, facts(form(rows)))

    assert (first.read, first.created, letters_in(store)) == (40, 40, 0)
    assert some(first.value_rows) == {"read": 40, "written": 40}
    assert some(first.attributes) == {"read": 80, "written": 80}
    assert some(first.segments) == {"read": 40, "written": 20, "unchanged": 20}
    assert sent == 100
    assert (again.unchanged, some(again.value_rows)) == (40, {"read": 40, "unchanged": 40})
    assert (changed.read, changed.rows_read) == (0, 40)
    assert some(changed.value_rows) == {"read": 40, "written": 1, "unchanged": 39}
    assert some(changed.attributes) == {"read": 80, "written": 1, "unchanged": 79}
    assert emulator.attributes.values_received == 101
    assert emulator.attributes.values_of("c3") == {"Plan": "silver", "Balance": "0.3"}
    assert emulator.attributes.members_of("VIP") == {f"c{n}" for n in range(0, 40, 2)}


def test_a_row_of_values_alone_corrects_no_dead_letter(
    make: MakePipeline, emulator: Emulator
) -> None:
    pipeline = make()
    rows = [fact(n, dead_letter_id="3dd2d2d6617f5a6bbd1b0107") for n in range(2)]
    run(pipeline, customers([customer(n) for n in range(2)]))

    done = run(pipeline, facts([*rows, fact(2, user=None, dead_letter_id="0")]))

    assert some(done.value_rows) == {"read": 3, "written": 2, "rejected": 1}
    assert emulator.attributes.values_of("c1") == {"Plan": "gold", "Balance": "0.1"}


def letters_in(store: str) -> int:
    """How many dead letters a store has."""
    with Database(store) as db:
        return int(db.rows("SELECT COUNT(*) AS n FROM bunce_dead_letters")[0]["n"])


def test_rows_without_a_customer_wait_or_are_rejected_and_create_nobody(
    make: MakePipeline, emulator: Emulator, form: Form
) -> None:
    pipeline = make()
    run(pipeline, customers(form([customer(1), customer(2, email="nobody")])))
    rows = [
        fact(1, balance="much"),
        # of a customer whose row was rejected, and of one never heard of
        fact(2, balance="2"),
        fact(9, balance="9", plan=None),
        fact(0, user=None, balance="0"),
        fact(0, user="  ", balance="0"),
        fact(1, plan="newer", balance="1"),
    ]

    done = run(pipeline, facts(form(rows)))
    created = set(emulator.customers)
    run(pipeline, customers(form([customer(2), customer(9)])))
    later = run(pipeline, facts(form(rows)))

    assert created == {"c1"}
    assert some(done.value_rows) == {
        "read": 6,
        "written": 1,
        "waiting": 2,
        "superseded": 1,
        "rejected": 2,
    }
    assert some(done.attributes) == {
        "read": 12,
        "written": 2,
        "blank": 1,
        "waiting": 3,
        "superseded": 2,
        "rejected": 4,
    }
    assert (done.read, dict(done.reject_codes)) == (0, {})
    assert dict(done.warnings) == {"value_rows_without_id": 2, "value_rows_waiting": 2}
    # none is left once the customers are there and the rows are read again
    assert dict(later.warnings) == {"value_rows_without_id": 2}
    with Database("sqlite:///bunce.sqlite") as db:
        newest = history(db, "default", limit=1)[0]
    assert newest.value_rows == later.value_rows
    assert letters() == [("c2", "invalid_email", "resolved")]
    assert some(later.value_rows) == {
        "read": 6,
        "written": 2,
        "unchanged": 1,
        "superseded": 1,
        "rejected": 2,
    }
    assert emulator.attributes.values_of("c9") == {"Balance": "9"}
    assert emulator.attributes.values_of("c1") == {"Plan": "newer", "Balance": "1"}


def test_a_configured_table_needs_no_adapter_and_its_dicts_are_read_as_text(
    make: MakePipeline, emulator: Emulator
) -> None:
    settings = {"account_facts": {"customer_id": "user", **FACTS}}
    pipeline = make(values_tables=settings, mapping={"first_name": "given"})
    people = [customer(n, given="Ada") for n in range(3)]
    rows = [fact(0, balance=0.1), fact(1, balance="1e3"), fact(2, plan="007", vip="no")]

    pipeline.run(people, table_name="customers", write_disposition="merge")
    plain = dlt.resource(rows, name="account_facts", write_disposition="append")
    pipeline.run(plain)
    first = run_summary(pipeline)
    flushed = flush_and_run(pipeline, dlt.resource(rows, name="account_facts"))

    assert some(first.value_rows) == {"read": 3, "written": 3}
    assert some(flushed.value_rows) == {"read": 3, "unchanged": 3}
    assert [emulator.attributes.values_of(f"c{n}") for n in range(3)] == [
        {"Plan": "gold", "Balance": "0.1"},
        {"Plan": "gold", "Balance": "1000"},
        {"Plan": "007", "Balance": "0.2"},
    ]
    assert emulator.attributes.members_of("VIP") == {"c0"}


def test_values_beside_those_of_the_customers_table_leave_these_unchanged(
    make: MakePipeline, emulator: Emulator
) -> None:
    pipeline = make()
    people = [customer(n, plan="gold") for n in range(5)]
    balances = {"attributes": {"balance": "Balance"}, "segments": {}}

    def both(rows: Rows) -> Any:
        adapted = bunce_adapter(people, attributes={"plan": "Plan"}).with_name("customers")
        return run(pipeline, facts(rows, **balances), adapted)

    first = both([fact(n) for n in range(5)])
    again = both([fact(n) for n in range(5)])
    # the customers' own digest holds although another table has written values
    changed = both([fact(n, balance=7) for n in range(5)])

    assert some(first.attributes) == {"read": 10, "written": 10}
    assert some(again.attributes) == {"read": 10, "unchanged": 10}
    assert (again.bulk_requests, again.unchanged) == (0, 5)
    assert some(changed.attributes) == {"read": 10, "written": 5, "unchanged": 5}
    with Database("sqlite:///bunce.sqlite") as db:
        digests = db.rows("SELECT COUNT(values_digest) AS n FROM bunce_customers")
    assert digests == [{"n": 5}]


def test_what_cannot_be_meant_is_refused_before_anything_is_sent(
    make: MakePipeline, emulator: Emulator
) -> None:
    def error_of(name: str, *resources: Any) -> str:
        error = refused(make(name), list(resources))
        assert isinstance(error, MappingError)
        return str(error)

    rows, people = [fact(1)], [customer(1, plan="gold")]
    shared = bunce_adapter(people, attributes={"plan": "Plan"}).with_name("customers")
    unnamed = bunce_adapter(rows, values_only=True, **FACTS).with_name("facts")
    mailed = bunce_adapter(
        rows, customer_id="user", email="plan", values_only=True, **FACTS
    ).with_name("facts")

    assert "both feed 'Plan'" in error_of("a", facts(rows), shared)
    assert "No column is named for customer_id" in error_of("b", unnamed)
    assert "email cannot be mapped" in error_of("c", mailed)
    assert "none of its columns feeds" in error_of("d", facts(rows, attributes={}, segments={}))
    # without values_only these are customers without their required fields
    assert "No column or default for the required fields" in error_of(
        "e", bunce_adapter(rows, customer_id="user", **FACTS).with_name("facts")
    )
    assert {record.call for record in emulator.requests} <= {"lookup", "listing"}


def test_no_attribute_is_created_before_every_table_is_found_good(
    make: MakePipeline, emulator: Emulator
) -> None:
    def tables(**options: Any) -> list[Any]:
        people = pa.Table.from_pylist([customer(n, tier="high", spent=1.5) for n in range(3)])
        adapted = bunce_adapter(people, attributes={"tier": "Tier", "spent": "Spent"})
        rows = pa.Table.from_pylist([fact(n, paid=PAID) for n in range(3)])
        return [adapted.with_name("customers"), facts(rows, **options)]

    def error_of(name: str, *resources: Any) -> str:
        error = refused(make(name, create_attributes=True), list(resources))
        assert isinstance(error, MappingError)
        return str(error)

    before = len(emulator.attributes.attributes)
    missing = error_of("a", *tables(attributes={"plan": "New"}, segments={"vip": "Nope"}))
    twice = error_of("b", *tables(attributes={"plan": "Tier"}, segments={}))
    # two tables of customers may feed one attribute, but not with values that cannot both fit it
    first, second = (
        bunce_adapter(
            pa.Table.from_pylist([customer(n, own=own)]), attributes={"own": "Shared"}
        ).with_name(name)
        for n, own, name in [(1, 1.5, "customers"), (2, PAID, "members")]
    )
    misfit = refused(
        make("c", create_attributes=True, customers_table="customers,members"), [first, second]
    )
    none_made = len(emulator.attributes.attributes) == before
    third = bunce_adapter(
        pa.Table.from_pylist([customer(2, own=2.5)]), attributes={"own": "Shared"}
    ).with_name("members")
    done = run(make("d", create_attributes=True, customers_table="customers,members"), first, third)

    assert "Bunce has no segment 'Nope'. It has: VIP. Nothing was sent." in missing
    assert "both feed 'Tier'" in twice
    assert "but 'Shared' takes" in str(misfit)
    assert none_made
    assert some(done.attributes) == {"read": 2, "written": 2}
    assert [a["name"] for a in emulator.attributes.attributes[before:]] == ["Shared"]
    assert emulator.attributes.values_of("c2") == {"Shared": "2.5"}


def test_a_dry_run_counts_the_rows_and_values_of_both_tables_and_sends_nothing(
    make: MakePipeline, emulator: Emulator, form: Form
) -> None:
    run(make(), customers(form([customer(1)])), facts(form([fact(1, plan="silver")])))
    sent = len(calls(emulator, "values")) + len(calls(emulator, "create"))
    people = [customer(n) for n in range(3)] + [customer(3, email="nobody")]
    rows = [fact(n) for n in range(5)] + [fact(7, user=None)]

    told = run(make("dry", dry_run=True), facts(form(rows)), customers(form(people)))
    done = run(make("real"), facts(form(rows)), customers(form(people)))

    assert (told.state, told.read, told.created, told.rejected) == ("dry_run", 4, 2, 1)
    assert some(told.value_rows) == {"read": 6, "written": 3, "waiting": 2, "rejected": 1}
    assert some(told.attributes) == {"read": 12, "written": 5, "unchanged": 1} | {
        "waiting": 4,
        "rejected": 2,
    }
    for kind in ("value_rows", "attributes", "segments"):
        assert getattr(told, kind) == getattr(done, kind)
    assert len(calls(emulator, "values")) + len(calls(emulator, "create")) == sent + 2
