"""A probe's requests are reserved in the budget that loads of the same store share."""

from __future__ import annotations

from typing import Any

import dlt
import pytest

from dlt_bunce import bunce
from dlt_bunce.api.rate_limit import MAX_BURST
from dlt_bunce.destination.access import client_for
from dlt_bunce.emulator import Behavior, Emulator
from dlt_bunce.operations.probe import probe
from dlt_bunce.store.database import Database

from .conftest import KEY

PER_MINUTE = 6_000


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest) -> str:
    """A store_url of an empty store, of either kind."""
    if request.param == "sqlite":
        return "sqlite:///bunce.sqlite"
    return str(request.getfixturevalue("postgres_store"))


def budgets(store: str) -> dict[str, int]:
    """When the next request is due, in milliseconds, by budget."""
    with Database(store) as db:
        rows = db.rows("SELECT scope, due_at FROM bunce_budgets")
    return {row["scope"]: row["due_at"] for row in rows}


def test_a_probe_takes_its_requests_out_of_the_shared_budget(
    emulator: Emulator, store: str
) -> None:
    emulator.behavior = Behavior(rate_limit=0)
    settings: dict[str, Any] = {
        "base_url": emulator.base_url,
        "store_url": store,
        "requests_per_minute": PER_MINUTE,
    }
    destination = bunce(credentials=KEY, **settings)
    person = {"id": 1, "email": "c1@example.com", "first_name": "Ada", "last_name": "Obi"}
    rows = [person | {"phone_no": "+2348100000001"}]
    dlt.pipeline("crm", destination=destination).run(
        rows, table_name="customers", write_disposition="merge"
    )
    loaded = budgets(store)
    client = client_for(bunce(credentials=KEY, **settings), "probe")
    with Database(store) as db:
        began = int(db.rows(f"SELECT {db.now} AS now")[0]["now"])

    report = probe(client, prefix="probe", max_batch=20, sleep=lambda _seconds: None)

    probed = budgets(store)
    assert (len(loaded), probed.keys()) == (1, loaded.keys())
    interval_ms = 60_000 / PER_MINUTE
    reserved = (probed.popitem()[1] - began) / interval_ms
    assert reserved >= report.requests - MAX_BURST
