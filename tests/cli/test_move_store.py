"""`dlt-bunce store move`: everything or nothing, and only once."""

from __future__ import annotations

import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from dlt_bunce.emulator import Emulator
from dlt_bunce.errors import ConfigurationError, StoreError
from dlt_bunce.store.database import Database

from .conftest import Run, people, write

LOCAL = "sqlite:///bunce.sqlite"
SLOW = (
    'ALTER DATABASE "{name}" SET statement_timeout = 500',
    """CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql
      AS 'BEGIN PERFORM pg_sleep(0.6); RETURN NEW; END'""",
    "CREATE TRIGGER slow BEFORE INSERT ON bunce_customers FOR EACH ROW EXECUTE FUNCTION slow()",
)


def test_a_moved_store_knows_every_customer_and_is_moved_once(
    run: Run, emulator: Emulator, postgres_store: str
) -> None:
    write(people(1, 2, 3))
    run("load", "customers.parquet", "--pipeline-name", "crm")

    asked = run("store", "move", postgres_store)
    moved = run("store", "move", postgres_store, "--yes", "--json")
    again = run("store", "move", postgres_store, "--yes")
    read = run("status")

    assert (asked.code, moved.code, again.code, read.code) == (2, 0, 2, 2)
    assert "Pass --yes" in asked.errors
    assert moved.json["rows"]["bunce_customers"] == 3
    assert moved.json["renamed_to"] == "bunce.moved.sqlite"
    # an empty store that is made by mistake would send everyone again
    for refused in (again, read):
        assert "was moved to Postgres" in refused.errors
    assert [path.name for path in Path().glob("bunce*")] == ["bunce.moved.sqlite"]
    there = ("--store-url", postgres_store, "--pipeline-name", "crm", "--json")
    assert run("load", "customers.parquet", *there).json["unchanged"] == 3
    behind = run("load", "customers.parquet", "--pipeline-name", "another")
    assert (behind.code, emulator.times_sent) == (2, {"1": 1, "2": 1, "3": 1})
    assert "was moved to Postgres" in behind.errors


def test_a_move_may_take_longer_than_a_role_s_statements(
    run: Run, emulator: Emulator, postgres_url: str
) -> None:
    write(people(1))
    run("load", "customers.parquet")
    with Database(postgres_url), psycopg.connect(postgres_url) as admin:
        for statement in SLOW:
            admin.execute(statement.format(name=admin.info.dbname))  # type: ignore[arg-type]

    moved = run("store", "move", postgres_url, "--yes", "--json")

    assert (moved.code, moved.errors) == (0, "")
    assert moved.json["rows"]["bunce_customers"] == 1


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


def test_a_file_that_was_moved_earlier_is_not_replaced(run: Run, postgres_store: str) -> None:
    with Database(LOCAL):
        pass
    Path("bunce.moved.sqlite").write_text("the store of last year")

    refused = run("store", "move", postgres_store, "--yes")

    assert (refused.code, Path("bunce.sqlite").exists()) == (1, True)
    assert "renamed to bunce.moved.sqlite, which exists" in refused.errors
    assert Path("bunce.moved.sqlite").read_text() == "the store of last year"


def test_a_store_behind_a_link_is_moved_under_all_its_names(run: Run, postgres_store: str) -> None:
    Path("shared").mkdir()
    Path("bunce.sqlite").symlink_to("shared/bunce.sqlite")
    with Database(LOCAL):
        pass

    moved = run("store", "move", postgres_store, "--yes")

    assert moved.code == 0
    for url in (LOCAL, "sqlite:///shared/bunce.sqlite"):
        with pytest.raises(ConfigurationError, match="was moved to Postgres"), Database(url):
            pass
    assert [path.name for path in Path("shared").iterdir()] == ["bunce.moved.sqlite"]


def test_a_load_that_waits_for_the_store_while_it_is_moved_writes_nothing(
    program: Run, postgres_store: str
) -> None:
    for url in (LOCAL, postgres_store):
        with Database(url):
            pass
    url, _, schema = postgres_store.partition("schema=")
    waiting: list[int] = []

    def load() -> None:
        with Database(LOCAL) as db:
            waiting.append(threading.get_ident())
            with db.transaction():
                raise AssertionError("it goes on with the store that was moved")

    with ThreadPoolExecutor() as threads, psycopg.connect(url.rstrip("?&")) as link:
        link.execute(f'LOCK TABLE "{schema}".bunce_customers')  # type: ignore[arg-type]
        moved = threads.submit(program, "store", "move", postgres_store, "--yes")
        _until(lambda: bool(link.execute(_WAITS).fetchone()))  # it has locked the file by now
        loaded = threads.submit(load)
        _until(lambda: bool(waiting) and "_begin" in _calls_of(waiting[0]))
        link.commit()
        assert moved.result().code == 0

        with pytest.raises(StoreError, match="was removed or replaced"):
            loaded.result()
    assert [path.name for path in Path().glob("bunce*")] == ["bunce.moved.sqlite"]


_WAITS = "SELECT 1 FROM pg_locks WHERE NOT granted AND pid <> pg_backend_pid()"


def _calls_of(thread: int) -> list[str]:
    calls, frame = [], sys._current_frames().get(thread)  # noqa: SLF001, as faulthandler prints them
    while frame is not None:
        calls.append(frame.f_code.co_name)
        frame = frame.f_back
    return calls


def _until(happens: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not happens():
        assert time.monotonic() < end
        time.sleep(0.01)
