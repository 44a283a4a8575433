"""A store_url that leads to no store in Postgres: what is wrong, and what to do about it."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit

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
