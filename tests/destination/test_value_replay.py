"""Replays send the values of the replayed rows as well, in the form that a load gives them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, datetime, time, timezone
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from dlt.common.schema import Schema

from dlt_bunce import MappingError, bunce, bunce_adapter, run_summary
from dlt_bunce.destination.client import BunceClient
from dlt_bunce.emulator import Behavior, Emulator
from dlt_bunce.operations.replay import correct
from dlt_bunce.store.database import Database

from .attribute_runs import ATTRIBUTES, fates, prepare, rejected_values, rich, run
from .conftest import STORE, MakePipeline, customer, letters, replayed

BAD = "c1@bad.example"


@pytest.fixture(autouse=True)
def _workspace(emulator: Emulator) -> None:
    prepare(emulator)
    emulator.behavior = Behavior(rate_limit=0, refused_email_domain="bad.example")


def test_a_replay_sends_the_values_of_its_rows_and_the_next_load_sends_nothing(
    make: MakePipeline, emulator: Emulator
) -> None:
    pipeline, options = make(), {"segments": {"vip": "VIP"}}
    rows = [
        rich(1, email=BAD, vip=True),
        rich(2, vip=True),
        rich(3, email="c3@bad.example", balance="x"),
    ]
    done = run(pipeline, *rows, **options)
    emulator.behavior = Behavior(rate_limit=0)

    found = replayed(emulator).summary
    again = run(pipeline, *rows, **options)

    assert (fates(done), done.rejected) == ({"written": 3, "waiting": 6}, 2)
    assert (found.created, fates(found)) == (2, {"written": 5, "rejected": 1})
    assert (found.segments["written"], found.segments["blank"]) == (1, 1)
    assert found.rejected_values == {"Balance": {"invalid_number": 1}}
    assert rejected_values() == [("c3", "Balance", "invalid_number")]
    assert emulator.attributes.values_of("c1") == emulator.attributes.values_of("c2") | {
        "Balance": "0.1"
    }
    assert emulator.attributes.members_of("VIP") == {"c1", "c2"}
    assert (fates(again), again.segments["written"]) == ({"unchanged": 8, "rejected": 1}, 0)


def test_values_of_any_type_are_the_same_from_a_replay_as_from_a_load(
    make: MakePipeline, emulator: Emulator
) -> None:
    moment = datetime(2024, 1, 1, 10, 30, 0, 250_000, timezone.utc)
    columns: dict[str, pa.Array] = {
        "aware": pa.array([moment] * 2, pa.timestamp("us", "UTC")),
        "naive": pa.array([moment.replace(tzinfo=None)] * 2, pa.timestamp("us")),
        "day": pa.array([date(2024, 1, 2)] * 2),
        "clock": pa.array([time(10, 30)] * 2, pa.time64("us")),
        "exact": pa.array([Decimal("0.12345678901234567890")] * 2, pa.decimal128(30, 20)),
        "whole": pa.array([Decimal("12.00")] * 2, pa.decimal128(10, 2)),
        "double": pa.array([0.1 + 0.2] * 2),
        "single": pa.array([0.1] * 2, pa.float32()),
        "large": pa.array([1e20] * 2),
        "number": pa.array([2**60 + 1] * 2),
        "flag": pa.array([True] * 2),
        "text": pa.array(["Ọbí  x", "Ọbí  x"]),
        "nested": pa.array([{"b": 1, "a": [1.5, 2.0]}] * 2),
    }
    people = pa.Table.from_pylist([customer(1, email=BAD), customer(2)])
    for name, column in columns.items():
        people = people.append_column(name, column)
        emulator.attributes.add(name, "text")
    for name, data_type in {"aware": "timestamp", "day": "timestamp", "exact": "numeric"}.items():
        emulator.attributes.add(f"{name} as {data_type}", data_type)
        people = people.append_column(f"{name}_as_{data_type}", columns[name])
    attributes = {name: name for name in columns}
    attributes |= {
        "aware_as_timestamp": "aware as timestamp",
        "day_as_timestamp": "day as timestamp",
        "exact_as_numeric": "exact as numeric",
    }
    pipeline = make()
    data = bunce_adapter(people, attributes=attributes)
    pipeline.run(data, table_name="customers")
    loaded = run_summary(pipeline)
    emulator.behavior = Behavior(rate_limit=0)

    found = replayed(emulator).summary

    assert fates(loaded) == {"written": 16, "waiting": 16}
    assert fates(found) == {"written": 16}
    assert emulator.attributes.values_of("c1") == emulator.attributes.values_of("c2")
    assert emulator.attributes.values_of("c1")["exact"] == "0.1234567890123456789"
    pipeline.run(data, table_name="customers")
    assert fates(run_summary(pipeline)) == {"unchanged": 32}


def test_what_is_configured_now_outranks_what_the_run_had(
    make: MakePipeline, emulator: Emulator
) -> None:
    emulator.attributes.add("City", "text")
    run(make(attributes=ATTRIBUTES), rich(1, email=BAD, city="Lagos"), attributes=None)
    emulator.behavior = Behavior(rate_limit=0)

    with pytest.raises(MappingError, match="has no attribute 'Town'") as refused:
        replayed(emulator, settings={"attributes": {"city": "Town"}, "create_attributes": True})
    sent = list(emulator.customers)
    found = replayed(emulator, settings={"attributes": {"city": "City"}}).summary

    assert sent == []
    assert "create_attributes" not in str(refused.value), "a replay knows no types to create"
    assert fates(found) == {"written": 1}
    assert emulator.attributes.values_of("c1") == {"City": "Lagos"}
    assert letters("status") == [("resolved",)]


def test_what_a_run_had_and_bunce_no_longer_has_holds_no_customer_back(
    make: MakePipeline, emulator: Emulator, warned: Callable[[], list[dict[str, Any]]]
) -> None:
    pipeline = make()
    run(pipeline, rich(1, email=BAD, vip=True), segments={"vip": "VIP"})
    run(pipeline, rich(2, email="c2@bad.example"), attributes={"plan": "Plan"})
    run(pipeline, rich(3, email="c3@bad.example"), attributes={"balance": "Balance"})
    emulator.behavior = Behavior(rate_limit=0)
    [_, balance, _] = emulator.attributes.attributes
    balance["name"] = "Account balance"
    emulator.attributes.segments.clear()
    warned()

    found = replayed(emulator).summary

    told = [event for event in warned() if event["event"] == "values.left_out"]
    assert (found.created, fates(found), found.segments) == (3, {"written": 3}, {})
    assert emulator.attributes.values_of("c1").keys() == {"Plan", "Last payment"}
    assert [status for (status,) in letters("status")] == ["resolved"] * 3
    assert sorted((event["column"], event["reason"]) for event in told) == [
        ("balance", "Bunce has no attribute 'Balance'."),
        ("balance", "Bunce has no attribute 'Balance'."),
        ("vip", "Bunce has no segment 'VIP'."),
    ]


def test_what_the_table_itself_was_given_outranks_what_is_configured_as_in_a_load(
    make: MakePipeline, emulator: Emulator
) -> None:
    emulator.attributes.add("Tier", "text")
    configured: Any = {"attributes": {"plan": "Plan"}, "segments": {"vip": "VIP"}}
    row = rich(1, email=BAD, tier="high", vip=True)
    run(make(**configured), row, attributes={"tier": "Tier"})
    still_bad = replayed(emulator, settings=configured).summary
    emulator.behavior = Behavior(rate_limit=0)

    # the letter is now that of a replay
    found = replayed(emulator, settings=configured).summary

    assert (still_bad.rejected, fates(still_bad)) == (1, {"waiting": 1})
    assert (found.created, fates(found), found.segments["written"]) == (1, {"written": 1}, 1)
    assert emulator.attributes.values_of("c1") == {"Tier": "high"}


def test_a_record_without_that_is_read_as_before(make: MakePipeline, emulator: Emulator) -> None:
    run(make(), rich(1, email=BAD), attributes={"balance": "Balance"})
    with Database(STORE) as db:
        [row] = db.rows("SELECT targets FROM bunce_runs WHERE targets IS NOT NULL")
        record = json.loads(row["targets"])
        assert record["customers"].pop("hinted") == ["attributes"]
        db.execute("UPDATE bunce_runs SET targets = $1", (json.dumps(record),))
    emulator.behavior = Behavior(rate_limit=0)

    found = replayed(emulator, settings={"attributes": {"plan": "Plan"}}).summary

    assert fates(found) == {"written": 1}
    assert emulator.attributes.values_of("c1") == {"Plan": "gold"}


def test_every_column_feeds_an_attribute_in_a_replay_where_that_is_configured(
    make: MakePipeline, emulator: Emulator
) -> None:
    for name in ("plan", "balance", "paid"):
        emulator.attributes.add(name, "text")
    # the run itself had no attributes
    run(make(), rich(1, email=BAD), attributes=None)
    emulator.behavior = Behavior(rate_limit=0)

    found = replayed(emulator, settings={"attributes": "*"}).summary

    assert fates(found) == {"written": 3}
    assert emulator.attributes.values_of("c1")["plan"] == "gold"


def test_a_row_that_is_overtaken_takes_no_value_along(
    make: MakePipeline, emulator: Emulator
) -> None:
    pipeline = make()
    run(pipeline, rich(1, email=BAD, plan="old"))
    # the letter of an older row is open while Bunce accepts a newer one
    run(pipeline, rich(1, plan="new"))
    with_letters = letters("status")

    found = replayed(emulator).summary

    assert with_letters != [("open",)]
    assert (found.read, found.attributes) == (0, {})
    assert emulator.attributes.values_of("c1")["Plan"] == "new"


def test_a_corrected_row_takes_its_values_along(make: MakePipeline, emulator: Emulator) -> None:
    run(make(), rich(1, email=BAD, balance="seven"))
    [(letter_id,)] = letters("id")
    destination = bunce(
        credentials="sk_test_marked", base_url=emulator.base_url, requests_per_minute=0
    )
    client: Any = destination.client(Schema("replay"), initial_config=destination.spec())
    assert isinstance(client, BunceClient)

    summary = correct(client, letter_id, {"email": "c1@example.com", "balance": "7"})

    assert (summary.created, fates(summary)) == (1, {"written": 3})
    assert emulator.attributes.values_of("c1")["Balance"] == "7"


def test_a_replay_without_values_asks_for_none(make: MakePipeline, emulator: Emulator) -> None:
    run(make(), rich(1, email=BAD), attributes=None)
    emulator.behavior = Behavior(rate_limit=0)
    before = len(emulator.requests)

    found = replayed(emulator).summary

    assert {record.call for record in emulator.requests[before:]} == {"lookup", "create"}
    assert (found.created, found.attributes, found.segments) == (1, {}, {})


@pytest.mark.parametrize("refused", ["here", "by Bunce"])
def test_a_replay_sends_the_values_that_the_last_load_has_read(
    make: MakePipeline, emulator: Emulator, refused: str
) -> None:
    pipeline, options = make(), {"segments": {"vip": "VIP"}, "version": "changed"}
    bad = {"email": BAD} if refused == "by Bunce" else {"phone_no": "08012345678"}
    # the third is late, and the fourth reads the second once more
    for plan, vip, changed in (
        ("gold", True, 1),
        ("silver", False, 3),
        ("none", True, 2),
        ("silver", False, 3),
    ):
        done = run(pipeline, rich(1, plan=plan, vip=vip, changed=changed, **bad), **options)
    emulator.behavior = Behavior(rate_limit=0)

    replayed(emulator, settings={"default_region": "NG"})

    assert (done.held, done.rejected) == (1, 0)
    assert emulator.attributes.values_of("c1")["Plan"] == "silver"
    assert emulator.attributes.members_of("VIP") == set()
    assert letters("version, attempts, status") == [(3, 1, "resolved")]
