"""Connections to a store in Postgres, and a store_url that leads to none: what is wrong with it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qsl, urlencode, urlsplit

import psycopg
import pytest
from tests.postgres import with_login

from dlt_bunce.errors import StoreError
from dlt_bunce.store.database import Database


def refused(url: str) -> StoreError:
    with pytest.raises(StoreError) as failure, Database(url):
        pass
    assert "Failed to connect" not in failure.value.message
    return failure.value


def test_a_url_without_a_host_is_a_url_of_a_socket_or_of_its_parameters(
    postgres_store: str,
) -> None:
    parts = urlsplit(postgres_store)
    query = dict(parse_qsl(parts.query)) | {"user": parts.username or ""}
    if parts.hostname:
        query |= {"host": parts.hostname, "port": str(parts.port)}
    without = f"postgresql://{parts.path}?{urlencode(query)}"

    with Database(without) as db:
        db.execute("INSERT INTO bunce_customers (account, customer_id) VALUES ('a', '1')")
    with Database(postgres_store, read_only=True) as db:
        assert db.rows("SELECT customer_id FROM bunce_customers") == [{"customer_id": "1"}]


@pytest.mark.parametrize("password", ["marked", None])
def test_a_wrong_password_or_none_is_told_as_such(
    postgres_url: str, password: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSFILE", "none")
    if password:
        monkeypatch.setenv("PGPASSWORD", password)

    error = refused(with_login(postgres_url, password=False))

    assert "password" in error.message
    assert "Set PGPASSWORD in the environment" in str(error.remedy)
    assert "marked" not in str(error)


def test_a_database_or_a_role_that_does_not_exist_is_named(postgres_url: str) -> None:
    url = urlsplit(postgres_url)
    database = refused(url._replace(path="/nowhere").geturl())
    role = refused(url._replace(netloc=url.netloc.replace("postgres", "nobody_here", 1)).geturl())

    assert 'database "nowhere" does not exist' in database.message
    assert 'create it: CREATE DATABASE "nowhere"' in str(database.remedy)
    assert 'role "nobody_here" does not exist' in role.message
    assert "Correct the name in store_url" in str(role.remedy)


# those that this version of the server has
LIMITS = """SELECT name, setting FROM pg_settings WHERE name IN ('statement_timeout',
  'transaction_timeout', 'idle_session_timeout', 'idle_in_transaction_session_timeout')"""


def test_limits_that_are_set_for_a_role_or_a_server_end_no_session(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as admin:
        names = [name for name, _ in admin.execute(LIMITS).fetchall()]
        for name in names:
            admin.execute(f'ALTER DATABASE "{admin.info.dbname}" SET {name} = 60000')  # type: ignore[arg-type]

    with Database(postgres_url) as db:
        limits = {row["name"]: row["setting"] for row in db.rows(LIMITS)}

    assert limits == dict.fromkeys(names, "0")


def test_a_transaction_that_has_waited_sees_what_was_written_meanwhile_at_any_isolation(
    postgres_url: str,
) -> None:
    with psycopg.connect(postgres_url) as admin:
        level = "SET default_transaction_isolation = 'repeatable read'"
        admin.execute(f'ALTER DATABASE "{admin.info.dbname}" {level}')  # type: ignore[arg-type]

    def count() -> int:
        with Database(postgres_url) as db, db.transaction():
            return len(db.rows("SELECT customer_id FROM bunce_customers"))

    waiting = "SELECT 1 AS n FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with ThreadPoolExecutor(1) as pool, Database(postgres_url) as db:
        with db.transaction():
            counted = pool.submit(count)
            while not db.rows(waiting):
                assert not counted.done()
            db.execute("INSERT INTO bunce_customers (account, customer_id) VALUES ('a', '1')")

        assert counted.result() == 1
