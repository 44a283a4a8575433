"""Every switch does what its line says."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from dlt_bunce.emulator import Behavior, Emulator

from .conftest import Bulk, Customers


def unlimited(**switches: Any) -> Behavior:
    return Behavior(rate_limit=0, **switches)


@pytest.mark.parametrize("status", [200, 207, 400, 409, 422])
@pytest.mark.parametrize(("failure", "kept"), [("partial", 1), ("atomic", 0)])
def test_failing_batch(
    emulator: Emulator, bulk: Bulk, customers: Customers, failure: Any, kept: int, status: int
) -> None:
    """A failing batch keeps its good rows or none, under the status chosen."""
    emulator.behavior = unlimited(failure=failure, failure_status=status)
    rows = customers(2)
    rows[1]["email"] = rows[0]["email"]
    assert status == bulk(rows).status_code
    assert kept == len(emulator.customers)


@pytest.mark.parametrize(
    ("errors", "texts"),
    [
        ("all", ["a@no.test cannot receive emails", "b@no.test cannot receive emails"]),
        ("first", ["a@no.test cannot receive emails"]),
        (
            "twice",
            [
                "a@no.test cannot receive emails",
                "a@no.test was not saved",
                "b@no.test cannot receive emails",
                "b@no.test was not saved",
            ],
        ),
        ("anonymous", ["email cannot receive emails"] * 2),
    ],
)
def test_error_texts(
    emulator: Emulator, bulk: Bulk, customers: Customers, errors: Any, texts: list[str]
) -> None:
    """Texts come per row, once, in pairs, or without a name."""
    emulator.behavior = unlimited(errors=errors, refused_email_domain="no.test")
    rows = customers(3)
    rows[0]["email"], rows[2]["email"] = "a@no.test", "b@no.test"
    assert texts == bulk(rows).json()["errors"]


@pytest.mark.parametrize(
    ("switches", "message"),
    [
        ({"failure_count": False}, "Errors encountered while creating."),
        ({"count_offset": 1}, "Errors encountered while creating. 2 out of 1 customers failed"),
        ({"shape_errors": "request"}, "last_name is required and must be present"),
    ],
)
def test_failure_messages(
    emulator: Emulator, bulk: Bulk, customers: Customers, switches: Any, message: str
) -> None:
    """The message can lack its count, lie, or stand for the whole request."""
    emulator.behavior = unlimited(**switches)
    assert message == bulk(customers(1, last_name="")).json()["message"]


@pytest.mark.parametrize(
    ("flag", "good", "bad"),
    [
        ("documented", {"success": True}, {"status": False}),
        ("success", {"success": True}, {"success": False}),
        ("status", {"status": True}, {"status": False}),
        ("absent", {}, {}),
    ],
)
def test_flag(
    emulator: Emulator, bulk: Bulk, customers: Customers, flag: Any, good: Any, bad: Any
) -> None:
    """The flag has the name chosen, or none."""
    emulator.behavior = unlimited(flag=flag)
    for expected in (good, bad):
        body = bulk(customers(1)).json()
        assert expected == {key: body[key] for key in ("success", "status") if key in body}


@pytest.mark.parametrize(
    ("repeated", "name", "failed"),
    [("refused", "Ada", True), ("overwritten", "Bo", False), ("ignored", "Ada", False)],
)
@pytest.mark.parametrize("together", [False, True])
def test_repeated_id(
    emulator: Emulator,
    bulk: Bulk,
    customers: Customers,
    repeated: Any,
    name: str,
    failed: bool,
    together: bool,
) -> None:
    """A known id is refused, overwritten, or left, across calls and within a batch."""
    emulator.behavior = unlimited(repeated_id=repeated)
    first, second = customers(1), customers(1, first_name="Bo")
    if not together:
        bulk(first)
    body = bulk(first + second if together else second).json()
    assert failed == ("errors" in body)
    assert [name] == [customer["first_name"] for customer in emulator.customers.values()]


def test_twice_in_batch(emulator: Emulator, bulk: Bulk, customers: Customers) -> None:
    """A batch that repeats an id can be refused whole."""
    emulator.behavior = unlimited(twice_in_batch="refused", repeated_id="overwritten")
    assert bulk(customers(1) * 2).status_code == 422
    assert emulator.customers == {}


def test_shared_emails(emulator: Emulator, bulk: Bulk, customers: Customers) -> None:
    """Two customers can have one email where emails are shared."""
    emulator.behavior = unlimited(emails="shared")
    assert bulk(customers(2, email="both@example.com")).ok
    assert len(emulator.customers) == 2


@pytest.mark.parametrize("status", [413, 422, 400])
@pytest.mark.parametrize("limit", [{"max_batch": 2}, {"max_body_bytes": 300}])
def test_too_large(
    emulator: Emulator, bulk: Bulk, customers: Customers, limit: Any, status: int
) -> None:
    """A batch past its limit gets the status chosen and stores nothing."""
    emulator.behavior = unlimited(too_large_status=status, **limit)
    assert status == bulk(customers(3)).status_code
    assert emulator.customers == {}
    assert bulk(customers(1)).ok


def test_echo_that_misleads(emulator: Emulator, bulk: Bulk, customers: Customers) -> None:
    """Echoes can be reordered, lack rows, and carry unknown fields, while all rows are stored."""
    emulator.behavior = unlimited(
        reorder_echo=True, drop_echo_every=2, unknown_fields=True, created_status=201
    )
    answer = bulk(customers(4))
    assert answer.status_code == 201
    assert [row["customer_id"] for row in answer.json()["data"]] == ["c-3", "c-1"]
    assert {"segments", "channel_state"} < set(answer.json()["data"][0])
    assert len(emulator.customers) == 4


@pytest.mark.parametrize(
    ("unknown", "failed", "stored"),
    [("refused", True, 0), ("created", False, 1), ("ignored", False, 0)],
)
def test_unknown_update(
    emulator: Emulator,
    bulk_update: Bulk,
    customers: Customers,
    unknown: Any,
    failed: bool,
    stored: int,
) -> None:
    """Updating an unknown id is refused, creates, or does nothing."""
    emulator.behavior = unlimited(unknown_update=unknown)
    assert failed == ("errors" in bulk_update(customers(1)).json())
    assert stored == len(emulator.customers)


@pytest.mark.parametrize(
    ("rule", "email"),
    [("only_invalid", "old@example.com"), ("refused", "old@example.com"), ("always", "new@x.test")],
)
def test_email_update(
    emulator: Emulator, bulk_update: Bulk, customers: Customers, rule: Any, email: str
) -> None:
    """A new email for a valid one is left out silently, refused aloud, or taken."""
    emulator.behavior = unlimited(email_update=rule)
    emulator.seed(customers(1, email="old@example.com"))
    body = bulk_update([{"customer_id": "c-1", "email": "new@x.test"}]).json()
    assert (rule == "refused") == ("errors" in body)
    assert email == emulator.customers["c-1"]["email"]


@pytest.mark.parametrize(
    ("rule", "name"), [("cleared", None), ("ignored", "Ada"), ("refused", "Ada")]
)
def test_null_on_update(
    emulator: Emulator, bulk_update: Bulk, customers: Customers, rule: Any, name: str | None
) -> None:
    """Null on update clears the field, leaves it, or fails the row."""
    emulator.behavior = unlimited(null_on_update=rule)
    emulator.seed(customers(1))
    body = bulk_update([{"customer_id": "c-1", "first_name": None, "email": None}]).json()
    assert (rule == "refused") == ("errors" in body)
    assert (name, "person1@example.com") == (
        emulator.customers["c-1"]["first_name"],
        emulator.customers["c-1"]["email"],
    )


@pytest.mark.parametrize(
    ("switches", "found"),
    [
        ({"lookup": "sdk"}, ["c-2", "c-3"]),
        ({"lookup": "unfiltered"}, ["c-1", "c-2", "c-3"]),
        ({"lookup_max_ids": 1, "lookup_overflow": "ignored"}, ["c-2"]),
        ({"max_per_page": 1}, ["c-2"]),
    ],
)
def test_lookup(
    emulator: Emulator,
    http: requests.Session,
    customers: Customers,
    switches: Any,
    found: list[str],
) -> None:
    """Look-ups honor, shorten, or ignore their filter."""
    emulator.behavior = unlimited(**switches)
    emulator.seed(customers(3))
    url = f"{emulator.base_url}/customers?customer_ids=c-2,c-3"
    assert found == [row["customer_id"] for row in http.get(url, timeout=10).json()["data"]]


def test_lookup_shapes(emulator: Emulator, http: requests.Session, customers: Customers) -> None:
    """Look-ups can nest their rows, refuse too many ids, or not exist."""
    emulator.seed(customers(2))
    url = f"{emulator.base_url}/customers?customer_ids=c-1,c-2"
    emulator.behavior = unlimited(lookup="nested")
    assert set(http.get(url, timeout=10).json()["data"]) == {"data", "meta"}
    emulator.behavior = unlimited(lookup_max_ids=1)
    assert http.get(url, timeout=10).status_code == 422
    emulator.behavior = unlimited(lookup="absent")
    assert http.get(url, timeout=10).status_code == 404
    assert http.get(f"{emulator.base_url}/customers/c-1", timeout=10).status_code == 404


def test_lookup_lag(
    emulator: Emulator, http: requests.Session, bulk: Bulk, bulk_update: Bulk, customers: Customers
) -> None:
    """A write is seen only after as many look-ups as the lag says."""
    emulator.behavior = unlimited(lookup_lag=2)

    def names() -> list[str]:
        page = http.get(f"{emulator.base_url}/customers?customer_ids=c-1", timeout=10).json()
        return [row["first_name"] for row in page["data"]]

    bulk(customers(1))
    assert [names() for _ in range(3)] == [[], [], ["Ada"]]
    bulk_update([{"customer_id": "c-1", "first_name": "Bo"}])
    assert [names() for _ in range(3)] == [["Ada"], ["Ada"], ["Bo"]]


@pytest.mark.parametrize("switch", ["id_pattern", "phone_pattern"])
def test_patterns(emulator: Emulator, bulk: Bulk, customers: Customers, switch: str) -> None:
    """Ids and phones outside the pattern are refused."""
    emulator.behavior = unlimited(**{switch: "[0-9]+"})
    assert "format is invalid" in bulk(customers(1)).json()["errors"][0]


def test_emails_as_chosen(emulator: Emulator, bulk: Bulk, customers: Customers) -> None:
    """Emails can go unchecked and be stored in lower case, and a failure can carry data."""
    emulator.behavior = unlimited(check_emails=False, lowercase_emails=True, data_on_failure=True)
    rows = [*customers(1, email="Not An Email"), {}]
    assert [row["email"] for row in bulk(rows).json()["data"]] == ["not an email"]


def test_same_seed_same_customers(emulator: Emulator, bulk: Bulk, customers: Customers) -> None:
    """The same requests after a reset give the same device ids and times."""
    rows = customers(3, devices=[{"device_type": "ios", "device_token": "t"}])
    first = bulk(rows).json()
    emulator.reset()
    assert first == bulk(rows).json()


@pytest.mark.parametrize(
    "switches", [{"failure": "half"}, {"max_batch": -1}, {"seed": True}, {"faults": ("drop",)}]
)
def test_switches_are_checked(switches: Any) -> None:
    """A value that no switch has is refused where it is written."""
    with pytest.raises(ValueError, match=next(iter(switches))):
        Behavior(**switches)
