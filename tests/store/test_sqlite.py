"""Stores in SQLite: what opens, what is refused, and how several processes share one."""

from __future__ import annotations

import gc
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest

from dlt_bunce.errors import ConfigurationError, StoreError
from dlt_bunce.store.database import Database
from dlt_bunce.store.schema.migrations import MIGRATIONS

URL = "sqlite:///bunce.sqlite"
FILE = Path("bunce.sqlite")
Together = Callable[[list[str]], list[object]]


def refused(url: str = URL, *, read_only: bool = False) -> StoreError:
    """Return the error of a store that cannot be opened; a leaked connection fails the test."""
    with pytest.raises(StoreError) as failure, Database(url, read_only=read_only):
        pass
    gc.collect()
    return failure.value


def write(sql: str, path: Path = FILE) -> None:
    """Change the file outside the store's code."""
    with closing(sqlite3.connect(path)) as conn, conn:
        conn.execute(sql)


def version() -> int:
    """Return the schema version in the file."""
    with closing(sqlite3.connect(FILE)) as conn:
        return int(conn.execute("SELECT version FROM bunce_schema").fetchone()[0])


def test_a_new_store_creates_its_folder_and_all_of_its_tables() -> None:
    with Database("sqlite:///a/b/bunce.sqlite") as db:
        found = db.rows("SELECT COUNT(*) AS n FROM bunce_customers")

    assert found == [{"n": 0}]
    assert Path("a/b/bunce.sqlite").exists()


def test_reopening_a_store_keeps_its_rows() -> None:
    with Database(URL) as db:
        db.execute("INSERT INTO bunce_customers (account, customer_id) VALUES ('a', '1')")

    with Database(URL) as db:
        assert db.rows("SELECT customer_id FROM bunce_customers") == [{"customer_id": "1"}]


def test_a_store_of_every_older_version_is_upgraded() -> None:
    for older in range(1, len(MIGRATIONS)):
        FILE.unlink(missing_ok=True)
        with closing(sqlite3.connect(FILE)) as conn, conn:
            for statement in (s for step in MIGRATIONS[:older] for s in step):
                conn.execute(statement)
            conn.execute("CREATE TABLE bunce_schema (version BIGINT NOT NULL)")
            conn.execute("INSERT INTO bunce_schema VALUES (?)", (older,))

        with Database(URL):
            pass

        assert len(MIGRATIONS) == version()


@pytest.mark.parametrize("url", ["mysql://host/db", "sqlite:///", "sqlite://x", "bunce", ""])
def test_a_url_that_names_no_store_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"sqlite:///bunce\.sqlite"):
        Database(url)


@pytest.mark.parametrize("schema", ["a-b", "1a", 'a"b', "x" * 64, "pg;drop"])
def test_a_schema_that_is_not_a_plain_name_is_refused(schema: str) -> None:
    with pytest.raises(ConfigurationError, match="not a plain name"):
        Database(f"postgresql://host/db?schema={schema}")


def test_a_file_that_is_not_a_database_is_left_unchanged() -> None:
    FILE.write_bytes(b"id,email\n" * 1000)

    error = refused()

    assert "not a database" in error.message
    assert error.remedy == (
        "Point store_url at an SQLite file. If this is the store, it is damaged: move "
        "bunce.sqlite, bunce.sqlite-wal, and bunce.sqlite-shm away, or what is in these is mixed "
        "into the next store. Restore a backup if there is one; then run dlt-bunce adopt, or else "
        "customers are sent again."
    )
    assert FILE.read_bytes() == b"id,email\n" * 1000


def test_a_path_where_no_file_can_be_created_is_an_error_with_a_remedy() -> None:
    error = refused("sqlite:////proc/bunce.sqlite")
    folder = refused("sqlite:///.")

    assert folder.message == "The store . cannot be used: it is a folder."
    assert "cannot be opened or created" in error.message
    assert error.remedy is not None
    assert "writable" in error.remedy


def test_a_folder_that_cannot_be_created_is_an_error_with_a_remedy() -> None:
    Path("taken").write_text("a file")

    error = refused("sqlite:///taken/bunce.sqlite")

    assert "cannot be used" in error.message
    assert error.remedy is not None


@pytest.mark.parametrize("read_only", [False, True])
def test_a_store_of_a_newer_version_is_refused_and_left_unlocked(read_only: bool) -> None:
    with Database(URL):
        pass
    write("UPDATE bunce_schema SET version = 99")

    error = refused(read_only=read_only)

    assert "schema version 99" in error.message
    assert error.remedy == "Upgrade it here, too. In an up-to-date clone: pip install --upgrade ."
    write("INSERT INTO bunce_customers (account, customer_id) VALUES ('a', '1')")
    assert version() == 99


def test_a_store_opened_for_reading_must_exist_and_is_not_created() -> None:
    error = refused("sqlite:///folder/bunce.sqlite", read_only=True)

    assert "No store exists" in error.message
    assert not Path("folder").exists()


def test_a_store_opened_for_reading_is_not_changed() -> None:
    with Database(URL):
        pass
    before = (FILE.read_bytes(), FILE.stat().st_mtime_ns)

    with Database(URL, read_only=True) as db:
        db.ingest("bunce_own", pa.table({"a": [1]}))
        assert db.rows("SELECT a FROM bunce_own") == [{"a": 1}]
        with pytest.raises(StoreError, match="readonly"):
            db.execute("DELETE FROM bunce_customers")

    assert before == (FILE.read_bytes(), FILE.stat().st_mtime_ns)


def test_an_empty_file_opened_for_reading_stays_empty() -> None:
    FILE.touch()

    error = refused(read_only=True)

    assert "has not been created or upgraded" in error.message
    assert FILE.stat().st_size == 0


def test_a_reader_sees_what_was_committed_while_a_load_writes() -> None:
    with Database(URL) as writer, Database(URL, read_only=True, busy_timeout_s=0.1) as reader:
        with writer.transaction():
            writer.execute("INSERT INTO bunce_customers (account, customer_id) VALUES ('a', '1')")
            assert reader.rows("SELECT * FROM bunce_customers") == []

        assert len(reader.rows("SELECT * FROM bunce_customers")) == 1


def test_a_path_with_special_url_characters_is_used_as_is() -> None:
    url = "sqlite:///a%20b c?d#é.sqlite"

    with Database(url):
        pass
    with Database(url, read_only=True) as db:
        assert db.rows("SELECT * FROM bunce_customers") == []

    assert Path("a%20b c?d#é.sqlite").exists()


def test_eight_processes_that_open_new_stores_at_once_all_get_them(together: Together) -> None:
    program = """
from dlt_bunce.store.database import Database
answers = []
start = ready()
for number in range(10):
    time.sleep(max(0.0, start + number * 0.06 - time.time()))
    with Database(f"sqlite:///bunce{number}.sqlite") as db:
        answers += db.rows("SELECT version FROM bunce_schema")
answer(answers)
"""

    assert [[{"version": len(MIGRATIONS)}] * 10] * 8 == together([program] * 8)


@pytest.mark.parametrize(
    ("path", "remedy"),
    [
        ("~/bunce.sqlite", "Write the path out"),
        ("$HOME/bunce.sqlite", "Write the path out"),
        (":memory:", "Write the path out"),
        ("bunce.sqlite?mode=ro", 'store_url = "sqlite:///bunce.sqlite"'),
    ],
)
def test_a_path_that_nobody_replaces_makes_no_store_of_that_name(path: str, remedy: str) -> None:
    with pytest.raises(ConfigurationError, match=remedy):
        Database(f"sqlite:///{path}")
