"""A row that is too large by itself is rejected alone, and slows down no other row."""

from __future__ import annotations

import pytest

from dlt_bunce.emulator import Behavior, Emulator
from dlt_bunce.store.database import Database

from .conftest import STORE, MakePipeline, customer

_SPLITS = 9
"""Halvings from 500 rows to one."""


@pytest.mark.parametrize("status", [413, 422])
def test_a_row_that_is_too_large_by_itself_makes_no_other_batch_smaller(
    make: MakePipeline, emulator: Emulator, status: int
) -> None:
    emulator.behavior = Behavior(rate_limit=0, max_body_bytes=150_000, too_large_status=status)
    devices = [{"device_type": "ios", "device_token": f"{n:050d}"} for n in range(3_000)]
    rows = [customer(n) | ({"devices": devices} if n == 300 else {}) for n in range(8_000)]

    make(batch_size=500, max_batch_size=500, concurrency=1, max_concurrency=1).run(
        rows, table_name="customers"
    )

    sent = [record.rows for record in emulator.requests if record.call == "create"]
    assert len(emulator.customers) == 7_999
    # the last has what is left
    assert sent[-6:-1] == [500] * 5
    # sixteen batches, the halves on the way to the row, and smaller batches that were cut meanwhile
    assert len(sent) <= 16 + 3 * _SPLITS
    with Database(STORE) as db:
        (letter,) = db.rows("SELECT code FROM bunce_dead_letters")
        (learned,) = db.rows("SELECT batch_size FROM bunce_accounts")
    assert letter["code"] == "refused"
    assert learned["batch_size"] == 500
