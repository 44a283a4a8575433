"""One bad row, and one bad day of an account or a look-up, over real HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from dlt_bunce import flush_and_run, run_summary
from dlt_bunce.emulator import Behavior, Emulator, Fault
from dlt_bunce.emulator.behavior import FaultKind
from dlt_bunce.errors import AccountRefusedError, CredentialsError, UnavailableError
from dlt_bunce.model import RunSummary

from .conftest import MakePipeline, customer, letters, refused, replayed

CALM = Behavior(rate_limit=0)
POISON = "<script>"


def people(rows: Iterable[int], **changes: Any) -> pa.Table:
    return pa.Table.from_pylist([customer(n) | changes for n in rows])


def with_poison(rows: int, *poisoned: int) -> pa.Table:
    """Customers, of whom some have a last name that a firewall stumbles over."""
    found = [customer(n) for n in range(rows)]
    for n in poisoned:
        found[n]["last_name"] = f"{POISON}{n}"
    return pa.Table.from_pylist(found)


def load(pipeline: Any, rows: Any) -> RunSummary:
    pipeline.run(rows, table_name="customers")
    return run_summary(pipeline)


@pytest.mark.parametrize("look_up", ["sdk", "absent"])
@pytest.mark.parametrize("poison", ["html_403", "error_before", "html_502", "drop_before"])
def test_a_poisonous_row_becomes_a_dead_letter_and_the_others_arrive(
    make: MakePipeline, emulator: Emulator, poison: FaultKind, look_up: str
) -> None:
    emulator.behavior = replace(CALM, poison_text=POISON, poison=poison, lookup=look_up)  # type: ignore[arg-type]
    pipeline = make(batch_size=100, max_batch_size=100)

    summary = load(pipeline, with_poison(1_000, 357))

    assert (summary.read, summary.rejected, summary.deferred) == (1_000, 1, 0)
    assert summary.reject_codes == {"undeliverable": 1}
    assert emulator.customers.keys() == {f"c{n}" for n in range(1_000) if n != 357}
    assert letters("customer_id, code") == [("c357", "undeliverable")]
    (message,) = letters("message")[0]
    assert "3 times in a row, with no other row in the request" in message
    assert summary.requests <= 10 + 60

    # nothing of it blocks the next day, and it is not sent again while it stays the same
    before = len(emulator.requests)
    again = load(make(), with_poison(1_010, 357))
    assert (again.created, again.held, again.rejected) == (10, 1, 0)
    assert len(emulator.requests) - before <= 4


def test_a_poisonous_row_is_sent_again_once_it_changes_or_by_a_replay(
    make: MakePipeline, emulator: Emulator
) -> None:
    emulator.behavior = replace(CALM, poison_text=POISON)
    load(make(), with_poison(20, 7, 11))

    emulator.behavior = CALM
    rows = with_poison(20, 11).to_pylist()
    changed = load(make(), pa.Table.from_pylist(rows))
    replay = replayed(emulator)

    assert (changed.created, changed.held) == (1, 1)
    assert replay.summary.created == 1
    assert len(emulator.customers) == 20


@pytest.mark.parametrize("rows", [1, 2, 300])
@pytest.mark.parametrize("poison", ["html_403", "error_before", "drop_before"])
def test_where_nothing_gets_through_everything_is_deferred_and_nobody_is_blamed(
    make: MakePipeline, emulator: Emulator, poison: FaultKind, rows: int
) -> None:
    emulator.behavior = replace(CALM, poison_text="customers", poison=poison)

    error = refused(make(batch_size=100), people(range(rows)), table_name="customers")

    assert isinstance(error, CredentialsError if poison == "html_403" else UnavailableError)
    assert letters() == []
    bulk = [record for record in emulator.requests if record.call == "create"]
    # five tries, three of the rows alone, and for a load of few rows a request without any
    assert len(bulk) <= 5 + 6
    emulator.behavior = CALM
    summary = flush_and_run(make(), people(range(rows + 5)), table_name="customers")
    assert (summary.created, summary.rejected) == (5, 0)
    assert len(emulator.customers) == rows + 5


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (402, "You have reached the maximum number of customers on your plan"),
        (400, "Your account has been suspended"),
        (409, "This API key is read-only"),
        (422, "Maintenance, try again later"),
        (200, "Insufficient balance"),
    ],
)
@pytest.mark.parametrize("look_up", ["sdk", "absent"])
@pytest.mark.parametrize("disposition", ["merge", "append"])
def test_an_account_that_is_refused_stops_the_load_and_rejects_nobody(
    make: MakePipeline,
    emulator: Emulator,
    status: int,
    message: str,
    look_up: str,
    disposition: str,
) -> None:
    emulator.behavior = replace(
        CALM,
        max_customers=400,
        account_status=status,
        account_message=message,
        lookup=look_up,  # type: ignore[arg-type]
    )
    # how many batches are in flight decides how many requests are, until one has found out why
    pipeline = make(batch_size=100, max_batch_size=100, concurrency=2, max_concurrency=2)
    rows = people(range(1_000))

    error = refused(pipeline, rows, table_name="customers", write_disposition=disposition)

    assert isinstance(error, AccountRefusedError)
    assert message in str(error)
    assert letters() == []
    # a batch takes up to 17: itself, seven halves down to one row, two more alone, and look-ups
    assert len(emulator.requests) <= 5 + 2 * 17
    emulator.behavior = replace(CALM, lookup=look_up)  # type: ignore[arg-type]
    make().run(rows, table_name="customers", write_disposition=disposition)
    assert len(emulator.customers) == 1_000
    assert letters() == []


def test_an_account_that_is_refused_without_a_word_stops_the_load(
    make: MakePipeline, emulator: Emulator
) -> None:
    emulator.behavior = replace(CALM, suspended=True, account_status=200, account_message="")

    error = refused(make(), people(range(300)), table_name="customers")

    assert isinstance(error, AccountRefusedError)
    assert "no reason given" in str(error)
    assert letters() == []
    assert len(emulator.requests) < 30


@pytest.mark.parametrize("shown", ["sdk", "empty", "missing", "masked", "sent"])
@pytest.mark.parametrize("disposition", ["merge", "append"])
def test_devices_in_any_form_cost_no_request_and_no_wrong_fate(
    make: MakePipeline, emulator: Emulator, shown: str, disposition: str
) -> None:
    emulator.behavior = replace(CALM, shown_devices=shown, drop_echo_every=3)  # type: ignore[arg-type]
    devices = [{"device_type": "ios", "device_token": "token-1"}]
    pipeline = make(batch_size=100, max_batch_size=100)

    pipeline.run(
        people(range(400), devices=devices), table_name="customers", write_disposition=disposition
    )

    summary = run_summary(pipeline)
    assert (summary.created, summary.updated, summary.rejected) == (400, 0, 0)
    # a third is not shown in the answers, and looked up: once for each batch
    assert summary.requests <= 5 + 3 * 4
    before = summary.requests
    if disposition == "merge":
        changed = people(range(400), devices=devices, first_name="Eve")
        pipeline.run(changed, table_name="customers", write_disposition=disposition)
        summary = run_summary(pipeline)
        assert (summary.updated, summary.rejected) == (400, 0)
        assert summary.requests <= before + 8


@pytest.mark.parametrize("form", ["dotted", "bracketed", "index", "row"])
@pytest.mark.parametrize("failure", ["partial", "atomic"])
@pytest.mark.parametrize("look_up", ["sdk", "absent"])
def test_errors_by_position_cost_little_more_than_errors_by_name(
    make: MakePipeline, emulator: Emulator, form: str, failure: str, look_up: str
) -> None:
    rows = [customer(n) for n in range(1_000)]
    for n in (3, 205, 206, 799):
        rows[n]["email"] = f"c{n}@refused.example"
    requests = {}
    for name in ("texts", form):
        emulator.reset()
        emulator.behavior = replace(
            CALM,
            failure=failure,  # type: ignore[arg-type]
            lookup=look_up,  # type: ignore[arg-type]
            error_form=name,  # type: ignore[arg-type]
            refused_email_domain="refused.example",
        )
        settings = {"store_url": f"sqlite:///{name}.sqlite", "batch_size": 100}
        pipeline = make(name, max_batch_size=100, **settings)

        summary = load(pipeline, pa.Table.from_pylist(rows))

        assert (summary.created, summary.rejected) == (996, 4)
        assert len(emulator.customers) == 996
        requests[name] = summary.requests
    assert requests[form] <= requests["texts"] + 12


def test_a_look_up_that_lags_by_seconds_blames_nobody(
    make: MakePipeline, emulator: Emulator
) -> None:
    emulator.behavior = replace(
        CALM,
        lookup_lag_seconds=5.0,
        failure_count=False,
        refused_email_domain="refused.example",
    )
    rows = [customer(n) for n in range(100)]
    rows[50]["email"] = "c50@refused.example"

    summary = load(make(batch_size=100), pa.Table.from_pylist(rows))

    assert summary.reject_codes == {"refused": 1}
    assert (summary.created, summary.deferred) == (99, 0)


@pytest.mark.usefixtures("impatient")
def test_a_look_up_that_lags_for_longer_than_a_run_blames_nobody_in_any_of_its_tries(
    make: MakePipeline, emulator: Emulator
) -> None:
    lost = Fault("error_after", on_request=1, call="create")
    emulator.behavior = replace(CALM, lookup_lag_seconds=3_600.0, faults=(lost,))
    rows = people(range(10))

    error = refused(make(), rows, table_name="customers")

    assert isinstance(error, UnavailableError)
    assert "do not show 10 customers whom this run may have created" in str(error)
    assert letters() == []
    emulator.behavior = CALM
    summary = load(make(), rows)
    assert (summary.created, summary.rejected) == (10, 0)
    assert set(emulator.times_sent.values()) == {2}


def test_a_look_up_that_ignores_its_filter_is_none(make: MakePipeline, emulator: Emulator) -> None:
    # a workspace of one customer looks the same, whether or not a filter is obeyed
    emulator.behavior = replace(
        CALM,
        lookup="unfiltered",
        errors="anonymous",
        failure="atomic",
        refused_email_domain="refused.example",
    )
    emulator.seed([customer(1_000)])
    rows = [customer(n) for n in range(100)]
    rows[50]["email"] = "c50@refused.example"

    summary = load(make(batch_size=100), pa.Table.from_pylist(rows))

    assert summary.reject_codes == {"refused": 1}
    assert len(emulator.customers) == 1 + 99


def test_a_wait_that_is_too_long_ends_the_run_and_names_when_to_come_back(
    make: MakePipeline, emulator: Emulator
) -> None:
    emulator.behavior = Behavior(rate_limit=5, block_seconds=3_600)
    started = time.monotonic()

    error = refused(
        make(batch_size=10, max_batch_size=10), people(range(200)), table_name="customers"
    )

    assert "Run again after 20" in str(error)
    assert "UTC" in str(error)
    assert time.monotonic() - started < 60
    assert letters() == []
