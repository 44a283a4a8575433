"""Attribute values: only what changed, only of customers whom Bunce has, each with one fate."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timezone
from itertools import count
from typing import Any

import pyarrow as pa
import pytest

from dlt_bunce import bunce_adapter, run_summary
from dlt_bunce.emulator import Behavior, Emulator, Fault
from dlt_bunce.emulator.behavior import FaultKind
from dlt_bunce.errors import MappingError

from .attribute_runs import (
    ATTRIBUTES,
    calls,
    fates,
    prepare,
    rejected_values,
    rich,
    run,
)
from .conftest import MakePipeline, customer, letters, refused


@pytest.fixture(autouse=True)
def _workspace(emulator: Emulator) -> None:
    prepare(emulator)


def test_only_values_that_changed_are_sent_and_the_rest_cost_no_request(
    make: MakePipeline, emulator: Emulator, store: str
) -> None:
    pipeline = make(store_url=store)
    rows = [rich(n) for n in range(40)]
    first = run(pipeline, *rows)
    sent = sum(calls(emulator, "values"))
    unchanged = run(pipeline, *rows)
    quiet = calls(emulator, "values"), emulator.attributes.values_received
    rows[7] |= {"plan": "silver"}
    rows[8] |= {"plan": None, "first_name": "New"}
    changed = run(pipeline, *rows)

    assert (fates(first), sent) == ({"written": 120}, 120)
    assert fates(unchanged) == {"unchanged": 120}
    assert sum(quiet[0]) == quiet[1] == 120
    assert fates(changed) == {"written": 1, "unchanged": 118, "blank": 1}
    assert calls(emulator, "values")[len(quiet[0]) :] == [1]
    assert emulator.attributes.values_of("c7")["Plan"] == "silver"
    # a blank erases nothing
    assert emulator.attributes.values_of("c8") == {
        "Plan": "gold",
        "Balance": "0.8",
        "Last payment": "2024-01-01T10:00:00Z",
    }
    assert changed.attributes["read"] == 120
    assert (changed.updated, changed.unchanged) == (1, 39)


def test_values_wait_for_their_customer_and_a_bad_value_holds_no_customer_back(
    make: MakePipeline, emulator: Emulator
) -> None:
    emulator.behavior = Behavior(rate_limit=0, refused_email_domain="bad.example")
    pipeline = make()
    rows = [
        rich(1, email="nobody"),
        rich(2, email="c2@bad.example"),
        rich(3, balance="seven", paid="yesterday"),
        rich(4),
        rich(4, plan="newer"),
    ]
    done = run(pipeline, *rows)
    again = run(pipeline, *rows)

    assert (done.created, done.rejected, done.superseded) == (2, 2, 1)
    assert fates(done) == {"written": 4, "waiting": 6, "rejected": 2, "superseded": 3}
    assert fates(again) == {"unchanged": 4, "waiting": 6, "rejected": 2, "superseded": 3}
    assert again.bulk_requests == 0
    assert emulator.attributes.values_received == 4
    assert rejected_values() == [
        ("c3", "Balance", "invalid_number"),
        ("c3", "Last payment", "invalid_timestamp"),
    ]
    assert [code for _, code, _ in letters()] == ["invalid_email", "refused"]
    assert emulator.attributes.values_of("c4")["Plan"] == "newer"

    mended = run(pipeline, rich(1), rich(2), rich(3, paid=None), rich(4, plan="newer"))

    assert fates(mended) == {"written": 7, "unchanged": 4, "blank": 1}
    assert rejected_values() == []
    assert emulator.attributes.values_of("c2")["Plan"] == "gold"


@pytest.mark.parametrize(
    ("switches", "expected"),
    [
        ({"value_echo": "absent"}, {"written": 30}),
        ({"value_echo": "sent"}, {"written": 30}),
        ({"max_values": 7}, {"written": 30}),
        ({"faults": (Fault("drop_after", on_request=1, call="values"),)}, {"written": 30}),
        ({"faults": (Fault("error_before", on_request=1, call="values"),)}, {"written": 30}),
        ({"faults": (Fault("truncated", on_request=1, call="values"),)}, {"written": 30}),
        ({"faults": (Fault("html_502_after", on_request=1, call="values"),)}, {"written": 30}),
    ],
    ids=["no echo", "full echo", "cap", "dropped", "error", "truncated", "gateway"],
)
def test_lost_answers_and_caps_lose_no_value(
    make: MakePipeline, emulator: Emulator, switches: dict[str, Any], expected: dict[str, int]
) -> None:
    emulator.behavior = Behavior(rate_limit=0, **switches)
    pipeline = make()

    done = run(pipeline, *(rich(n) for n in range(10)))
    received = emulator.attributes.values_received

    assert fates(done) == expected
    assert all(len(emulator.attributes.values_of(f"c{n}")) == 3 for n in range(10))
    # a lost answer costs a second try, anything else none
    assert received <= 60 if "faults" in switches else received == 30
    assert fates(run(pipeline, *(rich(n) for n in range(10)))) == {"unchanged": 30}


@pytest.mark.parametrize("unknown", ["refused", "ignored", "created"])
def test_a_customer_whom_bunce_has_lost_takes_no_good_value_along(
    make: MakePipeline, emulator: Emulator, unknown: Any
) -> None:
    emulator.behavior = Behavior(rate_limit=0, unknown_value_customer=unknown)
    pipeline = make()
    run(pipeline, customer(1), customer(2), attributes=None)
    kept = emulator.customers["c2"]
    names = {a["name"]: a["data_type"] for a in emulator.attributes.attributes}
    emulator.reset()
    emulator.behavior = Behavior(rate_limit=0, unknown_value_customer=unknown)
    for name, data_type in names.items():
        emulator.attributes.add(name, data_type)
    emulator.seed([kept])

    done = run(pipeline, rich(1), rich(2))

    if unknown == "created":
        assert fates(done) == {"written": 6}
    else:
        assert fates(done) == {"written": 3, "rejected": 3}
        code = "refused" if unknown == "refused" else "unconfirmed"
        assert {code} == {code for *_, code in rejected_values()}
    assert len(emulator.attributes.values_of("c2")) == 3


def test_a_customer_who_is_created_anew_gets_all_values_in_the_same_run(
    make: MakePipeline, emulator: Emulator
) -> None:
    pipeline, segments = make(), {"vip": "VIP"}
    run(pipeline, rich(1, vip=True), rich(2, vip=True), segments=segments)
    known = emulator.attributes.attributes, emulator.attributes.segments
    emulator.reset()
    emulator.attributes.attributes, emulator.attributes.segments = known
    rows = [rich(1, first_name="New", vip=True), rich(2, vip=True)]

    done = run(pipeline, *rows, segments=segments)
    again = run(pipeline, *rows, segments=segments)

    # nothing tells that Bunce has lost the other one, too
    assert (done.created, done.unchanged) == (1, 1)
    assert fates(done) == {"written": 3, "unchanged": 3}
    assert emulator.attributes.values_of("c1")["Plan"] == "gold"
    assert emulator.attributes.members_of("VIP") == {"c1"}
    assert fates(again) == {"unchanged": 6}


def test_what_bunce_does_not_have_stops_the_load_before_anything_is_sent(
    make: MakePipeline, emulator: Emulator
) -> None:
    emulator.attributes.add("Plan", "text")
    numbers = count()

    def error_of(rows: Any, **options: Any) -> str:
        # a refused package stays pending
        pipeline = make(f"crm_{next(numbers)}")
        error = refused(pipeline, bunce_adapter(rows, **options), table_name="customers")
        assert isinstance(error, MappingError)
        return str(error)

    rows = [rich(1, vip=True)]
    table = pa.Table.from_pylist([rich(1, vip=True)])
    assert "has no attribute 'Color'. It has: Balance, Last payment" in error_of(
        rows, attributes={"plan": "Color"}
    )
    assert "2 attributes called 'Plan'" in error_of(rows, attributes={"plan": "Plan"})
    assert "'shoe', for 'Plan', does not exist" in error_of(rows, attributes={"shoe": "Plan"})
    assert "are all given for 'Plan'" in error_of(
        rows, attributes={"plan": "Plan", "balance": "Plan"}
    )
    assert "type timestamp, but 'Balance' takes numeric" in error_of(
        table, attributes={"paid": "Balance"}
    )
    assert "has no segment 'Nobody'. It has: VIP" in error_of(rows, segments={"vip": "Nobody"})
    emulator.attributes.add_segment("Active", "automatic")
    assert "'Active' is automatic" in error_of(rows, segments={"vip": "Active"})
    assert Counter(r.call for r in emulator.requests).keys() <= {"lookup", "listing"}


def test_attributes_are_created_where_that_is_wanted_and_a_listing_has_many_pages(
    make: MakePipeline, emulator: Emulator
) -> None:
    for n in range(250):
        emulator.attributes.add(f"Other {n}", "text")
    seen = datetime(2026, 11, 1, 9, tzinfo=timezone.utc)
    table = pa.Table.from_pylist([customer(1, city="Lagos", spent=12.5, seen=seen)])
    pipeline = make(create_attributes=True)

    pipeline.run(bunce_adapter(table, attributes="*"), table_name="customers")

    made = {a["name"]: a["data_type"] for a in emulator.attributes.attributes[253:]}
    assert made == {"city": "text", "spent": "numeric", "seen": "timestamp"}
    assert emulator.attributes.values_of("c1")["spent"] == "12.5"
    assert fates(run_summary(pipeline)) == {"written": 3}


@pytest.mark.parametrize(
    "kind", ["rate_limited", "error_before", "error_after", "drop_after", "truncated"]
)
def test_an_attribute_is_created_once_whatever_becomes_of_the_request(
    make: MakePipeline, emulator: Emulator, kind: FaultKind
) -> None:
    fault = Fault(kind, on_request=2, call="listing", status=503, seconds=0.1)
    emulator.behavior = Behavior(rate_limit=0, faults=(fault,))

    done = run(make(create_attributes=True), rich(1), attributes={"plan": "Tariff"})

    assert [a["name"] for a in emulator.attributes.attributes].count("Tariff") == 1
    assert emulator.attributes.values_of("c1") == {"Tariff": "gold"}
    assert fates(done) == {"written": 1}
    assert (done.requests, done.retries) == (len(emulator.requests), 1)


def test_without_attributes_nothing_is_asked_for(make: MakePipeline, emulator: Emulator) -> None:
    pipeline = make()

    done = run(pipeline, rich(1), attributes=None)

    assert Counter(r.call for r in emulator.requests) == {"lookup": 1, "create": 1}
    assert (done.attributes, done.segments) == ({}, {})


def test_values_that_cannot_be_sent_fail_the_run_and_are_sent_by_the_next(
    make: MakePipeline, emulator: Emulator
) -> None:
    down = Fault("error_before", on_request=2, until_request=10_000, call="values")
    emulator.behavior = Behavior(rate_limit=0, faults=(down,))
    pipeline = make(concurrency=1, max_concurrency=1, timeout_s=5.0)
    rows = [rich(n) for n in range(40)]

    error = refused(pipeline, bunce_adapter(rows, attributes=ATTRIBUTES), table_name="customers")
    emulator.behavior = Behavior(rate_limit=0)
    # as in another process
    resumed = make()
    resumed.load()
    done = run_summary(resumed)

    assert "could not be delivered" in str(error)
    assert done.created == 40
    # those that the first try wrote are counted as written, and were not sent again
    assert fates(done) == {"written": 120}
    assert all(len(emulator.attributes.values_of(f"c{n}")) == 3 for n in range(40))


def test_values_of_a_linked_customer_go_to_the_id_that_bunce_has(
    make: MakePipeline, emulator: Emulator
) -> None:
    emulator.seed([customer(1, customer_id="made-1")])
    pipeline = make(on_email_taken="link")

    done = run(pipeline, rich(1, vip=True), rich(2, vip=True), segments={"vip": "VIP"})
    again = run(pipeline, rich(1, vip=True), rich(2, vip=True), segments={"vip": "VIP"})

    assert (done.linked, fates(done)) == (1, {"written": 6})
    assert len(emulator.attributes.values_of("made-1")) == 3
    assert emulator.attributes.members_of("VIP") == {"made-1", "c2"}
    assert emulator.customers.keys() == {"made-1", "c2"}
    assert fates(again) == {"unchanged": 6}
