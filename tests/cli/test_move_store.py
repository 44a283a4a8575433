"""`dlt-bunce store move`: everything or nothing, and only once."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from dlt_bunce.emulator import Emulator
from dlt_bunce.store.database import Database

from .conftest import Run, people, write


def test_a_moved_store_knows_every_customer_and_is_moved_once(
    run: Run, emulator: Emulator, postgres_store: str
) -> None:
    write(people(1, 2, 3))
    run("load", "customers.parquet", "--pipeline-name", "crm")

    asked = run("store", "move", postgres_store)
    moved = run("store", "move", postgres_store, "--yes", "--json")
    again = run("store", "move", postgres_store, "--yes")

    assert (asked.code, moved.code, again.code) == (2, 0, 1)
    assert "Pass --yes" in asked.errors
    assert moved.json["rows"]["bunce_customers"] == 3
    assert moved.json["renamed_to"] == "bunce.moved.sqlite"
    # an empty store that is made by mistake would send everyone again
    assert "No store exists" in again.errors
    assert [path.name for path in Path().glob("bunce*")] == ["bunce.moved.sqlite"]
    there = ("--store-url", postgres_store, "--pipeline-name", "crm", "--json")
    assert run("load", "customers.parquet", *there).json["unchanged"] == 3
    behind = run("load", "customers.parquet", "--pipeline-name", "another")
    assert (behind.code, emulator.times_sent) == (2, {"1": 1, "2": 1, "3": 1})
    assert "was moved to Postgres" in behind.errors


def test_neither_a_store_in_use_nor_one_with_rows_is_touched(
    run: Run, emulator: Emulator, postgres_store: str
) -> None:
    write(people(1))
    run("load", "customers.parquet")
    with sqlite3.connect("bunce.sqlite") as other:
        soon = int((time.time() + 60) * 1000)
        other.execute(
            "UPDATE bunce_customers SET lease_until = ?, claim_batch = 'x', claim_owner = 'x'",
            (soon,),
        )
    sending = run("store", "move", postgres_store, "--yes")
    with other:
        other.execute("UPDATE bunce_customers SET lease_until = 0")
    other.close()
    with Database(postgres_store) as db:
        db.execute("INSERT INTO bunce_customers (account, customer_id) VALUES ('a', '1')")

    taken = run("store", "move", postgres_store, "--yes")
    reverse = run("store", "move", "sqlite:///other.sqlite", "--yes")

    assert "A load is sending" in sending.errors
    assert "already has rows" in taken.errors
    assert "from SQLite to Postgres" in reverse.errors
    assert (sending.code, taken.code, reverse.code) == (1, 1, 2)
    assert run("status", "--json").json["ledger"]["delivered"] == 1
