"""Files of tables that hold values alone: bad days, many of them, and their order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dlt
import pyarrow as pa
import pytest

from dlt_bunce import check, flush_and_run
from dlt_bunce.destination import job_order
from dlt_bunce.emulator import Behavior, Emulator, Fault
from dlt_bunce.errors import MappingError, RejectThresholdError, TooFewRowsError

from .attribute_runs import calls, fates, prepare, rejected_values
from .conftest import MakePipeline, customer, refused
from .values_tables import customers, fact, facts, run, some


@pytest.fixture(autouse=True)
def _workspace(emulator: Emulator) -> None:
    prepare(emulator)


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
    with pytest.raises(TooFewRowsError, match="1 row was read, compared with 10"):
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


def test_values_are_not_sent_once_a_mistake_ends_the_files_of_customers(
    make: MakePipeline, emulator: Emulator, warned: Callable[[], list[dict[str, Any]]]
) -> None:
    run(make(), customers([customer(n) for n in range(5)]))
    people = [customer(n, email="nobody") for n in range(1_000)]

    error = refused(make(), [facts([fact(n) for n in range(5)]), customers(people)])

    assert isinstance(error, MappingError)
    assert "the mapping of email" in str(error)
    assert "values.before_customers" not in {event["event"] for event in warned()}
    assert calls(emulator, "values") == []


@pytest.mark.parametrize("beside", ["customers", "a file of usable rows"])
def test_a_dry_run_names_the_wrong_id_column_that_stops_the_load(
    make: MakePipeline,
    emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    beside: str,
) -> None:
    monkeypatch.setenv("DATA_WRITER__FILE_MAX_ITEMS", "1000")
    monkeypatch.setenv("LOAD__WORKERS", "1")
    nameless = pa.Table.from_pylist([fact(n, user=" ") for n in range(1_000)])
    usable = pa.Table.from_pylist([fact(n) for n in range(1_000)])

    @dlt.source
    def crm() -> Any:
        if beside == "customers":
            yield customers([customer(1)])
            yield facts([nameless])
        else:
            yield facts([usable, nameless])

    found = check(crm(), destination=make().destination)
    error = refused(make(), crm())

    assert isinstance(error, MappingError)
    assert "All of the first 1000 rows were rejected as missing_customer_id" in str(error)
    assert error.remedy is not None
    assert "[destination.bunce.values_tables.TABLE]" in error.remedy
    assert "[destination.bunce.mapping]" not in error.remedy
    told = [(w.text, w.remedy) for w in found.warnings if w.code == "wrong_mapping"]
    assert told == [(f"The load will fail. {error.message}", error.remedy)]
