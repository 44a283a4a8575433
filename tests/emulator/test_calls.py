"""The calls as documented, over real HTTP."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
import requests

from dlt_bunce.emulator import Behavior, Emulator

from .conftest import Bulk, Customers


def test_create_echoes_every_customer(bulk: Bulk, customers: Customers, emulator: Emulator) -> None:
    """A batch without faults is stored and echoed in the documented envelope."""
    devices = [{"device_type": "ios", "device_token": "t"}]
    answer = bulk(customers(2, devices=devices))
    body = answer.json()
    assert (answer.status_code, body["success"]) == (200, True)
    assert body["message"] == "Customers created successfully"
    assert (
        ["c-1", "c-2"] == [row["customer_id"] for row in body["data"]] == list(emulator.customers)
    )
    assert set(body["data"][0]["devices"][0]) == {"device_id", "device_type", "device_token"}


def test_partial_failure_reads_as_documented(
    bulk: Bulk, customers: Customers, emulator: Emulator
) -> None:
    """A taken email fails its row alone, in the documented words."""
    rows = customers(3)
    rows[2]["email"] = rows[0]["email"].upper()
    assert bulk(rows).json() == {
        "errors": ["PERSON1@EXAMPLE.COM is already taken"],
        "message": "Errors encountered while creating. 1 out of 3 customers failed",
        "status": False,
    }
    assert list(emulator.customers) == ["c-1", "c-2"]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"first_name": None}, "first_name is required and must be present"),
        ({"phone_no": " "}, "phone_no is required and must be present"),
        ({"customer_id": 7}, "customer_id must be a string"),
        ({"email": "a@b"}, "a@b is not a valid email address"),
        ({"devices": {}}, "devices must be an array"),
        ({"devices": [{"device_type": "ios"}]}, "device_token is required and must be present"),
    ],
)
def test_malformed_row_is_refused(
    bulk: Bulk, customers: Customers, change: dict[str, Any], text: str
) -> None:
    """A row that lacks or misshapes a field is refused with a text."""
    answer = bulk(customers(1, **change))
    assert (422, [text]) == (answer.status_code, answer.json()["errors"])


def test_key_is_required(emulator: Emulator, http: requests.Session) -> None:
    """A missing key and one that is not let in are answered with 401 and a message."""
    emulator.behavior = Behavior(api_keys=("sk_test_right",))
    url = f"{emulator.base_url}/customers"
    for key in ("", "sk_test_wrong"):
        answer = http.get(url, headers={"X-Authorization": key}, timeout=10)
        assert (answer.status_code, answer.json()["success"]) == (401, False)
    assert http.get(url, headers={"X-Authorization": "sk_test_right"}, timeout=10).ok


@pytest.mark.parametrize("body", ["{", "[]", '{"customers": []}', "null"])
def test_body_without_customers_is_refused(
    emulator: Emulator, http: requests.Session, body: str
) -> None:
    """A body that holds no customers is answered with the general error."""
    answer = http.post(f"{emulator.base_url}/customers/bulk", data=body, timeout=10)
    assert answer.status_code in {400, 422}
    assert set(answer.json()) == {"success", "message"}


def test_one_customer_is_read_and_changed(
    emulator: Emulator, http: requests.Session, bulk: Bulk, customers: Customers
) -> None:
    """An id with a slash can be read, and its email changed, by the single calls."""
    bulk(customers(1, customer_id="a/b c"))
    url = f"{emulator.base_url}/customers/{quote('a/b c', safe='')}"
    assert http.get(url, timeout=10).json()["data"]["first_name"] == "Ada"
    assert http.put(url, json={"email": "new@example.com"}, timeout=10).ok
    assert emulator.customers["a/b c"]["email"] == "new@example.com"
    for method in ("GET", "PUT"):
        unknown = http.request(method, f"{emulator.base_url}/customers/x", json={}, timeout=10)
        assert unknown.status_code == 404


def test_pages_partition_the_customers(
    emulator: Emulator, http: requests.Session, bulk: Bulk, customers: Customers
) -> None:
    """Following the cursor meets every customer once, forward and back."""
    bulk(customers(7))

    def walk(cursor: str, onward: str) -> tuple[list[str], str]:
        seen: list[str] = []
        while True:
            query = {"per_page": "3", "cursor": cursor}
            page = http.get(f"{emulator.base_url}/customers", params=query, timeout=10).json()
            seen += [row["customer_id"] for row in page["data"]]
            if not page["meta"][onward]:
                return seen, cursor
            cursor = page["meta"][onward]

    forward, last = walk("", "next_page_cursor")
    backward, _ = walk(last, "prev_page_cursor")
    assert sorted(emulator.customers) == sorted(forward) == sorted(backward)


def test_unknown_call_is_recorded(emulator: Emulator, http: requests.Session) -> None:
    """A call that Bunce does not have is answered with 404 and kept in the records."""
    for method, path in (("POST", "/broadcasts"), ("DELETE", "/customers/c-1")):
        assert http.request(method, f"{emulator.base_url}{path}", timeout=10).status_code == 404
    assert [record.call for record in emulator.requests] == ["other", "other"]


def test_lookup_by_ids_and_emails(
    emulator: Emulator, http: requests.Session, bulk: Bulk, customers: Customers
) -> None:
    """Filters give the customers asked for and no others."""
    bulk(customers(5))
    for query in (
        {"customer_ids": "c-2,c-4,zz"},
        {"emails": "person2@example.com,PERSON4@example.com"},
    ):
        found = http.get(f"{emulator.base_url}/customers", params=query, timeout=10).json()["data"]
        assert [row["customer_id"] for row in found] == ["c-2", "c-4"]


def test_bulk_update_keeps_a_valid_email(
    emulator: Emulator, bulk: Bulk, bulk_update: Bulk, customers: Customers
) -> None:
    """A bulk update changes names and silently leaves a valid email, not an invalid one."""
    bulk(customers(1))
    emulator.seed([{**customers(1)[0], "customer_id": "c-2", "email": "broken"}])
    rows = [
        {"customer_id": "c-1", "first_name": "Bo", "email": "x@example.com"},
        {"customer_id": "c-2", "email": "y@example.com"},
    ]
    assert bulk_update(rows).json()["success"]
    stored = emulator.customers
    assert (stored["c-1"]["first_name"], stored["c-1"]["email"]) == ("Bo", "person1@example.com")
    assert stored["c-2"]["email"] == "y@example.com"
