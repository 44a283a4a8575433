"""Dry runs count values as the load would, and neither send nor store any."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from typing import Any

import dlt
import pyarrow as pa
import pytest

from dlt_bunce import RunSummary, bunce_adapter, flush_and_run, run_summary
from dlt_bunce.emulator import Behavior, Emulator
from dlt_bunce.errors import MappingError

from .attribute_runs import ATTRIBUTES, PAID, calls, fates, prepare, rich, run
from .conftest import STORE, MakePipeline, refused

OPTIONS = {"attributes": ATTRIBUTES, "segments": {"vip": "VIP"}}
Way = Callable[[dlt.Pipeline, Any], RunSummary]


@pytest.fixture(autouse=True)
def _workspace(emulator: Emulator) -> None:
    prepare(emulator)


def _flushed(pipeline: dlt.Pipeline, data: Any) -> RunSummary:
    return flush_and_run(pipeline, data, table_name="customers")


def _plain(pipeline: dlt.Pipeline, data: Any) -> RunSummary:
    pipeline.run(data, table_name="customers")
    return run_summary(pipeline)


def contents() -> list[str]:
    """All that the store holds."""
    with closing(sqlite3.connect(STORE.removeprefix("sqlite:///"))) as store:
        return sorted(store.iterdump())


def counted(summary: RunSummary) -> dict[str, dict[str, int]]:
    """The fates that occurred, by kind."""
    return {
        kind: {fate: n for fate, n in getattr(summary, kind).items() if n}
        for kind in ("attributes", "segments")
    }


@pytest.mark.parametrize("way", [_flushed, _plain])
@pytest.mark.parametrize("shape", [list, pa.Table.from_pylist])
def test_a_dry_run_counts_values_sends_none_and_leaves_the_ledger_as_it_was(
    way: Way, shape: Callable[..., Any], make: MakePipeline, emulator: Emulator
) -> None:
    known = [rich(n, vip="true") for n in range(10)]
    rows = [
        *known[:5],
        rich(5, vip="true", plan="silver", balance="a lot"),
        rich(6, vip="false", paid=None),
        rich(20, vip="true"),
        rich(21, vip="true", email="nobody"),
    ]
    for row in (*known, *rows):
        row["balance"] = str(row["balance"])
    way(make(), bunce_adapter(shape(known), **OPTIONS))
    before, asked = contents(), len(emulator.requests)

    told = way(make("dry", dry_run=True), bunce_adapter(shape(rows), **OPTIONS))

    assert (told.state, told.read, told.created) == ("dry_run", 9, 1)
    assert counted(told) == {
        "attributes": {
            "read": 27,
            "written": 4,
            "unchanged": 18,
            "blank": 1,
            "waiting": 3,
            "rejected": 1,
        },
        "segments": {"read": 9, "written": 2, "unchanged": 6, "waiting": 1},
    }
    assert contents() == before
    assert Counter(r.call for r in emulator.requests[asked:]) == {"listing": 2}
    done = way(make(), bunce_adapter(shape(rows), **OPTIONS))
    assert counted(done) == counted(told)


def test_a_dry_run_creates_no_attribute_and_counts_as_if_it_had(
    make: MakePipeline, emulator: Emulator
) -> None:
    rows = pa.Table.from_pylist([rich(n, spent=n / 2, day=PAID.date()) for n in range(4)])
    options = {"attributes": {"spent": "Spent", "day": "Day", "plan": "Plan"}}
    attributes = list(emulator.attributes.attributes)
    settings = {"dry_run": True, "create_attributes": True}

    told = _plain(make("dry", **settings), bunce_adapter(rows, **options))

    assert fates(told) == {"written": 12}
    assert emulator.attributes.attributes == attributes
    assert {r.method for r in emulator.requests} == {"GET"}
    error = refused(make("strict", dry_run=True), bunce_adapter(rows, **options))
    assert isinstance(error, MappingError)
    assert "Bunce has no attribute 'Spent', 'Day'. It has: Balance, Last payment, Plan." in str(
        error
    )


def test_a_dry_run_needs_no_key_and_takes_what_the_ledger_knows(
    make: MakePipeline, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(make(), *(rich(n) for n in range(5)))
    emulator.behavior = Behavior(rate_limit=0)
    asked = len(emulator.requests)

    told = _flushed(
        make("dry", dry_run=True, credentials=None),
        bunce_adapter([rich(n) for n in range(7)], attributes=ATTRIBUTES),
    )

    assert (told.created, told.unchanged) == (2, 5)
    assert fates(told) == {"written": 6, "unchanged": 15}
    assert len(emulator.requests) == asked
    assert calls(emulator, "values") == [15]


def test_values_of_customers_whose_email_is_taken_wait_in_a_dry_run_as_they_do_in_the_load(
    make: MakePipeline, emulator: Emulator
) -> None:
    run(make(), rich(1))
    rows = [
        rich(2, email="c1@example.com"),
        rich(3, email="twins@example.com", plan=None),
        rich(4, email="twins@example.com"),
    ]
    data = bunce_adapter(rows, attributes=ATTRIBUTES)

    told = _flushed(make("dry", dry_run=True), data)
    done = _flushed(make(), data)

    assert (told.created, told.rejected) == (done.created, done.rejected) == (1, 2)
    assert fates(told) == fates(done) == {"written": 2, "blank": 1, "waiting": 6}


def test_a_time_zone_that_does_not_exist_is_refused_before_anything_is_sent(
    make: MakePipeline, emulator: Emulator
) -> None:
    data = bunce_adapter([rich(1)], attributes=ATTRIBUTES)
    for settings in ({}, {"dry_run": True}):
        pipeline = make(f"crm_{len(settings)}", timezone="Africa/Lagoss", **settings)
        error = refused(pipeline, data, table_name="customers")
        assert "'Africa/Lagoss', which is not a time zone" in str(error)
    assert calls(emulator, "create") == []
