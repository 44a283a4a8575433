"""The version of a row guards its values as well: an older row never writes over a newer one."""

from __future__ import annotations

from typing import Any

import pytest

from dlt_bunce import bunce_adapter, flush_and_run
from dlt_bunce.emulator import Behavior, Emulator

from .attribute_runs import prepare
from .conftest import Form, MakePipeline, customer
from .values_tables import some


@pytest.fixture(autouse=True)
def _workspace(emulator: Emulator) -> None:
    prepare(emulator)


def load(pipeline: Any, form: Form, version: int, plan: str, **changes: Any) -> Any:
    """Loads two customers of one version, with a value and a membership."""
    rows = [customer(n, plan=plan, vip=True, changed=version) | changes for n in range(2)]
    data = bunce_adapter(
        form(rows), version="changed", attributes={"plan": "Plan"}, segments={"vip": "VIP"}
    )
    return flush_and_run(pipeline, data.with_name("customers"), write_disposition="merge")


def test_a_late_row_is_older_than_values_written_since_its_customer_was_sent(
    make: MakePipeline, emulator: Emulator, store: str, form: Form
) -> None:
    load(make(store_url=store), form, 10, "bronze")
    # nothing of the customers themselves has changed
    newest = load(make(store_url=store), form, 12, "gold")
    before = emulator.attributes.values_received
    late = load(make("late", store_url=store), form, 11, "silver", first_name="Late", vip=False)
    again = load(make("again", store_url=store), form, 12, "gold", first_name="New")

    assert (newest.unchanged, newest.attributes["written"]) == (2, 2)
    assert (late.superseded, some(late.attributes)) == (2, {"read": 2, "superseded": 2})
    assert some(late.segments) == {"read": 2, "superseded": 2}
    assert emulator.attributes.values_received == before
    assert emulator.attributes.values_of("c1") == {"Plan": "gold"}
    # a row of the same version still counts
    assert (again.updated, again.attributes["unchanged"]) == (2, 2)
    assert emulator.customers["c1"]["first_name"] == "New"


def test_a_value_that_bunce_rejects_makes_no_row_newer(
    make: MakePipeline, emulator: Emulator, store: str
) -> None:
    emulator.behavior = Behavior(rate_limit=0, refused_value="cursed")
    load(make(store_url=store), list, 10, "bronze")
    load(make(store_url=store), list, 12, "cursed")

    late = load(make("late", store_url=store), list, 11, "silver")

    assert some(late.attributes) == {"read": 2, "written": 2}


def test_values_of_a_late_row_are_superseded_with_it_also_if_the_row_is_bad(
    make: MakePipeline, emulator: Emulator, store: str, form: Form
) -> None:
    load(make(store_url=store), form, 10, "gold")
    late = load(make("late", store_url=store), form, 9, "silver", phone_no="?", vip=False)
    # the same version: nothing is known to be newer
    bad = load(make("bad", store_url=store), form, 10, "silver", phone_no="?", vip=False)
    held = load(make("bad", store_url=store), form, 10, "silver", phone_no="?", vip=False)

    assert (late.superseded, some(late.attributes)) == (2, {"read": 2, "superseded": 2})
    assert some(late.segments) == {"read": 2, "superseded": 2}
    assert (bad.rejected, some(bad.attributes)) == (2, {"read": 2, "waiting": 2})
    assert (held.held, some(held.attributes)) == (2, {"read": 2, "waiting": 2})
    assert emulator.attributes.values_of("c1") == {"Plan": "gold"}
