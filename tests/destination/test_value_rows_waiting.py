"""Rows of values whose customers Bunce does not have: nothing keeps them, and they are listed."""

from __future__ import annotations

from typing import Any

import dlt
import pytest

import dlt_bunce
from dlt_bunce import bunce_adapter, flush_and_run
from dlt_bunce.emulator import Behavior, Emulator

from .attribute_runs import prepare
from .conftest import Form, MakePipeline, customer, replayed
from .values_tables import FACTS, customers, fact, some


@pytest.fixture(autouse=True)
def _workspace(emulator: Emulator) -> None:
    prepare(emulator)
    emulator.behavior = Behavior(rate_limit=0)


def test_rows_read_by_a_cursor_are_not_met_again_and_the_run_that_met_them_warns(
    make: MakePipeline, emulator: Emulator, form: Form
) -> None:
    pipeline = make()
    rows = [fact(n, seen=n) for n in range(3)]

    @dlt.resource(name="facts")
    def since(seen: Any = dlt.sources.incremental("seen", initial_value=-1)) -> Any:
        if found := [row for row in rows if row["seen"] > seen.last_value]:
            yield form(found)

    def load(data: Any) -> Any:
        return flush_and_run(
            pipeline, bunce_adapter(data, customer_id="user", values_only=True, **FACTS)
        )

    # c2 is corrected and replayed, which brings the customer alone
    flush_and_run(pipeline, customers([customer(0), customer(2, email="bad")]))
    met = load(since())
    flush_and_run(pipeline, customers([customer(1), customer(2)]))
    replayed(emulator)
    later = load(since())
    still = {entry.customer_id: entry.customer for entry in dlt_bunce.waiting_values()}
    whole = load(dlt.resource(form(rows), name="facts"))

    assert some(met.value_rows) == {"read": 3, "written": 1, "waiting": 2}
    assert met.warnings == {"value_rows_waiting": 2}
    assert (some(later.value_rows), later.warnings) == ({}, {})
    # found all the same: what is left to do is to read them again
    assert still == {"c1": "accepted", "c2": "accepted"}
    assert list(dlt_bunce.waiting_values()) == []
    assert some(whole.value_rows) == {"read": 3, "written": 2, "unchanged": 1}
    assert (whole.warnings, emulator.attributes.values_of("c2")["Plan"]) == ({}, "gold")
