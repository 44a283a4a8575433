"""Attribute values and segment members of customers whom Bunce has under another id."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from dlt_bunce import bunce_adapter, run_summary
from dlt_bunce.emulator import Behavior, Emulator
from dlt_bunce.model import RunSummary

from .attribute_runs import prepare
from .conftest import MakePipeline, customer

pytestmark = pytest.mark.usefixtures("impatient")


@pytest.fixture(autouse=True)
def _workspace(emulator: Emulator) -> None:
    prepare(emulator)


def theirs(number: int, **changes: Any) -> dict[str, Any]:
    """A customer as another channel made it."""
    return customer(number, customer_id=f"b{number}", first_name="Old") | changes


def load(
    make: MakePipeline,
    rows: list[dict[str, Any]],
    store: str,
    disposition: str = "merge",
    **settings: Any,
) -> RunSummary:
    """Load rows with their plan and membership, links allowed; the figures of the run."""
    pipeline = make(store_url=store, on_email_taken="link", **settings)
    pipeline.run(
        bunce_adapter(
            pa.Table.from_pylist(rows), attributes={"plan": "Plan"}, segments={"vip": "VIP"}
        ),
        table_name="customers",
        write_disposition=disposition,
    )
    return run_summary(pipeline)


def some(counts: Any) -> dict[str, int]:
    """Counts that are not zero."""
    return {fate: n for fate, n in counts.items() if n}


def test_append_writes_no_value_to_a_customer_that_somebody_else_made(
    make: MakePipeline, emulator: Emulator, store: str
) -> None:
    emulator.seed([theirs(1)])
    rows = [customer(n, plan="gold", vip=True) for n in (1, 2)]

    first = load(make, rows, store, "append")
    there = emulator.attributes.values_of("b1"), emulator.attributes.members_of("VIP")
    told = load(make, rows, store, "append", dry_run=True)
    again = load(make, rows, store, "append")
    merged = load(make, rows, store)

    assert (first.adopted, first.created) == (1, 1)
    assert some(first.attributes) == {"read": 2, "written": 1, "skipped": 1}
    assert some(first.segments) == {"read": 2, "written": 1, "skipped": 1}
    assert there == ({}, {"c2"})
    assert some(told.attributes) == {"read": 2, "unchanged": 1, "skipped": 1}
    assert some(again.attributes) == {"read": 2, "unchanged": 1, "skipped": 1}
    # merge may change the customer, and so the values
    assert some(merged.attributes) == {"read": 2, "unchanged": 1, "written": 1}
    assert emulator.attributes.values_of("b1")["Plan"] == "gold"
    assert emulator.attributes.members_of("VIP") == {"b1", "c2"}


@pytest.mark.parametrize("repeated_id", ["refused", "overwritten"])
def test_values_of_a_link_that_gives_way_belong_to_whoever_bunce_has_them_of(
    make: MakePipeline, emulator: Emulator, store: str, repeated_id: Any
) -> None:
    emulator.behavior = Behavior(rate_limit=0, repeated_id=repeated_id)
    emulator.seed([theirs(5, customer_id="c6"), theirs(7, customer_id="c8")])
    load(make, [customer(n, plan="gold", vip=True) for n in (5, 7)], store)
    assert emulator.attributes.members_of("VIP") == {"c6", "c8"}

    # their own rows come: c6 is no member and has no plan, c8 is one and has another
    rows = [
        customer(6, email="c5@example.com", plan=None, vip=False),
        customer(8, email="c7@example.com", plan="iron", vip=True),
    ]
    late = load(make, rows, store)
    again = load(make, rows, store)

    assert late.warnings == {"links_ended": 2}
    assert (late.updated, again.unchanged) == (2, 2)
    assert emulator.attributes.members_of("VIP") == {"c8"}
    assert some(late.segments) == {"read": 2, "written": 1, "unchanged": 1}
    assert some(late.attributes) == {"read": 2, "written": 1, "blank": 1}
    assert emulator.attributes.values_of("c8")["Plan"] == "iron"
    # a blank erases nothing, as the warning says
    assert emulator.attributes.values_of("c6")["Plan"] == "gold"
    assert some(again.segments) == {"read": 2, "unchanged": 2}
