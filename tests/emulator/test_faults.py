"""Accidents: the wire breaks as scheduled, and what is stored is known."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from dlt_bunce.emulator import Behavior, Emulator, Fault

from .conftest import Bulk, Customers


def schedule(emulator: Emulator, *faults: Fault) -> None:
    emulator.behavior = Behavior(rate_limit=0, faults=faults)


@pytest.mark.parametrize(
    ("kind", "status", "stored"),
    [
        ("error_before", 503, 0),
        ("error_midway", 503, 2),
        ("error_after", 503, 4),
        ("html_502", 502, 0),
        ("html_502_after", 502, 4),
        ("rate_limited", 429, 0),
        ("hang_before", 200, 4),
        ("hang_after", 200, 4),
    ],
)
def test_answered_fault(
    emulator: Emulator, bulk: Bulk, customers: Customers, kind: Any, status: int, stored: int
) -> None:
    """A fault with an answer gives its status and stores what its name says."""
    schedule(emulator, Fault(kind, on_request=1, status=503, seconds=0))
    assert status == bulk(customers(4)).status_code
    assert stored == len(emulator.customers)
    assert kind == emulator.requests[0].fault


@pytest.mark.parametrize(
    ("kind", "stored"),
    [("drop_before", 0), ("drop_midway", 2), ("drop_after", 4), ("cut_short", 4)],
)
def test_broken_connection(
    emulator: Emulator, bulk: Bulk, customers: Customers, kind: Any, stored: int
) -> None:
    """A dropped connection reaches the client as one, and the next request is served."""
    schedule(emulator, Fault(kind, on_request=1))
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        bulk(customers(4))
    assert stored == len(emulator.customers)
    schedule(emulator)
    emulator.reset()
    assert bulk(customers(4)).ok


def test_drop_sends_no_answer(emulator: Emulator, bulk: Bulk, customers: Customers) -> None:
    """A drop closes the connection without one byte of an answer, and is recorded with status 0."""
    schedule(emulator, Fault("drop_after", on_request=1))
    with pytest.raises(requests.ConnectionError, match=r"without response|reset"):
        bulk(customers(1))
    assert [record.status for record in emulator.requests] == [0]


def test_truncated_json(emulator: Emulator, bulk: Bulk, customers: Customers) -> None:
    """A truncated answer is complete HTTP that holds no JSON, after the rows are stored."""
    schedule(emulator, Fault("truncated", on_request=1))
    answer = bulk(customers(2))
    with pytest.raises(requests.exceptions.JSONDecodeError):
        answer.json()
    assert (answer.status_code, len(emulator.customers)) == (200, 2)


def test_hang_outlasts_the_client(
    emulator: Emulator, bulk: Bulk, http: requests.Session, customers: Customers
) -> None:
    """A client that gives up on a hang finds its rows stored."""
    schedule(emulator, Fault("hang_after", on_request=1, seconds=30))
    with pytest.raises(requests.ReadTimeout):
        bulk(customers(2), timeout=0.3)
    found = http.get(f"{emulator.base_url}/customers", timeout=10).json()["data"]
    assert len(found) == 2


def test_what_was_asked_before_a_reset_does_not_happen_after_it(
    emulator: Emulator, bulk: Bulk, customers: Customers
) -> None:
    """A request that hangs over a reset is answered, and stores nobody in the new workspace."""
    schedule(emulator, Fault("hang_before", on_request=1, seconds=1))
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(bulk, customers(2))
        while not emulator.requests:
            assert not asked.done()
        emulator.reset()

        assert asked.result().status_code == 200
    assert emulator.customers == {}


def test_schedule_counts_requests(
    emulator: Emulator, bulk: Bulk, http: requests.Session, customers: Customers
) -> None:
    """Faults strike the n-th request of their call, counted anew when the behavior is set."""
    lookups = Fault("error_before", on_request=2, call="lookup", status=500)
    for _ in range(2):
        schedule(emulator, Fault("error_before", on_request=2, until_request=3), lookups)
        codes = [bulk(customers(1, customer_id="")).status_code for _ in range(4)]
        assert codes == [422, 500, 500, 422]
        url = f"{emulator.base_url}/customers"
        assert [http.get(url, timeout=10).status_code for _ in range(3)] == [200, 500, 200]


def test_chance_is_decided_by_the_seed(
    emulator: Emulator, bulk: Bulk, customers: Customers
) -> None:
    """Faults by probability fall the same way for the same seed, and another way for another."""

    def run(seed: int) -> list[int]:
        faults = (Fault("error_before", probability=0.5),)
        emulator.behavior = Behavior(rate_limit=0, seed=seed, faults=faults)
        return [bulk(customers(1)).status_code for _ in range(20)]

    assert run(1).count(500) == run(1).count(500) > 0
    assert [code == 500 for code in run(1)] != [code == 500 for code in run(2)]


def test_latency_is_paid_by_request_and_row(
    emulator: Emulator, bulk: Bulk, customers: Customers
) -> None:
    """A request takes at least its own latency and that of its rows."""
    emulator.behavior = Behavior(rate_limit=0, latency_ms=20, row_latency_ms=10)
    assert bulk(customers(5)).elapsed.total_seconds() >= 0.07
