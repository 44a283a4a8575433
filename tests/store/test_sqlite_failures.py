"""A statement that fails in SQLite: the error, what stays, and what works afterwards."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from dlt_bunce.errors import StoreError
from dlt_bunce.store.database import Database

from .test_sqlite import FILE, URL


def test_a_backup_beside_the_log_of_a_killed_run_is_told_as_damaged() -> None:
    def insert(first: int, last: int, then: Callable[[Database], object]) -> None:
        numbers = pa.array(range(first, last)).cast(pa.string())
        with Database(URL) as db:
            with db.transaction():
                db.ingest("bunce_new", pa.table({"id": numbers}))
                columns = "INSERT INTO bunce_customers (account, customer_id)"
                db.execute(f"{columns} SELECT 'a', id FROM bunce_new")
            then(db)

    insert(0, 300, lambda db: db.execute("VACUUM INTO 'backup.sqlite'"))
    insert(300, 3000, lambda _: None)
    # as a kill leaves it
    insert(3000, 3300, lambda _: shutil.copy("bunce.sqlite-wal", "kept-wal"))
    shutil.copy("backup.sqlite", FILE)
    shutil.copy("kept-wal", "bunce.sqlite-wal")

    with pytest.raises(StoreError, match="malformed") as failure, Database(URL) as db:
        db.rows("SELECT * FROM bunce_customers")

    assert "bunce.sqlite-wal, and bunce.sqlite-shm away" in str(failure.value.remedy)
    for side in ("-wal", "-shm"):
        Path(f"bunce.sqlite{side}").unlink()
    shutil.copy("backup.sqlite", FILE)
    with Database(URL) as db:
        assert len(db.rows("SELECT * FROM bunce_customers")) == 300


def test_a_failed_transaction_leaves_nothing_and_a_usable_connection() -> None:
    def fail(db: Database) -> None:
        with db.transaction():
            db.execute("INSERT INTO bunce_customers (account, customer_id) VALUES ('a', '1')")
            raise ZeroDivisionError

    with Database(URL) as db:
        with pytest.raises(ZeroDivisionError):
            fail(db)
        with db.transaction():
            assert db.rows("SELECT * FROM bunce_customers") == []


def test_a_store_locked_by_another_process_is_an_error_after_the_wait() -> None:
    with Database(URL) as holder, Database(URL, busy_timeout_s=0.05) as db:
        with holder.transaction(), pytest.raises(StoreError) as failure, db.transaction():
            pass
        with db.transaction():
            pass

    assert "locked" in failure.value.message
    remedy = "Another load holds the lock. Wait for it to finish and run again."
    assert remedy == failure.value.remedy


def test_a_full_disk_is_an_error_and_nothing_is_half_written() -> None:
    def fill(db: Database) -> None:
        with db.transaction():
            db.execute("INSERT INTO bunce_customers (account, customer_id) VALUES ('a', '1')")
            db.ingest("bunce_many", pa.table({"id": [f"{n:0100}" for n in range(5000)]}))
            db.execute(
                "INSERT INTO bunce_customers (account, customer_id) SELECT 'b', id FROM bunce_many"
            )

    with Database(URL) as db:
        pages = db.rows("PRAGMA page_count")[0]["page_count"]
        db.query(f"PRAGMA max_page_count={pages + 10}")
        with pytest.raises(StoreError) as failure:
            fill(db)
        assert db.rows("SELECT * FROM bunce_customers") == []
        with db.transaction():
            db.execute("INSERT INTO bunce_customers (account, customer_id) VALUES ('a', '1')")

    assert (
        failure.value.message == "The store bunce.sqlite cannot be used: database or disk is full."
    )
    remedy = "Free space on its disk and run again; what is settled is not sent again."
    assert remedy == failure.value.remedy


def test_a_failed_statement_with_parameters_tells_its_reason_and_is_rolled_back() -> None:
    insert = "INSERT INTO bunce_customers (account, customer_id) VALUES ($1, $2)"

    def fail(db: Database) -> None:
        with db.transaction():
            db.execute(insert, ("a", "1"))
            db.execute(insert, ("a", "1"))

    with Database(URL) as db, Database(URL) as other:
        for _ in range(2):
            with pytest.raises(StoreError, match=r"bunce_customers\.customer_id"):
                fail(db)
        # nobody waits for a lock
        other.execute(insert, ("b", "1"))
        assert db.rows("SELECT account FROM bunce_customers") == [{"account": "b"}]


def test_an_error_contains_no_value_and_no_statement() -> None:
    with Database(URL) as db, pytest.raises(StoreError) as failure:
        db.execute("INSERT INTO bunce_customers (account) VALUES ($1)", ("ada@example.com",))

    assert "ada@example.com" not in str(failure.value)
    assert "INSERT" not in str(failure.value)
