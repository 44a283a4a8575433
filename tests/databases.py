"""The same statements in any kind of database that customers are read from."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

import duckdb
import psycopg
from tests.mysql import mysql_execute

DATABASES = ("sqlite", "postgres", "mysql", "duckdb")


def database(kind: str, fixture: Callable[[str], str], statements: Sequence[str]) -> str:
    """A database of one of DATABASES in which these statements were run; its URL.

    `fixture` is the `getfixturevalue` of a test.
    """
    if kind == "postgres":
        url = fixture("postgres_url")
        with psycopg.connect(url) as client:
            for statement in statements:
                client.execute(statement)  # type: ignore[arg-type]
        return url
    if kind == "mysql":
        url = fixture("mysql_url")
        mysql_execute(url, statements)
        return url
    if kind == "duckdb":
        with duckdb.connect("w.duckdb") as warehouse:
            for statement in statements:
                warehouse.execute(statement)
        return "duckdb:///w.duckdb"
    with sqlite3.connect("s.sqlite") as lite:
        for statement in statements:
            lite.execute(statement)
    lite.close()
    return "sqlite:///s.sqlite"
