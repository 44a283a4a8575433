"""Requests for values: after those for customers, and out of the same budget."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import dlt
import pyarrow as pa
import pytest

from dlt_bunce import bunce, bunce_adapter, flush_and_run
from dlt_bunce.emulator import Behavior, Emulator, Fault
from dlt_bunce.store.database import Database

from .attribute_runs import prepare
from .conftest import MakePipeline, customer
from .values_tables import FACTS, customers, fact, facts, some

Warned = Callable[[], list[dict[str, Any]]]
SMALL = {"batch_size": 5, "max_batch_size": 5}


@pytest.fixture(autouse=True)
def _workspace(emulator: Emulator) -> None:
    prepare(emulator)
    emulator.behavior = Behavior(rate_limit=0)


def rich(number: int) -> dict[str, Any]:
    """A customer's row with three values."""
    values = fact(number)
    del values["user"]
    return customer(number, **values)


def limited_pipeline(emulator: Emulator, store: str) -> dlt.Pipeline:
    """A pipeline with a budget of requests."""
    destination = bunce(
        "sk_test_marked",
        base_url=emulator.base_url,
        store_url=store,
        requests_per_minute=6_000,
        **SMALL,
    )
    return dlt.pipeline("crm", destination=destination)


@pytest.mark.parametrize("call", ["values", "members"])
@pytest.mark.parametrize("form", [list, pa.Table.from_pylist])
def test_past_the_limit_values_wait_as_told_and_so_does_everybody_with_this_budget(
    emulator: Emulator, store: str, call: Literal["values", "members"], form: Any, warned: Warned
) -> None:
    told_to_wait = Fault("rate_limited", on_request=1, call=call, seconds=0.1)
    emulator.behavior = Behavior(rate_limit=0, faults=(told_to_wait,))
    rows = bunce_adapter(form([rich(n) for n in range(20)]), **FACTS).with_name("customers")

    done = flush_and_run(limited_pipeline(emulator, store), rows, write_disposition="merge")

    statuses = [record.status for record in emulator.requests if record.call == call]
    with Database(store) as db:
        budgets = db.rows("SELECT scope, share < 1 AS is_less FROM bunce_budgets")
    # one pause, after which the same values are sent and taken; nothing is in doubt
    assert statuses.count(429) == 1
    assert [e["event"] for e in warned() if e["event"].startswith("budget")] == ["budget.paused"]
    assert emulator.attributes.values_received == 20 * 2 + 10
    assert (some(done.attributes), done.warnings) == ({"read": 40, "written": 40}, {})
    assert some(done.segments) == {"read": 20, "written": 10, "unchanged": 10}
    # customers and values have one budget, and it is this one that has become less
    assert [bool(budget["is_less"]) for budget in budgets] == [True]


def test_a_budget_that_customers_have_overdrawn_holds_back_values(
    emulator: Emulator, store: str
) -> None:
    told_to_wait = Fault("rate_limited", on_request=4, call="create", seconds=0.1)
    emulator.behavior = Behavior(rate_limit=0, faults=(told_to_wait,))
    rows = bunce_adapter([rich(n) for n in range(20)], **FACTS).with_name("customers")

    done = flush_and_run(limited_pipeline(emulator, store), rows, write_disposition="merge")

    with Database(store) as db:
        budgets = db.rows("SELECT scope FROM bunce_budgets")
    assert (done.created, some(done.attributes)) == (20, {"read": 40, "written": 40})
    assert len(budgets) == 1


@pytest.mark.parametrize("tables", ["one", "two"])
@pytest.mark.parametrize("form", [list, pa.Table.from_pylist])
def test_no_value_leaves_before_the_last_customer_of_a_load_is_settled(
    make: MakePipeline, emulator: Emulator, store: str, tables: str, form: Any
) -> None:
    numbers = range(40)
    one = bunce_adapter(form([rich(n) for n in numbers]), **FACTS).with_name("customers")

    @dlt.source(name="crm")
    def crm() -> Any:
        # by name and by place, the values come first
        yield facts(form([fact(n) for n in numbers]))
        yield customers(form([customer(n) for n in numbers]))

    done = flush_and_run(
        make(store_url=store, **SMALL), one if tables == "one" else crm(), write_disposition="merge"
    )

    calls = [record.call for record in emulator.requests]
    of_values = [place for place, call in enumerate(calls) if call in {"values", "members"}]
    assert calls.count("create") >= 8
    assert max(place for place, call in enumerate(calls) if call == "create") < of_values[0]
    assert (done.created, some(done.attributes)) == (40, {"read": 80, "written": 80})
