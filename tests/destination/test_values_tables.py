"""Tables that hold values of customers whom another table brings: no row creates a customer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import dlt
import pyarrow as pa
import pytest

from dlt_bunce import bunce_adapter, flush_and_run, run_summary
from dlt_bunce.destination import job_order
from dlt_bunce.emulator import Behavior, Emulator, Fault
from dlt_bunce.errors import MappingError, RejectThresholdError
from dlt_bunce.store.database import Database

from .attribute_runs import calls, fates, prepare, rejected_values
from .conftest import MakePipeline, customer, letters, refused

Rows = list[dict[str, Any]]
Form = Callable[[Rows], Any]
FACTS = {"attributes": {"plan": "Plan", "balance": "Balance"}, "segments": {"vip": "VIP"}}


def _dicts(rows: Rows) -> Any:
    return rows


def _arrow(rows: Rows) -> Any:
    return pa.Table.from_pylist(rows)


@pytest.fixture(params=[_dicts, _arrow], ids=["dicts", "arrow"])
def form(request: pytest.FixtureRequest) -> Form:
    """Rows as dicts, or as an Arrow table."""
    form: Form = request.param
    return form


@pytest.fixture(autouse=True)
def _workspace(emulator: Emulator) -> None:
    prepare(emulator)


def fact(number: int, **changes: Any) -> dict[str, Any]:
    """A row with three values, and changes."""
    return {
        "user": f"c{number}",
        "plan": "gold",
        "balance": number / 10,
        "vip": number % 2 == 0,
    } | changes


def facts(data: Any, **options: Any) -> Any:
    """Rows of values as a resource of their own, in a table that comes before customers by name."""
    adapted = bunce_adapter(data, customer_id="user", values_only=True, **(FACTS | options))
    adapted.apply_hints(table_name="account_facts")
    return adapted.with_name("account_facts")


def customers(data: Any) -> Any:
    """Rows of customers as a resource."""
    return bunce_adapter(data).with_name("customers")


def run(pipeline: dlt.Pipeline, *resources: Any) -> Any:
    """Runs resources in one load and says what became of them."""
    pipeline.run(list(resources))
    return run_summary(pipeline)


def some(counts: Mapping[str, int]) -> dict[str, int]:
    """The counts that are not zero."""
    return {name: n for name, n in counts.items() if n}


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
    assert (done.read, dict(done.reject_codes)) == (0, {"missing_customer_id": 2})
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


@pytest.mark.parametrize("call", ["values", "create"])
def test_an_outage_fails_the_run_and_the_next_delivers_the_rest(
    make: MakePipeline, emulator: Emulator, call: Any
) -> None:
    down = Fault("error_before", on_request=2, until_request=10_000, call=call)
    emulator.behavior = Behavior(rate_limit=0, faults=(down,))
    quiet: dict[str, Any] = {"concurrency": 1, "max_concurrency": 1, "batch_size": 20}
    people, rows = [customer(n) for n in range(60)], [fact(n) for n in range(60)]

    error = refused(make(**quiet), [customers(people), facts(rows)])
    emulator.behavior = Behavior(rate_limit=0)
    done = flush_and_run(make(**quiet), facts(rows))

    assert "could not be delivered" in str(error)
    assert done.flushed is not None
    assert (done.flushed.created, some(done.flushed.value_rows)) == (
        60,
        {"read": 60, "written": 60},
    )
    assert some(done.flushed.attributes) == {"read": 120, "written": 120}
    assert some(done.value_rows) == {"read": 60, "unchanged": 60}
    assert rejected_values() == []
    assert all(len(emulator.attributes.values_of(f"c{n}")) == 2 for n in range(60))


def test_rows_of_values_count_for_thresholds(make: MakePipeline, emulator: Emulator) -> None:
    rows = [fact(n, user=None if n < 3 else f"c{n}") for n in range(10)]

    with pytest.raises(RejectThresholdError, match="3 of 10 rows are rejected"):
        flush_and_run(make(max_reject_share=0.2, min_rows=10), facts(rows))
    with pytest.raises(Exception, match="1 rows were read, compared with 10"):
        flush_and_run(make(min_rows_share_of_last=0.5), facts(rows[9:]))


def test_ids_are_the_same_whichever_type_a_table_has_them_in(
    make: MakePipeline, emulator: Emulator
) -> None:
    pipeline = make()
    people = [customer(n, customer_id=n) for n in range(3)]
    rows = [fact(n, user=float(n)) for n in range(3)]

    done = run(pipeline, customers(people), facts(pa.Table.from_pylist(rows)))
    again = run(pipeline, facts([fact(n, user=n) for n in range(3)]))

    assert some(done.value_rows) == {"read": 3, "written": 3}
    assert some(again.value_rows) == {"read": 3, "unchanged": 3}
    assert emulator.attributes.values_of("2") == {"Plan": "gold", "Balance": "0.2"}


def test_values_of_many_chunks_and_files_are_delivered_once(
    make: MakePipeline, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NORMALIZE__DATA_WRITER__FILE_MAX_ITEMS", "7000")
    monkeypatch.setenv("DATA_WRITER__FILE_MAX_ITEMS", "7000")
    number = 24_000
    people = [customer(n) for n in range(100)]
    rows = [fact(n % number, plan=f"plan {n % 3}") for n in range(number + 500)]
    pipeline = make()

    run(pipeline, customers(pa.Table.from_pylist(people)))
    done = run(pipeline, facts(pa.Table.from_pylist(rows), segments={}))

    assert done.value_rows["read"] == number + 500
    assert done.value_rows["superseded"] == 500
    assert done.value_rows["written"] == 100
    assert done.value_rows["waiting"] == number - 100
    assert fates(done)["written"] == 200
    assert sum(calls(emulator, "values")) == 200


def test_values_do_not_wait_for_customers_whom_no_worker_is_left_to_load(
    make: MakePipeline, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_order, "_MAX_IDLE_S", 0.3)
    monkeypatch.setenv("LOAD__WORKERS", "1")
    people, rows = [customer(n) for n in range(5)], [fact(n) for n in range(5)]

    done = run(make(), facts(rows), customers(people))
    later = run(make(), facts(rows))

    assert done.created == 5
    assert done.value_rows["written"] + done.value_rows["waiting"] == 5
    assert later.value_rows["waiting"] == 0
    assert all(len(emulator.attributes.values_of(f"c{n}")) == 2 for n in range(5))
