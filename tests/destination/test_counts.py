"""Refusals that count their failures are believed once others have proven them."""

from __future__ import annotations

from math import ceil
from random import Random
from typing import Any

import pyarrow as pa
import pytest

from dlt_bunce import run_summary
from dlt_bunce.emulator import Behavior, Emulator, Fault
from dlt_bunce.errors import CredentialsError
from dlt_bunce.store.database import Database

from .conftest import STORE, MakePipeline, customer, letters, refused

REFUSED = "refused.example"


def people(rows: int, bad: set[int]) -> list[dict[str, Any]]:
    """Customers, some of whom Bunce refuses by the host of their email."""
    return [customer(n) | ({"email": f"c{n}@{REFUSED}"} if n in bad else {}) for n in range(rows)]


@pytest.mark.parametrize(("rows", "batch"), [(40_000, 200), (30_000, 1_000)])
def test_one_percent_of_refused_rows_costs_few_requests_more(
    make: MakePipeline, emulator: Emulator, rows: int, batch: int
) -> None:
    emulator.behavior = Behavior(rate_limit=0, refused_email_domain=REFUSED)
    bad = set(Random(7).sample(range(rows), rows // 100))
    # the default; where slow answers raise it, more batches are in flight at each larger count
    pipeline = make(batch_size=batch, max_batch_size=batch, max_concurrency=4)

    pipeline.run(pa.Table.from_pylist(people(rows, bad)), table_name="customers")

    summary, ideal = run_summary(pipeline), ceil(rows / batch)
    assert (rows, rows - len(bad), len(bad)) == (summary.read, summary.created, summary.rejected)
    assert dict.fromkeys((f"c{n}" for n in range(rows)), 1) == emulator.times_sent
    print(f"\n{rows} rows in batches of {batch}: {summary.requests} requests, ideal {ideal}")
    # the key, what proves that look-ups work, and a few batches before one brings a proof; each
    # that names more rows than any before is looked up as well
    assert summary.requests <= 2.2 * ideal + 60


@pytest.mark.parametrize("failure", ["partial", "atomic"])
def test_who_was_read_first_gets_an_email_although_the_row_has_waited(
    make: MakePipeline, emulator: Emulator, failure: str
) -> None:
    emulator.behavior = Behavior(rate_limit=0, failure=failure, refused_email_domain=REFUSED)
    rows = people(40, {n for n in range(40) if n % 10 in (0, 9)})
    rows[25] |= {"email": rows[5]["email"]}

    make(batch_size=10, max_batch_size=10).run(rows, table_name="customers")

    assert rows[5]["email"] == emulator.customers["c5"]["email"]
    assert ("c25", "email_taken") in letters("customer_id, code")
    summary = run_summary(make())
    assert (summary.read, summary.created, summary.rejected) == (40, 31, 9)


@pytest.mark.parametrize(("failure", "times"), [("partial", 1.3), ("atomic", 2.6)])
def test_batches_grow_although_some_of_their_rows_are_refused(
    make: MakePipeline, emulator: Emulator, failure: str, times: float
) -> None:
    rows = 30_000
    bad = set(Random(7).sample(range(rows), rows // 100))

    def bulk_requests(name: str, bad: set[int]) -> int:
        emulator.reset()
        emulator.behavior = Behavior(rate_limit=0, failure=failure, refused_email_domain=REFUSED)
        # slow answers would let more batches leave before the first one brings a proof
        pipeline = make(name, account=name, max_concurrency=4)
        pipeline.run(pa.Table.from_pylist(people(rows, bad)), table_name="customers")
        return run_summary(pipeline).bulk_requests

    clean, sent = bulk_requests("clean", set()), bulk_requests("refused", bad)

    print(f"\n{failure}: {sent} bulk requests, {clean} where nobody is refused")
    # where nothing of a refused batch is created, each such batch has to be sent again
    assert sent <= times * clean


@pytest.mark.parametrize("failure", ["partial", "atomic"])
def test_rows_that_wait_when_a_load_stops_are_looked_up_by_the_next_one(
    make: MakePipeline, emulator: Emulator, failure: str
) -> None:
    bad = {n for n in range(60) if n % 10 < 2}
    # the first look-up checks the key
    revoked = Fault("error_before", call="lookup", on_request=2, until_request=99, status=401)
    emulator.behavior = Behavior(
        rate_limit=0, failure=failure, refused_email_domain=REFUSED, faults=(revoked,)
    )
    settings: dict[str, Any] = {"batch_size": 10, "max_batch_size": 10, "max_concurrency": 1}

    error = refused(make(**settings), people(60, bad), table_name="customers")
    with Database(STORE) as db:
        waiting = db.rows(
            "SELECT COUNT(*) AS n FROM bunce_customers "
            "WHERE claim_batch IS NOT NULL AND delivered_at IS NULL"
        )
    emulator.behavior = Behavior(rate_limit=0, failure=failure, refused_email_domain=REFUSED)
    make(**settings).run([], table_name="customers")

    assert isinstance(error, CredentialsError)
    assert waiting[0]["n"] >= 8
    summary = run_summary(make())
    assert (summary.read, summary.created, summary.rejected) == (60, 48, 12)
    good = {f"c{n}" for n in range(60) if n not in bad}
    assert good == set(emulator.customers)
    if failure == "partial":
        # what waits has arrived already
        assert {emulator.times_sent[key] for key in good} == {1}
