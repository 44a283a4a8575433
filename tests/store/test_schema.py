"""The tables of a store are the same whether it is new or was upgraded."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import psycopg
import pytest
from psycopg import sql

from dlt_bunce.errors import StoreError
from dlt_bunce.store.database import Database
from dlt_bunce.store.schema.migrations import MIGRATIONS

SQLITE = (
    """SELECT m.name AS name, c.cid AS place, c.name AS column_name, c.type AS type,
        c."notnull" AS is_required, c.dflt_value AS otherwise, c.pk AS key
        FROM sqlite_master AS m JOIN pragma_table_info(m.name) AS c
        WHERE m.name LIKE 'bunce%' ORDER BY 1, 2""",
    """SELECT name, tbl_name, sql FROM sqlite_master
        WHERE type <> 'table' AND name LIKE 'bunce%' ORDER BY 1""",
)
POSTGRES = (
    """SELECT table_name AS name, CAST(ordinal_position AS BIGINT) AS place,
        CAST(column_name AS TEXT) AS column_name, data_type AS type, is_nullable AS is_required,
        column_default AS otherwise
        FROM information_schema.columns WHERE table_schema = current_schema() ORDER BY 1, 2""",
    """SELECT CAST(indexname AS TEXT) AS name,
        replace(indexdef, CAST(current_schema() AS TEXT), '') AS sql
        FROM pg_indexes WHERE schemaname = current_schema() ORDER BY 1""",
)
VERSION = (
    "CREATE TABLE bunce_schema (version BIGINT NOT NULL)",
    "INSERT INTO bunce_schema VALUES (1)",
)


def schema_of(url: str, queries: tuple[str, ...]) -> list[list[dict[str, Any]]]:
    with Database(url) as db:
        return [db.rows(query) for query in queries]


def test_a_table_or_a_column_that_is_missing_is_named_with_the_remedy(db: Database) -> None:
    db.execute("ALTER TABLE bunce_dead_letters RENAME TO letters_of_mine")
    db.execute("ALTER TABLE bunce_runs RENAME COLUMN seen_at TO seen")

    for table, column, missing in (
        ("bunce_dead_letters", "id", "bunce_dead_letters"),
        ("bunce_runs", "bunce_runs.seen_at", "seen_at"),
    ):
        with pytest.raises(StoreError) as failure:
            db.rows(f"SELECT {column} FROM {table}")
        assert missing in failure.value.message
        assert "Restore a backup of the store" in str(failure.value.remedy)


def test_a_new_store_in_sqlite_is_like_one_that_was_upgraded() -> None:
    with closing(sqlite3.connect("old.sqlite")) as connection, connection:
        for statement in (*MIGRATIONS[0], *VERSION):
            connection.execute(statement)

    new, old = (schema_of(f"sqlite:///{name}.sqlite", SQLITE) for name in ("new", "old"))

    assert old == new
    assert len(new[0]) > 200


def test_a_new_store_in_postgres_is_like_one_that_was_upgraded(postgres_store: str) -> None:
    new = schema_of(postgres_store, POSTGRES)
    url, _, name = postgres_store.partition("schema=")
    with psycopg.connect(url.rstrip("?&"), autocommit=True) as admin:
        schema = sql.Identifier(name)
        for statement in (
            "SET client_min_messages = warning",
            sql.SQL("DROP SCHEMA {} CASCADE").format(schema),
            sql.SQL("CREATE SCHEMA {}").format(schema),
            sql.SQL("SET search_path = {}").format(schema),
            *MIGRATIONS[0],
            *VERSION,
        ):
            admin.execute(statement)  # type: ignore[arg-type]

    old = schema_of(postgres_store, POSTGRES)

    assert old == new
    assert len(new[0]) > 200
