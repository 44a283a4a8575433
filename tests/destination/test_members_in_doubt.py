"""Members of whom nobody knows whether Bunce has added them: they leave with the next false."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from dlt_bunce import bunce_adapter, flush_and_run, run_summary
from dlt_bunce.emulator import Behavior, Emulator, Fault
from dlt_bunce.operations.rejected_values import retry
from dlt_bunce.store.database import Database
from dlt_bunce.store.values.rejected_values import EVERY

from .attribute_runs import calls, prepare, rejected_values
from .conftest import MakePipeline, customer

Form = Callable[[Any], Any]


@pytest.fixture(autouse=True)
def _workspace(emulator: Emulator) -> None:
    prepare(emulator)


def load(pipeline: Any, form: Form, vip: bool | None, count: int = 1, **options: Any) -> Any:
    """Loads c0 with this membership, and others who are members."""
    rows = [customer(n, vip=True) for n in range(1, 10)]
    rows += [customer(0, vip=vip)][:count]
    options = {"segments": {"vip": "VIP"}, **options}
    data = bunce_adapter(form(rows), **options).with_name("customers")
    flush_and_run(pipeline, data, write_disposition="merge")
    return run_summary(pipeline)


def give_up_on_adding(
    make: MakePipeline, emulator: Emulator, form: Form, store: str, **options: Any
) -> Any:
    """Adds a member whom Bunce takes without ever saying so; returns the run's summary."""
    load(make(store_url=store), form, None, **options)
    lost = Fault("error_after", on_request=1, until_request=5, call="members", status=502)
    emulator.behavior = Behavior(rate_limit=0, faults=(lost,))
    done = load(make(store_url=store), form, True, **options)
    emulator.behavior = Behavior(rate_limit=0)
    return done


@pytest.mark.parametrize("form", [list, pa.Table.from_pylist])
def test_a_member_given_up_without_an_answer_leaves_with_the_next_false(
    make: MakePipeline, emulator: Emulator, store: str, form: Form
) -> None:
    first = give_up_on_adding(make, emulator, form, store)
    added, listed = emulator.attributes.members_of("VIP"), rejected_values(store)
    before = calls(emulator, "members")
    again = load(make(store_url=store), form, True)
    asked = calls(emulator, "members")
    gone = load(make(store_url=store), form, False)
    still = load(make(store_url=store), form, False)

    assert (first.segments["rejected"], "c0" in added) == (1, True)
    assert listed == [("c0", "VIP", "undeliverable")]
    # it is not sent again until it changes
    assert (again.segments["rejected"], asked) == (1, before)
    assert emulator.attributes.members_of("VIP") == {f"c{n}" for n in range(1, 10)}
    assert (gone.segments["written"], gone.segments["unchanged"]) == (1, 9)
    assert (still.segments["unchanged"], rejected_values(store)) == (10, [])


def test_a_member_given_up_without_an_answer_is_removed_for_being_absent(
    make: MakePipeline, emulator: Emulator, store: str
) -> None:
    give_up_on_adding(make, emulator, list, store, segments_whole=True)

    done = load(make(store_url=store), list, None, count=0, segments_whole=True)

    assert done.absent_members["written"] == 1
    assert emulator.attributes.members_of("VIP") == {f"c{n}" for n in range(1, 10)}


@pytest.mark.parametrize("vip", [True, False])
def test_a_member_given_up_and_retried_is_sent_whatever_comes_next(
    make: MakePipeline, emulator: Emulator, store: str, vip: bool
) -> None:
    give_up_on_adding(make, emulator, list, store)
    with Database(store) as db:
        retry(db, "default", EVERY)

    done = load(make(store_url=store), list, vip)

    assert (done.segments["written"], rejected_values(store)) == (1, [])
    assert ("c0" in emulator.attributes.members_of("VIP")) is vip
