"""A run's connection to the store stays open between its uses, as long as it is good for them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from dlt_bunce.destination.folder import run_lock
from dlt_bunce.errors import StoreError
from dlt_bunce.store.database import Database
from dlt_bunce.store.kept import MAX_IDLE_S, KeptDatabase

from .test_sqlite import Together

PID = "SELECT pg_backend_pid() AS pid"


@pytest.fixture(params=["sqlite:///bunce.sqlite", "postgres"])
def kept(request: pytest.FixtureRequest) -> Iterator[KeptDatabase]:
    url = request.param
    if url == "postgres":
        url = request.getfixturevalue("postgres_store")
    with Database(url):
        pass
    database = KeptDatabase(url)
    yield database
    database.close()


@pytest.fixture
def in_sqlite() -> Iterator[KeptDatabase]:
    database = KeptDatabase("sqlite:///bunce.sqlite")
    yield database
    database.close()


@pytest.fixture
def in_postgres(postgres_store: str) -> Iterator[KeptDatabase]:
    database = KeptDatabase(postgres_store)
    yield database
    database.close()


def is_held(database: Database) -> bool:
    """Whether the connection of a block is the one of the block before: it has its temporary table.

    Creates that table if it is not.
    """
    with database as db:
        try:
            db.rows("SELECT 1 AS n FROM bunce_mark")
        except StoreError:
            db.execute("CREATE TEMPORARY TABLE bunce_mark (n BIGINT)")
            return False
        return True


def test_blocks_one_after_another_share_a_connection(kept: KeptDatabase) -> None:
    assert not is_held(kept)
    assert is_held(kept)
    assert kept.exists()

    kept.close()

    assert kept.exists()
    assert not is_held(kept)


def test_a_block_inside_of_another_shares_its_connection(kept: KeptDatabase) -> None:
    with kept:
        assert kept.is_used
        assert not is_held(kept)
        assert is_held(kept)
    assert not kept.is_used


def test_a_connection_that_failed_in_a_block_is_not_used_again(kept: KeptDatabase) -> None:
    is_held(kept)

    with pytest.raises(StoreError), kept as db:
        db.rows("SELECT nothing FROM nowhere")

    assert not is_held(kept)


def test_a_connection_that_was_idle_for_long_is_not_used_again(kept: KeptDatabase) -> None:
    now = 0.0
    kept.clock = lambda: now
    is_held(kept)
    now = MAX_IDLE_S

    assert is_held(kept)

    now = 2 * MAX_IDLE_S + 1

    assert not is_held(kept)


def test_a_connection_that_the_server_has_ended_is_not_used_again(
    in_postgres: KeptDatabase,
) -> None:
    with in_postgres as db:
        pid = db.rows(PID)[0]["pid"]
    with in_postgres.another() as other:
        other.rows("SELECT pg_terminate_backend(CAST($1 AS INT))", (pid,))

    with in_postgres as db:
        assert pid != db.rows(PID)[0]["pid"]


def test_a_store_that_was_replaced_is_not_written_to_any_more(in_sqlite: KeptDatabase) -> None:
    with in_sqlite as db:
        before = db.store_id
    Path("bunce.sqlite").unlink()

    assert not in_sqlite.exists()
    with in_sqlite as db:
        assert before != db.store_id
    with pytest.raises(StoreError, match="removed or replaced"), in_sqlite.expecting(before):
        pass


def test_an_idle_connection_keeps_nobody_from_overwriting_erased_rows(kept: KeptDatabase) -> None:
    with kept as db:
        db.execute("INSERT INTO bunce_customers (account, customer_id) VALUES ('a', '1')")
        assert db.rows("SELECT customer_id FROM bunce_customers LIMIT 1") != []

    with kept.another() as other:
        other.execute("DELETE FROM bunce_customers")
        assert other.overwrite("bunce_customers") is None

    with kept as db:
        assert db.rows("SELECT customer_id FROM bunce_customers") == []


class Closed:
    """Something to be kept, which notes whether it was closed."""

    is_closed = False

    def close(self) -> None:
        self.is_closed = True


def test_what_is_kept_is_of_the_thread_that_holds_the_folder_until_it_lets_go() -> None:
    folder, found = Path.cwd() / "pipeline", list[Closed | None]()

    def look() -> Closed | None:
        return run_lock.kept(folder, "store", Closed)

    assert look() is None
    with run_lock.run_lock(folder):
        with run_lock.run_lock(folder):
            kept = look()
        assert kept is not None
        assert kept is look()
        assert kept is not run_lock.kept(folder, "another", Closed)
        thread = threading.Thread(target=lambda: found.append(look()))
        thread.start()
        thread.join()
        assert not kept.is_closed

    assert found == [None]
    assert kept.is_closed
    with run_lock.run_lock(folder):
        assert kept is not look()


@pytest.mark.parametrize("error", [StoreError("lost"), KeyboardInterrupt()])
def test_a_folder_is_released_whatever_closing_does(error: BaseException) -> None:
    class Failing:
        def close(self) -> None:
            raise error

    expected = nullcontext() if isinstance(error, StoreError) else pytest.raises(KeyboardInterrupt)
    with expected, run_lock.run_lock(Path("pipeline")):
        run_lock.kept(Path("pipeline"), "store", Failing)

    assert json.loads(Path(".pipeline.run").read_text())["released"] is True
    with run_lock.run_lock(Path("pipeline"), lambda: 0.0):
        pass


def test_a_forked_process_does_not_use_the_connection(together: Together) -> None:
    program = """
import os
from pathlib import Path
from dlt_bunce.destination.folder import run_lock
from dlt_bunce.store.kept import KeptDatabase
ready()
def look():
    return run_lock.kept(Path("pipeline"), "store", lambda: KeptDatabase("sqlite:///bunce.sqlite"))
with run_lock.run_lock(Path("pipeline")):
    own = look()
    child = os.fork()
    if not child:
        os._exit(0 if look() is None else 1)
    answer([own is look(), os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])])
"""

    assert together([program]) == [[True, 0]]
