"""Answers in forms that no page of Bunce's documents, and that gateways and frameworks give."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from typing import Any

import pytest
from tests.gateway import Alter, Answer, as_json, gateway, unchanged

from dlt_bunce import adopt, bunce, bunce_adapter, flush_and_run
from dlt_bunce.emulator import Behavior, Emulator
from dlt_bunce.errors import AccountRefusedError, ListingError, UnavailableError
from dlt_bunce.model import RunSummary

from .attribute_runs import prepare, rejected_values
from .conftest import MakePipeline, customer, letters

ROWS = range(6)
BAD = "x1@refused.example"


@pytest.fixture(autouse=True)
def _workspace(emulator: Emulator) -> None:
    prepare(emulator)
    emulator.behavior = Behavior(rate_limit=0, refused_email_domain="refused.example")


def load(make: MakePipeline, base_url: str, **columns: Any) -> RunSummary:
    """Loads six customers, each with a value and a membership."""
    rows = [customer(n, plan="gold", vip=True, **columns) for n in ROWS]
    data = bunce_adapter(rows, attributes={"plan": "Plan"}, segments={"vip": "VIP"})
    return flush_and_run(make(base_url=base_url), data, table_name="customers")


def load_one_bad(make: MakePipeline, base_url: str) -> RunSummary:
    """Loads six customers, of whom Bunce refuses the second."""
    rows = [customer(n) | ({"email": BAD} if n == 1 else {}) for n in ROWS]
    return flush_and_run(make(base_url=base_url), bunce_adapter(rows), table_name="customers")


def changed(method: str, path: str) -> bool:
    """Whether a request changes values or members."""
    return method != "GET" and ("/attributes/" in path or "/segments/" in path)


@pytest.mark.parametrize("status", [102, 103])
def test_interim_answers_are_not_taken_for_the_answer(
    make: MakePipeline, emulator: Emulator, status: int
) -> None:
    interim = f"HTTP/1.1 {status} X\r\nLink: </style.css>\r\n\r\n".encode()
    with gateway(emulator, unchanged, interim) as base_url:
        summary = load(make, base_url)

    assert (summary.created, summary.rejected) == (6, 0)
    assert (summary.attributes["written"], summary.segments["written"]) == (6, 6)
    assert set(emulator.times_sent.values()) == {1}


def test_values_and_members_are_written_by_a_success_without_a_body(
    make: MakePipeline, emulator: Emulator
) -> None:
    def alter(method: str, path: str, status: int, body: bytes) -> Answer:
        return (204, b"") if changed(method, path) else (status, body)

    with gateway(emulator, alter) as base_url:
        summary = load(make, base_url)
        again = load(make, base_url)

    assert (summary.attributes["written"], summary.segments["written"]) == (6, 6)
    assert (again.attributes["unchanged"], again.segments["unchanged"]) == (6, 6)
    assert len(emulator.attributes.members_of("VIP")) == 6


@pytest.mark.parametrize(
    "body",
    [
        {"status": "error", "message": "The workspace is archived", "data": None},
        {"status": "fail", "message": "The workspace is archived"},
        {"success": "false", "message": "The workspace is archived", "data": None},
        {"error": "The workspace is archived", "data": None},
    ],
)
def test_a_failure_told_in_a_word_writes_nothing_whatever_its_status_is(
    make: MakePipeline, emulator: Emulator, body: dict[str, Any]
) -> None:
    def alter(method: str, path: str, status: int, content: bytes) -> Answer:
        return as_json(200, body) if changed(method, path) and archived else (status, content)

    archived = True
    with gateway(emulator, alter) as base_url:
        with pytest.raises(AccountRefusedError, match="The workspace is archived"):
            load(make, base_url)
        archived = False
        summary = load(make, base_url)

    assert summary.attributes["written"] + summary.attributes["unchanged"] == 6
    assert summary.segments["written"] + summary.segments["unchanged"] == 6
    assert summary.rejected == 0


@pytest.mark.parametrize("answer", [(204, b""), (200, b"<html>Sign in</html>")])
def test_a_success_that_is_none_of_bunces_stops_a_load_without_lookups_and_is_told_so(
    make: MakePipeline, emulator: Emulator, answer: Answer
) -> None:
    def alter(method: str, path: str, status: int, body: bytes) -> Answer:
        if method == "GET" and "customer_ids" in path:
            return as_json(404, {"success": False, "message": "Not found"})
        return answer if "/customers/bulk" in path else (status, body)

    with gateway(emulator, alter) as base_url, pytest.raises(UnavailableError) as stopped:
        load(make, base_url)

    assert f"HTTP {answer[0]}, but no answer of Bunce's" in str(stopped.value)
    assert letters() == []


def refuses_one(make: MakePipeline, emulator: Emulator, alter: Alter, *, lookups: bool) -> None:
    """The one bad row is rejected with what Bunce says of it, and no other is."""

    def altered(method: str, path: str, status: int, body: bytes) -> Answer:
        if method == "GET" and not lookups and "customer_ids" in path:
            return as_json(404, {"success": False, "message": "Not found"})
        return alter(method, path, status, body)

    emulator.behavior = replace(emulator.behavior, repeated_id="overwritten")
    with gateway(emulator, altered) as base_url:
        summary = load_one_bad(make, base_url)

    assert (summary.created, summary.reject_codes) == (5, {"refused": 1})
    [(who, text)] = letters("customer_id, message")
    assert (who, "email is not valid" in text) == ("c1", True)


@pytest.mark.parametrize("lookups", [True, False], ids=["lookups", "none"])
@pytest.mark.parametrize(
    "failed",
    [
        {"status": 422, "message": "email is not valid"},
        {"success": False, "error": "email is not valid"},
        {"status": "failed", "errors": {"email": ["email is not valid"]}},
    ],
)
def test_a_row_that_a_list_of_outcomes_shows_as_failed_is_not_created(
    make: MakePipeline, emulator: Emulator, failed: dict[str, Any], lookups: bool
) -> None:
    def alter(method: str, path: str, status: int, body: bytes) -> Answer:
        if "/customers/bulk" not in path or status < 400:
            return status, body
        outcomes = [{"customer_id": f"c{n}"} | (failed if n == 1 else {}) for n in ROWS]
        return as_json(207, {"success": True, "message": "Done", "data": outcomes})

    refuses_one(make, emulator, alter, lookups=lookups)


@pytest.mark.parametrize("lookups", [True, False], ids=["lookups", "none"])
@pytest.mark.parametrize(
    "told",
    [
        {"data": {"failed": [{"customer_id": "c1", "error": "email is not valid"}]}},
        {"data": {"success": [{"customer_id": "c0"}], "errors": [f"{BAD}: email is not valid"]}},
        {"data": {"errors": {"c1": "email is not valid"}, "count": 5}},
        {"data": [], "failed": [{"email": BAD, "reason": "email is not valid"}]},
    ],
)
def test_a_row_that_a_success_lists_among_its_failures_is_not_created(
    make: MakePipeline, emulator: Emulator, told: dict[str, Any], lookups: bool
) -> None:
    def alter(method: str, path: str, status: int, body: bytes) -> Answer:
        if status < 400 or BAD not in body.decode():
            return status, body
        return as_json(200, {"success": True, "message": "Processed"} | told)

    refuses_one(make, emulator, alter, lookups=lookups)


@pytest.mark.parametrize("place", ["data", None])
def test_values_that_a_success_lists_among_its_failures_are_not_written(
    make: MakePipeline, emulator: Emulator, place: str | None
) -> None:
    def alter(method: str, path: str, status: int, body: bytes) -> Answer:
        if not changed(method, path) or status < 400:
            return status, body
        told = {"failed": json.loads(body)["errors"]}
        return as_json(
            200, {"success": True, "message": "Done"} | ({place: told} if place else told)
        )

    emulator.behavior = Behavior(rate_limit=0, refused_value="cursed")
    rows = [customer(n, plan="cursed" if n == 1 else "gold") for n in ROWS]
    data = bunce_adapter(rows, attributes={"plan": "Plan"})
    with gateway(emulator, alter) as base_url:
        summary = flush_and_run(make(base_url=base_url), data, table_name="customers")

    assert (summary.attributes["written"], summary.attributes["rejected"]) == (5, 1)
    assert rejected_values() == [("c1", "Plan", "refused")]


@pytest.mark.parametrize(
    "body",
    [
        {"statusCode": 400, "message": ["customers.1.email must be an email"], "error": "Bad"},
        {"error": {"message": "email is not valid"}},
        {"error": "email is not valid"},
        {"detail": "email is not valid"},
        {"error": [{"index": 1, "message": "email is not valid"}]},
        ["email is not valid"],
        ["customers.1.email must be an email"],
        [{"index": 1, "message": "email is not valid"}],
        [{"loc": ["body", "customers", 1, "email"], "msg": "email is not valid"}],
        {"error": {"issues": [{"path": ["customers", 1, "email"], "message": "Invalid"}]}},
    ],
)
def test_errors_under_the_names_of_frameworks_are_read(
    make: MakePipeline, emulator: Emulator, body: Any
) -> None:
    def alter(_method: str, _path: str, status: int, content: bytes) -> Answer:
        return as_json(400, body) if status == 422 else (status, content)

    with gateway(emulator, alter) as base_url:
        summary = load_one_bad(make, base_url)

    assert (summary.created, summary.reject_codes) == (5, {"refused": 1})
    [(who, text)] = letters("customer_id, message")
    assert (who, "email" in text) == ("c1", True)


def test_segments_and_attributes_beyond_a_page_that_tells_of_no_other_are_found(
    make: MakePipeline, emulator: Emulator
) -> None:
    def alter(method: str, path: str, status: int, body: bytes) -> Answer:
        if method == "GET" and path.startswith(("/v1/segments", "/v1/attributes")):
            document = json.loads(body)
            document["meta"] = {"per_page": 5}
            return as_json(status, document) if document["data"] else as_json(404, {"message": ""})
        return status, body

    for number in range(12):
        emulator.attributes.add_segment(f"Segment {number}")
        emulator.attributes.add(f"Attribute {number}", "text")
    emulator.behavior = replace(emulator.behavior, max_per_page=5)
    columns = {"plan": "Attribute 11"}
    data = bunce_adapter(
        [customer(n, plan="gold", vip=True) for n in ROWS],
        attributes=columns,
        segments={"vip": "Segment 11"},
    )
    with gateway(emulator, alter) as base_url:
        summary = flush_and_run(make(base_url=base_url, create_attributes=True), data)

    assert (summary.attributes["written"], summary.segments["written"]) == (6, 6)
    assert len(emulator.attributes.attributes) == 15


@pytest.mark.parametrize("cursors", [["a", "b"], [f"c{n}" for n in range(100)]])
def test_adopt_ends_where_a_listing_has_no_end(emulator: Emulator, cursors: list[str]) -> None:
    following = itertools.cycle(cursors)

    def alter(method: str, path: str, status: int, body: bytes) -> Answer:
        if method == "GET" and path.startswith("/v1/customers?"):
            meta = {"has_next_page": True, "next_page_cursor": next(following)}
            data = [customer(n) for n in range(3)]
            return as_json(200, {"success": True, "data": data, "meta": meta})
        return status, body

    with gateway(emulator, alter) as base_url:
        destination = bunce("sk_test_x", base_url, requests_per_minute=0)
        with pytest.raises(ListingError, match="keeps returning the same page"):
            adopt(destination=destination)
