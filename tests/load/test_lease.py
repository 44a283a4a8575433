"""Two loads of the same customers at once: who is slow keeps its rows, who stood still stops."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest

from dlt_bunce.api.client import Session
from dlt_bunce.api.rate_limit import TokenBucket
from dlt_bunce.api.throttle import BatchSize, Concurrency, Throttle
from dlt_bunce.emulator import Behavior, Emulator, Fault
from dlt_bunce.errors import RowsDeferredError, StoreError
from dlt_bunce.load.lease import Lease, waits
from dlt_bunce.load.load import Load, Settings
from dlt_bunce.load.sender import BunceSender
from dlt_bunce.records.fields.rules import Rules
from dlt_bunce.records.mapping.mapping import resolve_mapping
from dlt_bunce.store.database import Database
from dlt_bunce.store.ledger import LoadFile
from dlt_bunce.store.runs import runs

STORE = "sqlite:///bunce.sqlite"
FIELDS = ("customer_id", "email", "first_name", "last_name", "phone_no")


class People:
    """Twenty customers."""

    row_count = 20

    def chunks(self, rows: int, columns: Collection[str] | None = None) -> Iterator[pa.Table]:
        """All in one."""
        yield pa.Table.from_pylist(
            [
                dict(
                    zip(
                        FIELDS,
                        (f"c{n}", f"c{n}@example.com", "Ada", "Obi", f"+23481{n:08d}"),
                        strict=True,
                    )
                )
                for n in range(self.row_count)
            ]
        )


def load(name: str, base_url: str, lease_s: float) -> Mapping[str, int]:
    """Loads them as a run of that name."""
    load_file = LoadFile("a", name, name, "customers", "1", "merge")
    settings = Settings(resolve_mapping(FIELDS), Rules(), b"key", lease_s=lease_s)
    throttle = Throttle(BatchSize(5, 5), Concurrency(1, 1))
    with (
        Database(STORE) as db,
        closing(Session(base_url, "sk_test_x", pace=TokenBucket(0))) as session,
    ):
        runs.begin(db, load_file, {})
        return Load(People(), load_file, settings, db, BunceSender(session, throttle)).run()


def wait_for_requests(emulator: Emulator, count: int) -> None:
    """Until so many requests have come."""
    until = time.monotonic() + 20
    while len(emulator.requests) < count:
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_slow_load_keeps_its_rows_beyond_the_lease(emulator: Emulator) -> None:
    slow = Fault("hang_before", on_request=2, seconds=25.0)
    emulator.behavior = Behavior(rate_limit=0, faults=(slow,))
    counts: dict[str, Mapping[str, int]] = {}
    first = threading.Thread(
        target=lambda: counts.update(first=load("first", emulator.base_url, lease_s=4.0))
    )
    first.start()
    wait_for_requests(emulator, 2)

    # a lease is waited for, by whose end a dead load would be given up
    with pytest.raises(RowsDeferredError, match="another run is sending them"):
        load("second", emulator.base_url, lease_s=0.5)
    alive = first.is_alive()
    counts["third"] = load("third", emulator.base_url, lease_s=20.0)
    first.join()

    assert alive
    assert set(emulator.times_sent.values()) == {1}
    assert (counts["first"]["created"], counts["third"]["unchanged"]) == (20, 20)
    with Database(STORE) as db:
        assert db.rows("SELECT * FROM bunce_leases") == []


def test_a_load_that_stood_still_for_longer_than_its_lease_sends_nothing_more(
    emulator: Emulator,
) -> None:
    # stopped while Bunce has its request: one on its way to Bunce may arrive later
    slow = Fault("hang_before", on_request=2, seconds=1.5, call="create")
    emulator.behavior = Behavior(rate_limit=0, faults=(slow,))
    program = f"""
import os
from tests.load.test_lease import load
os.chdir({str(Path.cwd())!r})
load("first", {emulator.base_url!r}, lease_s=2.0)
"""
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=root, stderr=subprocess.PIPE, text=True
    ) as first:
        try:
            wait_for_requests(emulator, 2)
            assert [request.call for request in emulator.requests] == ["create"] * 2
            stop(first)
            time.sleep(2.2)
            second = load("second", emulator.base_url, lease_s=60.0)
            first.send_signal(signal.SIGCONT)
            _, errors = first.communicate(timeout=30)
        finally:
            first.kill()

    assert second["deferred"] == 0
    assert "RowsDeferredError" in errors
    assert {f"c{n}" for n in range(20)} == set(emulator.customers)
    assert set(emulator.times_sent.values()) == {1}


def stop(process: subprocess.Popen[str]) -> None:
    """Stops a process while it does not hold the store's lock."""
    while True:
        process.send_signal(signal.SIGSTOP)
        try:
            with Database(STORE, busy_timeout_s=0.05) as db, db.transaction():
                return
        except StoreError:
            process.send_signal(signal.SIGCONT)


def test_a_quick_load_writes_no_lease(emulator: Emulator) -> None:
    with Database(STORE) as db:
        in_flight = [1]
        lease = Lease(db, LoadFile("a", "run", "crm", "customers", "1", "merge"), lambda: in_flight)
        with lease:
            assert not lease.is_lost()
            in_flight.clear()
        assert db.rows("SELECT * FROM bunce_leases") == []


def test_a_lease_that_was_lost_stays_lost_when_the_clock_goes_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = time.time()
    with Database(STORE) as db:
        lease = Lease(db, LoadFile("a", "run", "crm", "customers", "1", "merge"), list)
        with lease:
            with monkeypatch.context() as later:
                later.setattr(time, "time", lambda: now + 181)
                prefetch = lease.is_lost()

            assert (prefetch, lease.is_lost()) == (True, True)


def test_a_lease_in_a_store_that_was_moved_is_lost_like_in_one_that_fails() -> None:
    load_file = LoadFile("a", "run", "crm", "customers", "1", "merge")
    with Database(STORE) as db, Lease(db, load_file, lambda: [1], lease_s=0.3) as lease:
        Path("bunce.sqlite").rename("bunce.moved.sqlite")
        while not lease.is_lost():
            time.sleep(0.01)


@pytest.mark.parametrize("lease_s", [0.5, 2.0, 180.0])
def test_a_load_waits_for_longer_than_a_lease_and_asks_often_meanwhile(lease_s: float) -> None:
    first, *later = waits(lease_s)

    assert first == 0.0
    assert lease_s < sum(later) <= lease_s + 10
    assert max(later) <= max(0.2, lease_s / 10)
