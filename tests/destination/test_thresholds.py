"""A run outside of its thresholds is loaded and recorded whole, and then fails its caller."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dlt
import pytest

from dlt_bunce import RunSummary, flush_and_run, run_summary
from dlt_bunce.emulator import Behavior, Emulator
from dlt_bunce.errors import (
    ConfigurationError,
    RejectThresholdError,
    ThresholdError,
    TooFewRowsError,
    UnavailableError,
)
from dlt_bunce.thresholds import Thresholds

from .conftest import MakePipeline, customer
from .test_replay import replayed

SHARE, COUNT, LEAST = "max_reject_share", "max_reject_count", "min_rows_share_of_last"


def good(count: int, **changes: Any) -> list[dict[str, Any]]:
    """So many good rows."""
    return [customer(n, **changes) for n in range(count)]


def some_bad(good_rows: int, bad_rows: int) -> list[dict[str, Any]]:
    """Good rows, and rows without an email address."""
    bad = [customer(1_000 + n, email="nobody") for n in range(bad_rows)]
    return good(good_rows) + bad


def load(
    pipeline: dlt.Pipeline, rows: list[dict[str, Any]], table: str = "customers"
) -> RunSummary:
    """Loads rows as one run."""
    return flush_and_run(pipeline, dlt.resource(rows, name=table))


@pytest.mark.parametrize(
    ("settings", "rows", "kind", "message"),
    [
        (
            {SHARE: 0.19},
            (8, 2),
            RejectThresholdError,
            "2 of 10 rows .*19.00%.*other rows were loaded",
        ),
        ({COUNT: 1}, (8, 2), RejectThresholdError, "2 of 10 rows .*1 row.*other rows were loaded"),
        (
            {LEAST: 0.5},
            (7, 2),
            TooFewRowsError,
            "9 rows were read, compared with 20 in the previous run",
        ),
        ({LEAST: 0.5, COUNT: 0}, (7, 2), RejectThresholdError, "2 of 9 rows .*; 9 rows were read"),
    ],
)
def test_a_run_is_recorded_whole_before_it_fails(
    make: MakePipeline,
    emulator: Emulator,
    settings: dict[str, Any],
    rows: tuple[int, int],
    kind: type[ThresholdError],
    message: str,
) -> None:
    load(make(), [customer(500 + n) for n in range(20)])
    pipeline = make(**settings)

    with pytest.raises(kind, match=message) as failure:
        load(pipeline, some_bad(*rows))

    summary = failure.value.summary
    assert run_summary(pipeline) == summary
    assert ("completed", rows) == (summary.state, (summary.created, summary.rejected))
    assert settings.keys() == summary.over_thresholds.keys()
    assert 20 + rows[0] == len(emulator.customers)
    assert not pipeline.has_pending_data


def test_what_is_within_every_threshold_does_not_fail(make: MakePipeline) -> None:
    pipeline = make(**{SHARE: 0.2, COUNT: 2, LEAST: 0.5})

    first, second = load(pipeline, some_bad(8, 2)), load(pipeline, some_bad(4, 1))

    assert (first.over_thresholds, second.over_thresholds) == ({}, {})
    # held rows are as rejected as they were
    with pytest.raises(RejectThresholdError, match="2 of 6 rows"):
        load(pipeline, some_bad(4, 2))


def test_the_next_run_is_judged_alone(make: MakePipeline, store: str) -> None:
    pipeline = make(store_url=store, **{COUNT: 0, LEAST: 0.9})
    load(pipeline, good(10))
    with pytest.raises(ThresholdError):
        load(pipeline, some_bad(0, 5))

    # and compared with the run that failed only its caller
    assert ((summary := load(pipeline, good(5))).read, summary.over_thresholds) == (5, {})


def test_the_cursor_of_a_run_that_exceeds_a_threshold_is_kept(make: MakePipeline) -> None:
    rows = [customer(n, email="nobody", seen=n) for n in range(5)]

    @dlt.resource(name="customers")
    def source(seen: dlt.sources.incremental[int] = dlt.sources.incremental("seen")) -> Any:
        yield rows

    with pytest.raises(RejectThresholdError):
        flush_and_run(make(**{COUNT: 0}), source())
    rows.append(customer(7, seen=7))

    # read as long as its value is the newest, so one more than the new one
    assert flush_and_run(make(), source()).created == 1


def test_a_run_is_compared_with_the_last_that_read_anything(make: MakePipeline) -> None:
    pipeline = make(**{LEAST: 0.5})

    assert load(pipeline, good(10)).read == 10
    for _ in range(2):
        with pytest.raises(
            TooFewRowsError, match="0 rows were read, compared with 10 in the previous run"
        ):
            load(pipeline, [])
    with pytest.raises(
        TooFewRowsError, match="4 rows were read, compared with 10 in the previous run"
    ):
        load(pipeline, good(4))
    assert load(pipeline, good(2)).read == 2


def test_other_tables_other_pipelines_replays_and_failed_runs_are_not_compared_with(
    make: MakePipeline, emulator: Emulator
) -> None:
    settings: dict[str, Any] = {LEAST: 0.9, "customers_table": "customers,leads"}
    load(make(), [*good(3), customer(900, phone_no="0803 000 0000")])
    load(make("another"), good(50))

    assert load(make(**settings), good(2), "leads").read == 2
    assert replayed(emulator, settings={"default_region": "NG"}).summary.read == 1
    emulator.behavior = Behavior(rate_limit=0, api_keys=("sk_test_other",))
    with pytest.raises(Exception, match="refuses the API key"):
        load(make(**settings), good(40))
    emulator.behavior = Behavior(rate_limit=0)

    with pytest.raises(
        TooFewRowsError, match="3 rows were read, compared with 4 in the previous run"
    ):
        load(make(**settings), good(3))


def test_several_tables_are_one_run_whichever_of_them_begins(make: MakePipeline) -> None:
    @dlt.source(name="crm")
    def crm(customers: int, leads: int) -> Any:
        return [
            dlt.resource(good(customers), name="customers"),
            dlt.resource([customer(100 + n) for n in range(leads)], name="leads"),
        ]

    pipeline = make(**{LEAST: 0.9, "customers_table": "customers,leads"})

    assert flush_and_run(pipeline, crm(6, 4)).read == 10
    with pytest.raises(TooFewRowsError, match="8 rows were read, compared with 10"):
        flush_and_run(pipeline, crm(7, 1))


def test_rows_that_an_earlier_run_left_behind_count_for_the_run_that_loads_them(
    make: MakePipeline,
) -> None:
    pipeline = make(**{LEAST: 0.9})
    load(pipeline, good(10))
    pipeline.extract(dlt.resource(good(9), name="customers"))

    summary = load(make(**{LEAST: 0.9}), good(1))
    assert summary.flushed is not None
    assert (summary.read, summary.flushed.read) == (1, 9)


def test_a_plain_run_goes_on_and_is_told_by_its_summary(
    make: MakePipeline, emulator: Emulator, warned: Callable[[], list[dict[str, Any]]]
) -> None:
    pipeline = make(**{COUNT: 0})

    pipeline.run(some_bad(3, 1), table_name="customers")

    events = {event["event"]: event for event in warned()}
    assert events.keys() == {"run.over_threshold", "run.finished"}
    event = events["run.over_threshold"]
    assert event[COUNT] == "1 of 4 rows are rejected (threshold: 0 rows)"
    with pytest.raises(RejectThresholdError):
        run_summary(pipeline).raise_if_over_thresholds()
    # nothing stands in the way of the next run, whose data is loaded
    pipeline.run(good(5), table_name="customers")
    run_summary(pipeline).raise_if_over_thresholds()
    assert len(emulator.customers) == 5
    assert warned() == []


def test_a_process_that_has_not_run_the_pipeline_judges_by_the_store(make: MakePipeline) -> None:
    for count in (10, 4):
        make().run(good(count), table_name="customers")

    summary = run_summary(make(**{LEAST: 0.5}))

    assert list(summary.over_thresholds) == [LEAST]


def test_a_dry_run_tells_what_the_run_would_exceed(make: MakePipeline, emulator: Emulator) -> None:
    load(make(), good(10))

    with pytest.raises(ThresholdError, match=r"1 of 3 .*3 rows were read.*nothing was sent") as dry:
        load(make("crm", dry_run=True, **{COUNT: 0, LEAST: 0.5}), some_bad(2, 1))

    assert ("dry_run", {COUNT, LEAST}) == (
        dry.value.summary.state,
        set(dry.value.summary.over_thresholds),
    )
    assert len(emulator.customers) == 10
    # there is no store yet, and so nothing to compare with
    pipeline = make(store_url="sqlite:///elsewhere.sqlite", dry_run=True, **{LEAST: 0.5})
    assert load(pipeline, good(1)).read == 1


def test_a_replay_is_not_judged(make: MakePipeline, emulator: Emulator) -> None:
    load(make(), some_bad(10, 2))

    done = replayed(emulator, settings={SHARE: 0.0, COUNT: 0, LEAST: 1.0})

    assert (
        done.summary.read,
        done.summary.rejected + done.summary.held,
        done.summary.over_thresholds,
    ) == (2, 2, {})


def test_a_run_that_fails_is_not_judged(make: MakePipeline, emulator: Emulator) -> None:
    load(make(), good(10))
    emulator.behavior = Behavior(rate_limit=0, api_keys=("sk_test_other",))
    pipeline = make(base_url="http://127.0.0.1:9/v1", **{LEAST: 0.5})

    with pytest.raises(UnavailableError):
        load(pipeline, good(1))


@pytest.mark.parametrize(
    ("name", "value"), [(SHARE, 1.5), (SHARE, -0.1), (COUNT, -1), (LEAST, 5.0)]
)
def test_a_threshold_that_cannot_be_meant_is_refused(
    make: MakePipeline, name: str, value: float
) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} is {value}"):
        load(make(**{name: value}), good(1))


@pytest.mark.parametrize("percent", range(1, 100))
def test_exactly_as_much_as_allowed_is_allowed(percent: int) -> None:
    share = float(f"0.{percent:02d}")
    allowed, least = Thresholds(max_reject_share=share), Thresholds(min_rows_share_of_last=share)

    assert allowed.exceeded(read=100, rejected=percent) == {}
    assert list(allowed.exceeded(read=100, rejected=percent + 1)) == [SHARE]
    assert least.exceeded(read=percent, rejected=0, last_read=100) == {}
    assert list(least.exceeded(read=percent - 1, rejected=0, last_read=100)) == [LEAST]
