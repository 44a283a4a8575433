"""Two tables that feed one attribute: in loads of their own, the later request's value stays."""

from __future__ import annotations

from typing import Any

import pytest

from dlt_bunce import bunce_adapter, flush_and_run
from dlt_bunce.emulator import Behavior, Emulator

from .attribute_runs import prepare
from .conftest import Form, MakePipeline, customer
from .values_tables import fact, facts, some

FED: dict[str, Any] = {"attributes": {"plan": "Plan"}, "segments": {"vip": "VIP"}}


@pytest.fixture(autouse=True)
def _workspace(emulator: Emulator) -> None:
    prepare(emulator)
    emulator.behavior = Behavior(rate_limit=0)


def test_the_customers_table_takes_back_what_a_table_of_values_has_written(
    make: MakePipeline, emulator: Emulator, store: str, form: Form
) -> None:
    def people() -> Any:
        rows = [customer(n, plan="gold", vip=True) for n in range(5)]
        data = bunce_adapter(form(rows), **FED).with_name("customers")
        return flush_and_run(make(store_url=store), data, write_disposition="merge")

    def fix(number: int) -> Any:
        data = facts(form([fact(number, plan="silver", vip=False)]), **FED)
        return flush_and_run(make("fix", store_url=store), data)

    people()
    fixed = fix(3)
    between = emulator.attributes.values_of("c3"), emulator.attributes.members_of("VIP")
    back = people()
    unchanged = people()

    assert some(fixed.value_rows) == {"read": 1, "written": 1}
    assert between == ({"Plan": "silver"}, {"c0", "c1", "c2", "c4"})
    assert some(back.attributes) == {"read": 5, "written": 1, "unchanged": 4}
    assert some(back.segments) == {"read": 5, "written": 1, "unchanged": 4}
    assert emulator.attributes.values_of("c3") == {"Plan": "gold"}
    assert emulator.attributes.members_of("VIP") == {f"c{n}" for n in range(5)}
    assert some(unchanged.attributes) == {"read": 5, "unchanged": 5}
