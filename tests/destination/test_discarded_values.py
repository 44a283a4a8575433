"""Rejected values that a program discards: the same value of any type stays discarded."""

from __future__ import annotations

import pytest

import dlt_bunce
from dlt_bunce import UsageError, ValueSelection, bunce, bunce_adapter, run_summary
from dlt_bunce.emulator import Behavior, Emulator

from .attribute_runs import ATTRIBUTES, fates, prepare, rich, run
from .conftest import Form, MakePipeline


@pytest.fixture(autouse=True)
def _workspace(emulator: Emulator) -> None:
    prepare(emulator)
    emulator.behavior = Behavior(rate_limit=0)


def test_a_discarded_value_stays_so_while_it_is_the_same_in_dicts_and_tables(
    make: MakePipeline, form: Form, store: str
) -> None:
    pipeline, destination = make(store_url=store), bunce(store_url=store)

    def bad() -> list[tuple[str, str, bool]]:
        return [
            (value.customer_id, value.code, value.discarded_at is not None)
            for discarded in (False, True)
            for value in dlt_bunce.rejected_values(
                ValueSelection(discarded=discarded), destination=destination
            )
        ]

    def load(**changes: object) -> dict[str, int]:
        data = bunce_adapter(form([rich(1, **changes)]), attributes=ATTRIBUTES)
        pipeline.run(data, table_name="customers")
        return fates(run_summary(pipeline))

    load(balance="seven", paid="soon")
    count = dlt_bunce.discard_values(
        ValueSelection(attributes=["Balance"]), destination=destination
    )
    after, again, still = bad(), load(balance="seven", paid="soon"), bad()
    other, changed = load(balance="eight", paid="later"), bad()

    assert count == 1
    listed = [("c1", "invalid_timestamp", False), ("c1", "invalid_number", True)]
    assert after == still == listed
    assert again == other == {"unchanged": 1, "rejected": 2}
    assert sorted(changed) == [("c1", "invalid_number", False), ("c1", "invalid_timestamp", False)]


def test_a_discard_without_a_filter_is_refused(make: MakePipeline) -> None:
    run(make(), rich(1, balance="seven"))

    with pytest.raises(UsageError, match="every rejected value would be discarded"):
        dlt_bunce.discard_values(ValueSelection())
    with pytest.raises(UsageError, match="No load has fed attribute 'Color'"):
        dlt_bunce.discard_values(ValueSelection(attributes=["Color"]))
    assert len(list(dlt_bunce.rejected_values())) == 1
