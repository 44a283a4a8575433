"""What a load learns of the server it keeps for the next one."""

from __future__ import annotations

import pytest

from dlt_bunce.emulator import Behavior, Emulator
from dlt_bunce.store.database import Database

from .conftest import STORE, MakePipeline, customer


@pytest.mark.parametrize(
    ("behavior", "settings", "largest"),
    [
        (Behavior(rate_limit=0, latency_ms=600), {"max_batch_size": 50, "batch_size": 20}, 50),
        (Behavior(rate_limit=0, latency_ms=600, max_batch=40), {"batch_size": 40}, 40),
        (
            Behavior(rate_limit=0, latency_ms=600, max_batch=40, too_large_status=422),
            {"batch_size": 80},
            40,
        ),
    ],
    ids=["600 ms a request", "413 above 40 rows", "422 above 40 rows"],
)
def test_batches_and_their_number_in_flight_grow_and_are_kept(
    make: MakePipeline,
    emulator: Emulator,
    behavior: Behavior,
    settings: dict[str, int],
    largest: int,
) -> None:
    # slow enough that a busy machine's own delays do not hide what more in flight bring
    emulator.behavior = behavior

    make(**settings).run([customer(n) for n in range(2_400)], table_name="customers")

    with Database(STORE) as db:
        (learned,) = db.rows("SELECT batch_size, concurrency FROM bunce_accounts")
    assert largest == learned["batch_size"]
    assert learned["concurrency"] >= 8
    assert len(emulator.customers) == 2_400
    start = len(emulator.requests)
    make().run([customer(n) for n in range(2_400, 2_440)], table_name="customers")
    rows = [record.rows for record in emulator.requests[start:] if record.call == "create"]
    assert rows == [40]
