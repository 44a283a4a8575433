"""Rows that Bunce calls taken are told apart by few look-ups, many rows at a time."""

from __future__ import annotations

from math import ceil
from random import Random

import pyarrow as pa
import pytest

from dlt_bunce import run_summary
from dlt_bunce.emulator import Behavior, Emulator, Fault
from dlt_bunce.errors import CredentialsError
from dlt_bunce.store.database import Database

from .conftest import STORE, MakePipeline, customer, letters, refused

ROWS, BATCH = 40_000, 200


PEOPLE = [customer(n) for n in range(ROWS)]
TAKEN = sorted(Random(7).sample(range(ROWS), ROWS // 100))


def seed_others(emulator: Emulator) -> None:
    """Somebody else has the email of one row in a hundred."""
    emulator.seed(customer(n, customer_id=f"other{n}") for n in TAKEN)


@pytest.mark.parametrize("failure", ["partial", "atomic"])
def test_one_percent_of_taken_emails_costs_few_requests_more(
    make: MakePipeline, emulator: Emulator, failure: str
) -> None:
    emulator.behavior = Behavior(rate_limit=0, failure=failure)
    seed_others(emulator)
    pipeline = make(batch_size=BATCH, max_batch_size=BATCH)

    pipeline.run(pa.Table.from_pylist(PEOPLE), table_name="customers")

    summary = run_summary(pipeline)
    assert (ROWS, ROWS - len(TAKEN)) == (summary.read, summary.created)
    assert {"email_taken": len(TAKEN)} == summary.reject_codes
    found = letters("customer_id, code, status, http_status, message")
    words = {f"c{n}": f"c{n}@example.com is already taken" for n in TAKEN}
    assert {(key, "email_taken", "open", 422, words[key]) for key in words} == set(found)
    ideal = ceil(ROWS / BATCH)
    # where nothing of a refused batch is created, each such batch has to be sent again
    again = len({n // BATCH for n in TAKEN}) if failure == "atomic" else 0
    print(f"{failure}: {summary.requests} requests, ideal {ideal + again}")
    # the first batches are looked up until refusals have proven what they mean; after that, one
    # look-up tells about a hundred taken rows
    assert summary.requests <= ideal + again + 30 + ROWS // 1_000


def test_customers_that_were_there_before_are_adopted_or_updated(
    make: MakePipeline, emulator: Emulator
) -> None:
    same = [customer(n) for n in range(0, 300, 3)]
    outdated = [customer(n, first_name="Old") for n in range(1, 300, 3)]
    emulator.seed([*same, *outdated])
    pipeline = make(batch_size=BATCH, max_batch_size=BATCH)

    pipeline.run(
        [customer(n) for n in range(300)], table_name="customers", write_disposition="merge"
    )

    summary = run_summary(pipeline)
    assert (summary.created, summary.adopted, summary.updated) == (100, 100, 100)
    assert all(customer(n).items() <= emulator.customers[f"c{n}"].items() for n in range(300))


def test_a_load_that_stops_leaves_taken_rows_to_the_next_one(
    make: MakePipeline, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOAD__RAISE_ON_MAX_RETRIES", "1")
    seed_others(emulator)
    rows = [customer(n) for n in TAKEN]
    no_look_ups = Fault("error_before", call="lookup", on_request=2, until_request=99, status=401)
    emulator.behavior = Behavior(rate_limit=0, faults=(no_look_ups,))

    error = refused(make(), rows, table_name="customers")
    with Database(STORE) as db:
        claimed = db.rows("SELECT 1 AS n FROM bunce_customers WHERE claim_batch IS NOT NULL")
    emulator.behavior = Behavior(rate_limit=0)
    make().run([], table_name="customers")

    assert isinstance(error, CredentialsError)
    # nobody of them is in doubt
    assert claimed == []
    assert {"email_taken": len(TAKEN)} == run_summary(make()).reject_codes
