"""Runs that succeed and still give reason to look: what is known of the API, and of the source."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dlt
import pyarrow as pa
import pytest

from dlt_bunce import bunce, bunce_adapter, flush_and_run, run_summary
from dlt_bunce.destination.access import client_for
from dlt_bunce.emulator import Behavior, Emulator
from dlt_bunce.operations.adopt import adopt
from dlt_bunce.operations.probe import probe

from .conftest import MakePipeline, customer

pytestmark = pytest.mark.usefixtures("impatient")
Warned = Callable[[], list[dict[str, Any]]]


def client_of(emulator: Emulator, store: str) -> Any:
    """A client of the account that pipelines use by default."""
    settings = {"base_url": emulator.base_url, "store_url": store, "requests_per_minute": 0}
    return client_for(bunce(credentials="sk_test_marked", **settings), "probe")


def probe_with(emulator: Emulator, store: str, **switches: Any) -> None:
    """Probe the account while Bunce behaves so."""
    emulator.behavior = Behavior(rate_limit=0, **switches)
    probe(client_of(emulator, store), prefix="probe", max_batch=20, sleep=lambda _seconds: None)


@pytest.mark.parametrize("rows_of", [list, pa.Table.from_pylist])
def test_append_is_warned_of_where_a_probe_found_that_bunce_overwrites(
    make: MakePipeline, emulator: Emulator, store: str, warned: Warned, rows_of: Any
) -> None:
    probe_with(emulator, store, repeated_id="overwritten")
    emulator.seed([customer(n, first_name="Old") for n in range(3)])
    warned()
    pipeline = make(store_url=store)

    def load(*numbers: int, disposition: str = "append") -> dict[str, int]:
        rows = rows_of([customer(n) for n in numbers])
        pipeline.run(rows, table_name="customers", write_disposition=disposition)
        return dict(run_summary(pipeline).warnings)

    first = load(0, 1, 2, 3)
    events = [event for event in warned() if event["event"] == "run.warnings"]
    again = load(0, 1, 2, 3)
    merged = load(4, disposition="merge")

    assert (first, again, merged) == ({"append_overwrites": 4}, {}, {})
    assert [event["append_overwrites"] for event in events] == [4]
    # the probe was right
    assert emulator.customers["c0"]["first_name"] == "Ada"
    adopt(client_of(emulator, store))
    assert load(5) == {}


def test_append_is_not_warned_of_where_bunce_refuses_an_id_that_is_created_again(
    make: MakePipeline, emulator: Emulator, store: str
) -> None:
    probe_with(emulator, store)
    pipeline = make(store_url=store)

    pipeline.run([customer(1)], table_name="customers", write_disposition="append")

    assert run_summary(pipeline).warnings == {}


@pytest.mark.parametrize("rows_of", [list, pa.Table.from_pylist])
def test_links_from_a_part_of_the_source_are_warned_of(
    make: MakePipeline, emulator: Emulator, store: str, rows_of: Any
) -> None:
    emulator.seed([customer(n, customer_id=f"b{n}") for n in range(4)])
    pipeline = make(store_url=store, on_email_taken="link")

    def load(*numbers: int, limit: int | None) -> dict[str, int]:
        rows = bunce_adapter(rows_of([customer(n) for n in numbers])).with_name("customers")
        data = rows if limit is None else rows.add_limit(limit)
        pipeline.run(data, write_disposition="merge")
        return dict(run_summary(pipeline).warnings)

    part = load(0, 1, limit=100)
    whole = load(2, 3, limit=None)

    assert (part, whole) == ({"linked_from_a_part": 2}, {})


@pytest.mark.parametrize("how", ["flush_and_run", "run"])
def test_a_correction_that_a_cursor_keeps_from_earlier_customers_is_warned_of(
    make: MakePipeline, emulator: Emulator, how: str
) -> None:
    def load(last: int, column: str, **options: Any) -> dict[str, int]:
        def people(cursor: Any = dlt.sources.incremental("at")) -> Any:
            yield [customer(n, at=n, work="Wrong") for n in range(1, last + 1)]

        data = bunce_adapter(dlt.resource(people, name="customers"), first_name=column)
        options["write_disposition"] = "merge"
        if how == "flush_and_run":
            return dict(flush_and_run(make(), data, **options).warnings)
        pipeline = make()
        pipeline.run(data, **options)
        return dict(run_summary(pipeline).warnings)

    told = [load(3, "work"), load(4, "first_name"), load(5, "first_name")]
    load(6, "work")
    whole = load(6, "first_name", refresh="drop_resources")

    assert told == [{}, {"mapping_changed": 3}, {}]
    assert whole == {}
    assert {each["first_name"] for each in emulator.customers.values()} == {"Ada"}
