"""One emulator for all tests of this folder, empty and as documented before each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from dlt_bunce.emulator import Behavior, Emulator

Bulk = Callable[..., requests.Response]
Customers = Callable[..., list[dict[str, Any]]]


@pytest.fixture(scope="session")
def running() -> Iterator[Emulator]:
    with Emulator(Behavior(rate_limit=0)) as emulator:
        yield emulator


@pytest.fixture
def emulator(running: Emulator) -> Emulator:
    running.reset()
    return running


@pytest.fixture
def http() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        session.headers["X-Authorization"] = "sk_test_emulator"
        yield session


@pytest.fixture
def bulk(emulator: Emulator, http: requests.Session) -> Bulk:
    def send(rows: list[Any], **kwargs: Any) -> requests.Response:
        url = f"{emulator.base_url}/customers/bulk"
        return http.post(url, json={"customers": rows}, **{"timeout": 10, **kwargs})

    return send


@pytest.fixture
def bulk_update(emulator: Emulator, http: requests.Session) -> Bulk:
    def send(rows: list[Any]) -> requests.Response:
        url = f"{emulator.base_url}/customers/bulk-update"
        return http.put(url, json={"customers": rows}, timeout=10)

    return send


@pytest.fixture
def customers() -> Customers:
    def make(count: int, **fields: Any) -> list[dict[str, Any]]:
        return [
            {
                "customer_id": f"c-{number}",
                "email": f"person{number}@example.com",
                "first_name": "Ada",
                "last_name": "Obi",
                "phone_no": "+23481999999999",
                **fields,
            }
            for number in range(1, count + 1)
        ]

    return make
