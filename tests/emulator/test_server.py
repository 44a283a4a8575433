"""Steering, inspecting, and serving."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from typing import Any

import pytest
import requests

import dlt_bunce.emulator
from dlt_bunce.emulator import Behavior, Emulator, serve

from .conftest import Bulk, Customers


def test_records_and_counts(emulator: Emulator, bulk: Bulk, customers: Customers) -> None:
    """Every request is recorded, and ids sent more than once are counted."""
    bulk(customers(2))
    bulk(customers(1))
    record = emulator.requests[0]
    assert (record.method, record.path, record.rows) == ("POST", "/v1/customers/bulk", 2)
    assert (record.customer_ids, record.status) == (("c-1", "c-2"), 200)
    assert emulator.times_sent == {"c-1": 2, "c-2": 1}
    stats = emulator.stats()
    assert stats["requests"] == {"create": 2}
    assert (stats["rows_received"], stats["rows_sent_twice"], stats["customers"]) == (3, 1, 2)


def test_admin_surface(emulator: Emulator, bulk: Bulk, customers: Customers) -> None:
    """A running emulator is steered and inspected without a key, outside /v1."""
    admin = f"{emulator.url}/_emulator"
    switches: Any = {"failure": "atomic", "faults": [{"kind": "error_after", "on_request": 1}]}
    assert requests.post(f"{admin}/behavior", json=switches, timeout=10).ok
    assert (emulator.behavior.failure, emulator.behavior.rate_limit) == ("atomic", 0)
    assert bulk(customers(1)).status_code == 500
    assert (
        list(emulator.customers.values()) == requests.get(f"{admin}/customers", timeout=10).json()
    )
    assert emulator.stats() == requests.get(f"{admin}/stats", timeout=10).json()
    assert [record["fault"] for record in requests.get(f"{admin}/requests", timeout=10).json()] == [
        "error_after"
    ]
    assert requests.get(f"{admin}/times-sent", timeout=10).json() == {"c-1": 1}
    assert requests.post(f"{admin}/reset", timeout=10).json()["customers"] == 0
    assert requests.get(f"{admin}/behavior", timeout=10).json()["failure"] == "partial"


@pytest.mark.parametrize("body", ["[1]", "{", '{"speed": 1}', '{"failure": "x"}'])
def test_admin_refuses_unknown_switches(emulator: Emulator, body: str) -> None:
    """A switch that does not exist is refused, and nothing changes."""
    before = emulator.behavior
    answer = requests.post(f"{emulator.url}/_emulator/behavior", data=body, timeout=10)
    assert answer.status_code == 400
    assert before == emulator.behavior


def test_behavior_survives_json() -> None:
    """Switches written as JSON and read back are the same switches."""
    behavior = Behavior(api_keys=("k",), faults=(dlt_bunce.emulator.Fault("drop_after", 3),))
    assert behavior == Behavior.from_json(json.loads(json.dumps(behavior.to_json())))


def test_remote_host_is_refused() -> None:
    """Listening beyond loopback has to be asked for."""
    for host in ("0.0.0.0", "::", "192.0.2.1", "example.com"):
        with pytest.raises(ValueError, match="allow_remote"):
            serve(host, 0)


def test_port_in_use_is_an_error() -> None:
    """A port that is taken is reported, not waited for."""
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        serve("127.0.0.1", taken.getsockname()[1])


def test_serve_announces_its_address() -> None:
    """`serve` names the address it listens at and answers there until it is ended."""
    code = (
        "from dlt_bunce.emulator import serve;"
        "serve(port=0, on_ready=lambda address: print(address, flush=True))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        headers = {"X-Authorization": "sk_test_x"}
        assert requests.get(f"{address}/customers", headers=headers, timeout=10).ok
        process.terminate()


def test_stops_when_the_block_ends() -> None:
    """Nothing listens on the port after the `with` block."""
    with Emulator() as emulator:
        url = emulator.base_url
        assert requests.get(f"{url}/customers", timeout=10).status_code == 401
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{url}/customers", timeout=10)


def test_naming_switches_needs_no_server() -> None:
    """Importing the package loads neither starlette nor uvicorn."""
    code = (
        "import sys, dlt_bunce.emulator as e; e.Behavior(faults=(e.Fault('drop_after', 1),));"
        "sys.exit(bool({'starlette', 'uvicorn'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_public_names() -> None:
    """The public names are these, sorted, and each can be had."""
    names = dlt_bunce.emulator.__all__
    assert sorted(names) == names
    assert all(hasattr(dlt_bunce.emulator, name) for name in names)
