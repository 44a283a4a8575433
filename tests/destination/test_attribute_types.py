"""Columns of attributes keep what they have, whatever dlt makes of their types."""

from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import dlt
import pyarrow as pa
import pytest

from dlt_bunce import bunce_adapter, flush_and_run
from dlt_bunce.emulator import Emulator
from dlt_bunce.errors import MappingError
from dlt_bunce.store.database import Database

from .attribute_runs import fates, prepare, rejected_values, run
from .conftest import MakePipeline, customer, refused

BARE = datetime(2024, 7, 1, 10)  # noqa: DTZ001, the point of it
AWARE = datetime(2024, 7, 1, 10, tzinfo=timezone.utc)


@pytest.fixture(autouse=True)
def _workspace(emulator: Emulator) -> None:
    prepare(emulator)


def table(kind: Any, *values: Any) -> pa.Table:
    """Customers with a last payment of a type."""
    people = pa.Table.from_pylist([customer(n) for n in range(len(values))])
    return people.append_column("paid", pa.array(values, kind))


def test_a_table_may_lose_its_time_zone_and_get_it_back(
    make: MakePipeline, emulator: Emulator
) -> None:
    pipeline = make()
    attributes = {"paid": "Last payment"}

    def load(kind: Any, *values: Any) -> dict[str, int]:
        rows = bunce_adapter(table(kind, *values), attributes=attributes)
        return fates(flush_and_run(pipeline, rows, table_name="customers"))

    assert load(pa.timestamp("us"), BARE) == {"rejected": 1}
    assert load(pa.timestamp("us", "Africa/Lagos"), AWARE) == {"written": 1}
    assert emulator.attributes.values_of("c0") == {"Last payment": "2024-07-01T10:00:00Z"}
    assert load(pa.timestamp("us"), BARE) == {"rejected": 1}
    pipeline = make(timezone="Africa/Lagos")
    assert load(pa.timestamp("us"), BARE) == {"written": 1}
    assert emulator.attributes.values_of("c0") == {"Last payment": "2024-07-01T09:00:00Z"}


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59-05:00", "2024-07-01T10:00:00+99:00"])
@pytest.mark.parametrize("form", ["dicts", "table"])
def test_a_moment_that_the_form_has_no_room_for_is_rejected_and_its_customer_is_created(
    make: MakePipeline, emulator: Emulator, text: str, form: str
) -> None:
    rows = [customer(0, paid=text), customer(1, paid="2024-07-01T12:00:00+02:00")]
    if form == "dicts" and text.startswith("9999"):
        rows[0]["paid"] = datetime.fromisoformat(text)
    data = rows if form == "dicts" else pa.Table.from_pylist(rows)
    adapted = bunce_adapter(data, attributes={"paid": "Last payment"})

    done = flush_and_run(make(), adapted, table_name="customers")

    assert (done.created, fates(done)) == (2, {"written": 1, "rejected": 1})
    assert rejected_values() == [("c0", "Last payment", "invalid_timestamp")]
    assert emulator.attributes.values_of("c1") == {"Last payment": "2024-07-01T10:00:00Z"}


def test_a_column_without_any_value_is_blank_and_stops_no_load(
    make: MakePipeline, emulator: Emulator
) -> None:
    pipeline = make()
    given = {"attributes": {"paid": "Last payment"}, "segments": {"vip": "VIP"}}

    def load(kind: Any, *values: Any, vip: pa.Array) -> dict[str, int]:
        rows = table(kind, *values).append_column("vip", vip)
        summary = flush_and_run(pipeline, bunce_adapter(rows, **given), table_name="customers")
        return fates(summary)

    assert load(pa.null(), None, None, vip=pa.nulls(2)) == {"blank": 2}
    assert load(pa.timestamp("s", "UTC"), AWARE, None, vip=pa.array([True, None])) == {
        "written": 1,
        "blank": 1,
    }
    assert load(pa.null(), None, None, vip=pa.nulls(2)) == {"blank": 2}
    assert emulator.attributes.members_of("VIP") == {"c0"}


@pytest.mark.parametrize("data_type", ["date", "TIMESTAMP", "DateTime", " Date"])
@pytest.mark.parametrize("form", ["dicts", "table"])
def test_a_type_is_known_however_it_is_written(
    make: MakePipeline, emulator: Emulator, data_type: str, form: str
) -> None:
    emulator.attributes.add("Seen", data_type.strip())
    emulator.attributes.attributes[-1]["data_type"] = data_type
    texts = ("2024-07-01T10:00:00Z", "2024-07-01T10:00:00")
    rows = [customer(n, seen=text) for n, text in enumerate(texts)]
    data = rows if form == "dicts" else pa.Table.from_pylist(rows)
    attributes = {"seen": "Seen"}

    done = flush_and_run(make(), bunce_adapter(data, attributes=attributes), table_name="customers")

    assert fates(done) == {"written": 1, "rejected": 1}
    assert rejected_values() == [("c1", "Seen", "invalid_timestamp")]
    assert emulator.attributes.values_of("c0") == {"Seen": "2024-07-01T10:00:00Z"}


