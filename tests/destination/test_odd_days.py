"""Failures that come together: an outage amid a bad row, a lost update, a pause in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from dlt_bunce import run_summary
from dlt_bunce.emulator import Behavior, Emulator, Fault
from dlt_bunce.errors import AccountRefusedError, UnavailableError
from dlt_bunce.model import RunSummary

from .conftest import Form, MakePipeline, customer, letters, refused

CALM = Behavior(rate_limit=0)


def load(make: MakePipeline, rows: list[dict[str, Any]], **settings: Any) -> RunSummary:
    pipeline = make(**settings)
    table = pa.Table.from_pylist(rows)
    pipeline.run(table, table_name="customers", write_disposition="merge")
    return run_summary(pipeline)


def test_an_outage_that_begins_while_a_bad_row_is_isolated_blames_nobody(
    make: MakePipeline, emulator: Emulator
) -> None:
    rows = [customer(n) for n in range(40)]
    rows[10]["last_name"] = "<script>"
    outage = Fault("error_before", on_request=8, until_request=10_000, call="create", status=503)
    emulator.behavior = replace(CALM, poison_text="<script>", faults=(outage,))

    table = pa.Table.from_pylist(rows)
    error = refused(make(batch_size=100), table, table_name="customers")

    assert isinstance(error, UnavailableError)
    assert letters() == []
    emulator.behavior = replace(CALM, poison_text="<script>")
    make().run(table, table_name="customers")
    assert letters("customer_id, code") == [("c10", "undeliverable")]
    assert len(emulator.customers) == 39


@pytest.mark.parametrize("lag", [2.0, 3.0])
def test_a_customer_sent_earlier_does_not_show_that_a_look_up_is_current(
    make: MakePipeline, emulator: Emulator, lag: float
) -> None:
    faults = (
        Fault("error_before", on_request=2, until_request=3, call="create"),
        Fault("drop_after", on_request=4, call="create"),
    )
    emulator.behavior = replace(CALM, lookup_lag_seconds=lag, faults=faults)

    summary = load(make, [customer(0), customer(1)], batch_size=1, max_batch_size=1)

    assert (summary.created, summary.rejected) == (2, 0)


@pytest.mark.parametrize(
    ("failure", "bad"),
    [("partial", (4, 9, 15)), ("partial", range(2, 95, 6)), ("atomic", (4, 9, 15))],
)
def test_bad_rows_with_the_same_words_for_all_stop_neither_this_load_nor_the_next(
    make: MakePipeline, emulator: Emulator, failure: str, bad: Sequence[int]
) -> None:
    words = "The record could not be saved"
    rows = [customer(n) for n in range(bad[-1] + 5)]
    for n in bad:
        rows[n]["email"] = f"c{n}@refused.example"
    emulator.behavior = replace(
        CALM,
        failure=failure,  # type: ignore[arg-type]
        refused_email_domain="refused.example",
        error_words=words,
    )

    first = load(make, rows)
    second = load(make, [*rows, *(customer(n) for n in range(100, 110))])

    good = len(rows) - len(bad)
    assert (first.created, first.reject_codes) == (good, {"refused": len(bad)})
    assert (second.created, second.held, second.unchanged) == (10, len(bad), good)


@pytest.mark.parametrize(("failure", "first"), [("partial", 0), ("atomic", 20)])
def test_a_batch_of_bad_rows_alone_is_set_aside_until_others_show_that_it_is_about_them(
    make: MakePipeline, emulator: Emulator, form: Form, failure: str, first: int
) -> None:
    rows = [customer(n) for n in range(100)]
    for n in range(first, first + 20):
        rows[n]["email"] = f"c{n}@refused.example"
    emulator.behavior = replace(
        CALM,
        failure=failure,  # type: ignore[arg-type]
        refused_email_domain="refused.example",
        error_words="Validation failed",
    )
    # with more in flight, none may be left to be tried after them
    pipeline = make(batch_size=20, max_batch_size=20, concurrency=1, max_concurrency=1)

    pipeline.run(form(rows), table_name="customers")

    summary = run_summary(pipeline)
    assert (summary.created, summary.reject_codes) == (80, {"refused": 20})
    # halving bad rows takes two requests each, and two look-ups; half of them were tried before
    assert summary.requests <= 20 + 6 * 20


def test_rows_set_aside_are_sent_once_more_by_the_run_after_the_account_is_cured(
    make: MakePipeline, emulator: Emulator
) -> None:
    emulator.behavior = replace(
        CALM, suspended=True, account_status=422, account_message="Validation failed"
    )
    rows = pa.Table.from_pylist([customer(n) for n in range(200)])
    settings = {"batch_size": 20, "max_batch_size": 20}

    error = refused(make(**settings), rows, table_name="customers")

    assert isinstance(error, AccountRefusedError)
    # of four batches: each, its look-up at first, one row alone, and of the first three rows
    assert len(emulator.requests) <= 25
    assert letters() == []
    emulator.behavior = CALM
    pipeline = make(**settings)
    pipeline.run(rows, table_name="customers")
    assert run_summary(pipeline).created == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"devices": [{"device_type": "ios", "device_token": "token-1"}]},
        {"first_name": "ADA"},
        {"phone_no": "+448100000001"},
    ],
)
def test_a_lost_update_is_sent_again_although_what_is_shown_is_much_like_it(
    make: MakePipeline, emulator: Emulator, changes: dict[str, Any]
) -> None:
    load(make, [customer(1)])
    emulator.behavior = replace(CALM, faults=(Fault("drop_before", on_request=1, call="update"),))

    summary = load(make, [customer(1, **changes)])

    assert summary.updated == 1
    stored = emulator.customers["c1"]
    for name, value in changes.items():
        shown = stored[name]
        if name == "devices":
            shown = [{k: d[k] for k in ("device_type", "device_token")} for d in shown]
        assert shown == value


def test_a_pause_asked_for_while_a_bad_row_is_isolated_does_not_stop_the_load(
    make: MakePipeline, emulator: Emulator
) -> None:
    rows = [customer(n) for n in range(60)]
    rows[0]["last_name"] = "<script>"
    limited = Fault("rate_limited", on_request=5, call="create", seconds=0.1)
    emulator.behavior = replace(CALM, poison_text="<script>", faults=(limited,))

    summary = load(make, rows)

    assert (summary.created, summary.reject_codes) == (59, {"undeliverable": 1})


def test_whoever_looked_bad_before_a_full_account_showed_itself_arrives_once_there_is_room(
    make: MakePipeline, emulator: Emulator
) -> None:
    full = replace(CALM, max_customers=4, repeated_id="overwritten", lookup="absent")
    emulator.seed([customer(n) for n in range(4)])
    emulator.behavior = full
    rows = pa.Table.from_pylist([customer(n) for n in (5, 0, 1, 2, 3, 6, 7, 8, 9, 10)])

    error = refused(make(batch_size=2, max_batch_size=2), rows, table_name="customers")

    assert isinstance(error, AccountRefusedError)
    assert letters("customer_id, status") == [("c5", "open")]
    emulator.behavior = replace(full, max_customers=0)
    pipeline = make()
    pipeline.run(rows, table_name="customers")
    assert run_summary(pipeline).held == 0
    assert emulator.customers.keys() == {f"c{n}" for n in (0, 1, 2, 3, 5, 6, 7, 8, 9, 10)}
    assert letters("customer_id, status") == [("c5", "resolved")]
