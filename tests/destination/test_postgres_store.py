"""The same story with the store in Postgres."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg

from dlt_bunce import run_summary
from dlt_bunce.emulator import Emulator
from dlt_bunce.store.letters.selection import Selection

from .conftest import MakePipeline, customer
from .test_replay import replayed


def test_a_first_load_a_second_one_an_update_and_a_replay(
    make: MakePipeline, emulator: Emulator, postgres_store: str
) -> None:
    pipeline = make(store_url=postgres_store)
    rows = [customer(n) for n in range(50)]
    rows[7]["phone_no"] = "0803 000 0000"
    rows[9]["email"] = "c8@example.com"

    def load() -> Any:
        pipeline.run(rows, table_name="customers", write_disposition="merge")
        return run_summary(pipeline)

    first, second = load(), load()
    rows[1]["first_name"] = "New"
    third = load()
    replay = replayed(
        emulator,
        selection=Selection(codes=["invalid_phone_no"]),
        settings={"store_url": postgres_store, "default_region": "NG"},
    ).summary

    assert (first.read, first.created, first.rejected) == (50, 48, 2)
    assert (second.unchanged, second.held, second.bulk_requests) == (48, 2, 0)
    assert (third.unchanged, third.held, third.updated) == (47, 2, 1)
    assert (replay.read, replay.created) == (1, 1)
    assert {f"c{n}": 1 for n in range(50)} == emulator.times_sent
    assert not list(Path().glob("*.sqlite*"))


def test_a_dry_run_makes_no_store(make: MakePipeline, postgres_store: str) -> None:
    pipeline = make(store_url=postgres_store, dry_run=True)

    pipeline.run([customer(1), customer(2, email="bad")], table_name="customers")

    assert (run_summary(pipeline).created, run_summary(pipeline).rejected) == (1, 1)
    schema = postgres_store.rpartition("schema=")[2]
    with psycopg.connect(postgres_store.replace("&schema", "&application_name")) as connection:
        found = connection.execute("SELECT to_regnamespace(%s) IS NULL", (schema,)).fetchone()
    assert found == (True,)
