"""Shards of a table: every row lies in exactly one, whenever each starts, and whatever comes."""

from __future__ import annotations

import sqlite3
import threading
from datetime import datetime, timezone
from itertools import pairwise
from math import inf
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.mysql import mysql_execute

from dlt_bunce.errors import SourceError
from dlt_bunce.sources import Shard, plan_shards, shard_source
from dlt_bunce.sources.shard_keys import _positions
from dlt_bunce.store.database import Database

from .conftest import IDS, KINDS, STORE, Make, fill_duckdb, fill_postgres, read, write_files

LATER: dict[str, list[Any]] = {
    "bigint": [-5, 4, 10_000],
    "text": ["", "b-010x", "ÿ"],
    "uuid": [UUID(int=1), UUID(int=7 * 2**119), UUID(int=2**128 - 1)],
    "timestamptz": [
        datetime(1970, 1, 1, tzinfo=timezone.utc),
        datetime(2026, 11, 7, 1, tzinfo=timezone.utc),
        datetime(2970, 1, 1, tzinfo=timezone.utc),
    ],
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("type_", IDS)
def test_every_row_of_a_table_lies_in_one_shard_although_the_table_grows(
    make: Make, postgres_url: str, kind: str, type_: str
) -> None:
    database, _, what = kind.partition(" ")
    fill = fill_postgres if database == "postgres" else fill_duckdb
    url = postgres_url if database == "postgres" else "duckdb:///warehouse.duckdb"
    options = {"table": "people"} if what == "table" else {"query": "SELECT * FROM people;"}
    ids = [*IDS[type_], None, None]
    fill(postgres_url, ids, type_)

    first = read(make, url, "2/4", key="id", **options)
    fill(postgres_url, LATER[type_], type_)
    rest = {s: read(make, url, s, key="id", **options) for s in ("1/4", "3/4", "4/4")}

    # dlt reads a uuid as text
    parts = [[str(value) for value in part] for part in (first, *rest.values())]
    expected = [str(value) for value in (*ids, *LATER[type_])]
    later = {str(value) for value in LATER[type_]}
    # what came into the second shard after it was read is left to the next run
    missed = set(expected) - {value for part in parts for value in part}
    assert missed <= later
    assert missed <= {str(v) for v in read(make, url, "2/4", key="id", **options)}
    found = sorted(value for part in parts for value in part)
    assert found == sorted(value for value in expected if value not in missed)
    assert all(10 <= len(part) <= 18 for part in parts)
    assert rest["1/4"].count(None) == 2


CASES = [letter + case for letter in "aäbcßde" for case in ("x", "X", "x ", "Xx")] * 2
BLIND = {
    "mysql": "VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
    "mysql unicode": "VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci",
    "sqlite": "TEXT COLLATE NOCASE",
    "duckdb": "TEXT COLLATE NOCASE.NOACCENT",
    "postgres": "TEXT",
}


@pytest.mark.parametrize("options", [{"table": "people"}, {"query": "SELECT * FROM people"}])
@pytest.mark.parametrize("kind", BLIND)
def test_texts_are_compared_as_the_database_compares_them(
    make: Make, request: pytest.FixtureRequest, kind: str, options: dict[str, str]
) -> None:
    database = kind.partition(" ")[0]
    insert, rows = "INSERT INTO people VALUES (?, 'x')", [(case,) for case in CASES]
    if database == "mysql":
        url = request.getfixturevalue("mysql_url")
        create = f"CREATE TABLE people (id {BLIND[kind]}, note TEXT)"
        mysql_execute(url, [create, insert.replace("?", "%s")], rows)
    elif database == "sqlite":
        url = "sqlite:///s.sqlite"
        with sqlite3.connect("s.sqlite") as link:
            link.execute(f"CREATE TABLE people (id {BLIND[kind]}, note TEXT)")
            link.executemany(insert, rows)
        link.close()
    else:
        url = "duckdb:///warehouse.duckdb"
        fill = fill_duckdb
        if database == "postgres":
            url, fill = request.getfixturevalue("postgres_url"), fill_postgres
        fill(url, CASES, BLIND[kind])

    parts = [read(make, url, f"{n}/5", key="id", **options) for n in range(1, 6)]

    assert sorted(CASES) == sorted(value for part in parts for value in part)
    assert sum(map(bool, parts)) >= 4


def test_a_shard_reads_its_own_range_of_the_index(make: Make, postgres_url: str) -> None:
    fill_postgres(postgres_url, list(range(20_000)), "bigint")
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE people")
        plan_shards(make(), postgres_url, 8, table="people", key="id")
        wait_for_sessions_to_end(connection)
        connection.execute("SELECT pg_stat_reset()")

        assert len(read(make, postgres_url, "3/8", table="people", key="id")) == 2_500

        wait_for_sessions_to_end(connection)
        [found] = connection.execute(
            "SELECT seq_scan, idx_tup_fetch FROM pg_stat_user_tables WHERE relname = 'people'"
        )
    assert found == (0, 2_500)


def wait_for_sessions_to_end(connection: psycopg.Connection[Any]) -> None:
    """Wait until no other session is left: what each has read is told when it has ended."""
    for _ in range(100):
        [(others,)] = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        if not others:
            return
        threading.Event().wait(0.1)
    raise AssertionError("a session does not end")


def test_shards_that_start_at_once_agree(make: Make, postgres_url: str) -> None:
    fill_postgres(postgres_url, list(range(300)), "bigint")
    at_once = threading.Barrier(4)
    sources: dict[str, Any] = {}

    def run(shard: str, more: int) -> None:
        pipeline = make(Shard.parse(shard).pipeline_name("backfill"))
        at_once.wait()
        sources[shard] = shard_source(pipeline, postgres_url, shard, table="people", key="id")
        # whoever is still to look now would find other bounds
        with psycopg.connect(postgres_url) as connection:
            connection.execute("INSERT INTO people VALUES (%s, 'x')", [more])

    with Database(STORE):
        pass
    threads = [threading.Thread(target=run, args=(f"{n}/4", 299 + n)) for n in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tables = [table for source in sources.values() for table in source]
    found = [value for table in tables for value in table.column("id").to_pylist()]
    assert list(range(304)) == sorted(found)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_fewer_rows_than_shards(make: Make, postgres_url: str, count: int) -> None:
    fill_postgres(postgres_url, list(range(count)), "bigint")

    parts = [read(make, postgres_url, f"{n}/5", table="people", key="id") for n in range(1, 6)]

    assert list(range(count)) == sorted(value for part in parts for value in part)


@pytest.mark.parametrize("type_", ["date", "datetime", "uuid"])
def test_a_key_is_compared_as_sqlite_keeps_it_whatever_type_is_declared(
    make: Make, type_: str
) -> None:
    keys = [f"2026-11-{n + 1:02d}T00:00:00Z" for n in range(20)]
    with sqlite3.connect("s.sqlite") as link:
        link.execute(f"CREATE TABLE people (id {type_}, note TEXT)")
        link.executemany("INSERT INTO people VALUES (?, 'x')", [(key,) for key in [*keys, None]])
    link.close()
    url, options = "sqlite:///s.sqlite", {"table": "people", "key": "id"}

    first, *rest = (read(make, url, f"{n}/4", **options) for n in range(1, 5))

    assert [len(part) for part in (first, *rest)] == [6, 5, 5, 5]
    assert {None, *keys} == {value for part in (first, *rest) for value in part}


def test_an_infinite_key_is_in_one_shard_or_refused(make: Make, postgres_url: str) -> None:
    fill_postgres(postgres_url, [1.5, inf, inf, -inf, 2.5], "float8")

    parts = [read(make, postgres_url, f"{n}/2", table="people", key="id") for n in (1, 2)]

    assert sorted(value for part in parts for value in part) == [-inf, 1.5, 2.5, inf, inf]
    with pytest.raises(SourceError, match="it contains float values that are infinite, or NaN"):
        plan_shards(make(), postgres_url, 4, table="people", key="id")


@given(count=st.integers(0, 2_000), parts=st.integers(1, 64))
def test_parts_begin_at_even_distances(count: int, parts: int) -> None:
    edges = [1, *_positions(count, parts), count + 1]

    sizes = [after - before for before, after in pairwise(edges)]
    assert count == sum(sizes)
    assert all(size >= 1 for size in sizes) or not count
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("text", ["", "2", "0/4", "5/4", "a/b", "-1/2", "1/2/3", "1.5/2", "1/0"])
def test_what_is_no_shard(text: str) -> None:
    with pytest.raises(SourceError, match="Write 2/8 for the second of eight"):
        Shard.parse(text)


@pytest.mark.parametrize("of", [0, -1])
def test_a_plan_has_at_least_one_shard(make: Make, of: int) -> None:
    write_files("a", groups=1)

    with pytest.raises(SourceError, match=f"cannot be divided into {of} shards"):
        plan_shards(make(), "exports", of)


def test_a_database_needs_a_key_and_files_take_none(make: Make, postgres_url: str) -> None:
    fill_postgres(postgres_url, [1], "bigint")
    write_files("a", groups=1)

    with pytest.raises(SourceError, match="--shard-key"):
        shard_source(make(), postgres_url, "1/2", table="people")
    with pytest.raises(SourceError, match="Column 'nope', which selects"):
        shard_source(make(), postgres_url, "1/2", table="people", key="nope")
    with pytest.raises(SourceError, match="cannot be used with files"):
        shard_source(make(), "exports", "1/2", key="id")
