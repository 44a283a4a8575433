"""Customers are created once, whatever the format, and never sent again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dlt
import pyarrow as pa
import pytest

from dlt_bunce import RunSummary, bunce_adapter, flush_and_run, run_summary
from dlt_bunce.emulator import Behavior, Emulator
from dlt_bunce.errors import UnavailableError
from dlt_bunce.store.database import Database

from .conftest import STORE, MakePipeline, customer


@pytest.mark.parametrize("disposition", ["append", "merge"])
def test_new_customers_are_created_once_and_never_sent_again(
    make: MakePipeline, emulator: Emulator, disposition: Any
) -> None:
    pipeline = make()
    rows = [customer(n) for n in range(250)]

    pipeline.run(rows, table_name="customers", write_disposition=disposition)
    first = run_summary(pipeline)
    pipeline.run(rows, table_name="customers", write_disposition=disposition)
    second = run_summary(pipeline)

    assert (first.read, first.created) == (250, 250)
    assert (second.read, second.unchanged, second.bulk_requests) == (250, 250, 0)
    assert {f"c{n}": 1 for n in range(250)} == emulator.times_sent


@pytest.mark.parametrize(
    "reference", ["bunce", "dlt_bunce.bunce", "dlt_bunce.destination.factory.bunce"]
)
def test_the_destination_is_found_by_its_name(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, reference: str
) -> None:
    monkeypatch.setenv("DESTINATION__BUNCE__BASE_URL", emulator.base_url)
    monkeypatch.setenv("DESTINATION__BUNCE__CREDENTIALS__API_KEY", "sk_test_marked")

    pipeline = dlt.pipeline("crm", destination=reference)
    pipeline.run([customer(1)], table_name="customers")

    assert list(emulator.customers) == ["c1"]


@pytest.mark.parametrize("name", ["crm-to-bunce", "CRM to Bunce", "1st"])
def test_a_pipeline_may_have_any_name_that_dlt_takes(
    make: MakePipeline, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    told: list[RunSummary] = []
    # dlt looks for settings of one pipeline under its name
    monkeypatch.setenv(f"{name.upper()}__DESTINATION__BUNCE__ACCOUNT", "own")

    with pytest.raises(UnavailableError):
        flush_and_run(make(name, base_url="http://127.0.0.1:9/v1", on_run_end=told.append), [])
    pipeline = make(name, on_run_end=told.append)
    assert run_summary(pipeline).read == 0
    resource = dlt.resource([customer(1)], name="customers")
    loaded = flush_and_run(pipeline, resource)

    assert (loaded.created, run_summary(pipeline).created) == (1, 1)
    assert [(run.state, run.created) for run in told] == [("failed", 0), ("completed", 1)]
    with Database(STORE) as db:
        assert db.rows("SELECT account FROM bunce_accounts") == [{"account": "own"}]
    assert list(emulator.customers) == ["c1"]


def test_what_dlt_adds_never_reaches_bunce(make: MakePipeline, emulator: Emulator) -> None:
    make().run(
        [customer(1, devices=[{"device_type": "iOS", "device_token": "t"}])], table_name="customers"
    )

    stored = emulator.customers["c1"]
    assert not [name for name in stored if name.startswith("_dlt")]
    assert [{k: d[k] for k in ("device_type", "device_token")} for d in stored["devices"]] == [
        {"device_type": "ios", "device_token": "t"}
    ]
    assert {name for (name,) in letters_tables()} == {"customers"}


def letters_tables() -> list[tuple[str]]:
    """Which tables the runs have loaded."""
    with Database(STORE) as db:
        return [(row["table_name"],) for row in db.rows("SELECT table_name FROM bunce_runs")]


@pytest.mark.parametrize("file_format", ["parquet", "typed-jsonl", "jsonl"])
@pytest.mark.parametrize("arrow", [True, False])
def test_every_file_format_gives_the_same_customers(
    make: MakePipeline, emulator: Emulator, file_format: Any, arrow: bool
) -> None:
    rows = [customer(n, first_name=f"Zoë {n}") for n in range(3)]
    data = pa.Table.from_pylist(rows) if arrow else rows
    pipeline = make()

    pipeline.run(
        dlt.resource([data] if arrow else data, name="customers"), loader_file_format=file_format
    )

    assert run_summary(pipeline).created == 3
    assert emulator.customers["c2"]["first_name"] == "Zoë 2"
    pipeline.run(rows, table_name="customers")
    assert run_summary(pipeline).unchanged == 3


def test_the_table_of_customers_can_be_configured(make: MakePipeline, emulator: Emulator) -> None:
    make(customers_table="people, users").run([customer(1)], table_name="users")

    assert list(emulator.customers) == ["c1"]


def test_hints_map_columns(make: MakePipeline, emulator: Emulator) -> None:
    row = {"no": 7, "m": "a@example.com", "fn": "A", "ln": "B", "tel1": "+2348100000000"}
    resource = dlt.resource([row], name="people")

    make().run(
        bunce_adapter(
            resource, customer_id="no", email="m", first_name="fn", last_name="ln", phone_no="tel1"
        )
    )

    assert emulator.customers["7"]["email"] == "a@example.com"


def test_configuration_maps_columns_and_aliases_map_themselves(
    make: MakePipeline, emulator: Emulator
) -> None:
    row = {
        "ID": 7,
        "m": "a@example.com",
        "firstname": "A",
        "surname": "B",
        "msisdn": "+2348100000000",
    }

    make(mapping={"email": "m"}).run([row], table_name="customers")

    assert emulator.customers["7"]["email"] == "a@example.com"


def test_the_newest_version_of_a_key_wins(make: MakePipeline, emulator: Emulator) -> None:
    rows = [customer(1, first_name="New", v=2), customer(1, first_name="Old", v=1)]
    pipeline = make()

    pipeline.run(bunce_adapter(dlt.resource(rows, name="customers"), version="v"))

    summary = run_summary(pipeline)
    assert (summary.read, summary.created, summary.superseded) == (2, 1, 1)
    assert emulator.customers["c1"]["first_name"] == "New"


def test_a_run_with_nothing_new_reports_nothing(make: MakePipeline) -> None:
    pipeline = make()
    pipeline.run([customer(1)], table_name="customers")

    pipeline.run(
        pa.table({name: pa.array([], pa.string()) for name in customer(1)}), table_name="customers"
    )

    assert (run_summary(pipeline).read, run_summary(pipeline).created) == (0, 0)


def test_a_dry_run_counts_and_sends_and_writes_nothing(
    make: MakePipeline, emulator: Emulator
) -> None:
    pipeline = make(dry_run=True)

    pipeline.run([customer(1), customer(2, email="bad")], table_name="customers")

    summary = run_summary(pipeline)
    assert (summary.state, summary.read, summary.created, summary.rejected) == ("dry_run", 2, 1, 1)
    assert emulator.requests == []
    assert not Path("bunce.sqlite").exists()


def test_of_customers_who_share_an_email_the_first_one_read_gets_it(
    make: MakePipeline, emulator: Emulator
) -> None:
    emulator.behavior = Behavior(rate_limit=0, latency_ms=30)
    rows = [customer(n, email=f"shared{n % 5}@example.com") for n in range(40)]

    make(batch_size=5).run(rows, table_name="customers")

    assert [f"c{n}" for n in range(5)] == sorted(emulator.customers)