@pytest.mark.parametrize(("data_type", "told"), [("money", "of type 'money'"), ("", "without a")])
def test_a_type_that_is_not_known_stops_the_load_before_anything_is_sent(
    make: MakePipeline, emulator: Emulator, data_type: str, told: str
) -> None:
    emulator.attributes.add("Seen", data_type)
    rows = bunce_adapter([customer(1, seen=AWARE)], attributes={"seen": "Seen"})

    error = refused(make(), rows, table_name="customers")

    assert isinstance(error, MappingError)
    assert told in str(error)
    assert "Known are: text, numeric, timestamp, date, boolean." in str(error)
    assert emulator.customers == {}


@pytest.mark.parametrize("form", ["dicts", "table", "both"])
def test_an_attribute_is_created_by_the_first_load_that_has_a_value(
    make: MakePipeline, emulator: Emulator, store: str, form: str
) -> None:
    pipeline = make(create_attributes=True, store_url=store)
    given = {"attributes": {"paid": "Paid", "plan": "Plan"}}
    there = len(emulator.attributes.attributes)

    def load(*values: Any) -> dict[str, int]:
        rows = [customer(n, paid=value, plan="gold") for n, value in enumerate(values)]
        half = 0 if form == "table" else 1 if form == "both" else len(rows)
        items = [rows[:half], *([pa.Table.from_pylist(rows[half:])] if rows[half:] else [])]
        data = dlt.resource(filter(len, items), name="customers")
        return fates(flush_and_run(pipeline, bunce_adapter(data, **given)))

    assert load(None, None) == {"blank": 2, "written": 2}
    assert len(emulator.attributes.attributes) == there
    assert load(None, AWARE) == {"blank": 1, "written": 1, "unchanged": 2}
    assert load(None, AWARE) == {"blank": 1, "unchanged": 3}

    made = {a["name"]: a["data_type"] for a in emulator.attributes.attributes[there:]}
    # where rows are dicts and a table, the column is text for dlt
    assert made == {"Paid": "text" if form == "both" else "timestamp"}
    assert emulator.attributes.values_of("c1")["Paid"] == "2024-07-01T10:00:00Z"
    with Database(store) as db:
        slots = db.rows("SELECT name, slot FROM bunce_targets ORDER BY slot")
    assert [row["name"] for row in slots] == ["Paid", "Plan"]


def test_attributes_made_from_dicts_have_the_type_of_their_values(
    make: MakePipeline, emulator: Emulator
) -> None:
    rows = [
        customer(1, spent=None, seen=AWARE, score="high", tier=1, vip=True),
        customer(2, spent=Decimal("0.10"), seen=AWARE.date(), score=7, tier=2, vip=False),
        customer(3, spent=7, seen=None, score=None, tier="gold", vip=None),
    ]

    done = run(make(create_attributes=True), *rows, attributes="*")

    made = {a["name"]: a["data_type"] for a in emulator.attributes.attributes[3:]}
    assert made == {
        "spent": "numeric",
        "seen": "timestamp",
        "score": "text",
        "tier": "text",
        "vip": "text",
    }
    assert fates(done) == {"written": 11, "blank": 4}
    assert emulator.attributes.values_of("c2") == {
        "spent": "0.1",
        "seen": "2024-07-01T00:00:00Z",
        "score": "7",
        "tier": "2",
        "vip": "false",
    }


def test_configured_attributes_of_dicts_are_read_as_they_are_written(
    make: MakePipeline, emulator: Emulator
) -> None:
    pipeline = make(attributes={"plan": "Plan", "paid": "Last payment"})
    rows = [customer(1, plan=7, paid=BARE), customer(2, plan="007", paid=AWARE)]

    done = flush_and_run(pipeline, bunce_adapter(rows), table_name="customers")

    assert fates(done) == {"written": 3, "rejected": 1}
    assert rejected_values() == [("c1", "Last payment", "invalid_timestamp")]
    assert emulator.attributes.values_of("c1") == {"Plan": "7"}
    assert emulator.attributes.values_of("c2")["Plan"] == "007"
