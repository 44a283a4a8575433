"""Shards: every row lies in exactly one, whenever each starts, and whatever comes meanwhile."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import dlt
import duckdb
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.mysql import mysql_execute

from dlt_bunce import bunce, bunce_adapter
from dlt_bunce.emulator import Emulator
from dlt_bunce.errors import SourceError
from dlt_bunce.operations.flush import flush_and_run
from dlt_bunce.sources import Range, Shard, from_database, plan_shards, shard_source
from dlt_bunce.sources.shard_keys import _positions
from dlt_bunce.store.database import Database

STORE = "sqlite:///bunce.sqlite"
Make = Callable[..., dlt.Pipeline]


@pytest.fixture
def make(emulator: Emulator) -> Make:
    """Makes a pipeline into the emulator."""

    def make(name: str = "backfill", **settings: Any) -> dlt.Pipeline:
        settings = {"store_url": STORE} | settings
        given = {"credentials": "sk_test_x", "base_url": emulator.base_url} | settings
        return dlt.pipeline(name, destination=bunce(requests_per_minute=0, **given))

    return make


def read(make: Make, location: str, shard: str, **options: Any) -> list[Any]:
    """The ids of a shard, in order; each shard as a process of its own would."""
    one = Shard.parse(shard)
    pipeline = make(one.pipeline_name("backfill"))
    resource = shard_source(pipeline, location, shard, **options)
    return [value for table in resource for value in table.column("id").to_pylist()]


def fill_postgres(url: str, ids: list[Any], kind: str) -> None:
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE IF NOT EXISTS people (id {kind}, note text)")  # type: ignore[arg-type]
        cursor.execute("CREATE INDEX IF NOT EXISTS people_id ON people (id)")
        cursor.executemany("INSERT INTO people VALUES (%s, 'x')", [(value,) for value in ids])


def fill_duckdb(_url: str, ids: list[Any], kind: str) -> None:
    with duckdb.connect("warehouse.duckdb") as warehouse:
        warehouse.execute(f"CREATE TABLE IF NOT EXISTS people (id {kind}, note text)")
        for value in ids:
            warehouse.execute("INSERT INTO people VALUES (?, 'x')", [value])


IDS: dict[str, list[Any]] = {
    "bigint": [3 * n for n in range(50)],
    "text": [f"{'Ab%'[n % 3]}-{n:03d}" for n in range(50)],
    "uuid": [UUID(int=n * 2**120) for n in range(50)],
    "timestamptz": [datetime(2026, 11, 1, tzinfo=timezone.utc) + timedelta(n) for n in range(50)],
}
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
KINDS = ["postgres table", "postgres query", "duckdb table", "duckdb query"]


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
    others = {s: read(make, url, s, key="id", **options) for s in ("1/4", "3/4", "4/4")}

    # dlt reads a uuid as text
    parts = [[str(value) for value in part] for part in (first, *others.values())]
    expected = [str(value) for value in (*ids, *LATER[type_])]
    later = {str(value) for value in LATER[type_]}
    # what came into the second shard after it was read is left to the next run
    missed = set(expected) - {value for part in parts for value in part}
    assert missed <= later
    assert missed <= {str(v) for v in read(make, url, "2/4", key="id", **options)}
    found = sorted(value for part in parts for value in part)
    assert found == sorted(value for value in expected if value not in missed)
    assert all(10 <= len(part) <= 18 for part in parts)
    assert others["1/4"].count(None) == 2


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
        connection.execute("SELECT pg_stat_reset()")

        assert len(read(make, postgres_url, "3/8", table="people", key="id")) == 2_500

        def statistics() -> tuple[Any, ...]:
            (found,) = connection.execute(
                "SELECT seq_scan, idx_tup_fetch FROM pg_stat_user_tables WHERE relname = 'people'"
            )
            return found

        # what a session has read is told when it has ended
        for _ in range(100):
            if statistics() != (0, 0):
                break
            threading.Event().wait(0.1)
        assert statistics() == (0, 2_500)


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

    found = [value for one in sources.values() for t in one for value in t.column("id").to_pylist()]
    assert list(range(304)) == sorted(found)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_fewer_rows_than_shards(make: Make, postgres_url: str, count: int) -> None:
    fill_postgres(postgres_url, list(range(count)), "bigint")

    parts = [read(make, postgres_url, f"{n}/5", table="people", key="id") for n in range(1, 6)]

    assert list(range(count)) == sorted(value for part in parts for value in part)


@given(count=st.integers(0, 2_000), parts=st.integers(1, 64))
def test_parts_begin_at_even_distances(count: int, parts: int) -> None:
    edges = [1, *_positions(count, parts), count + 1]

    sizes = [after - before for before, after in pairwise(edges)]
    assert count == sum(sizes)
    assert all(size >= 1 for size in sizes) or not count
    assert max(sizes) - min(sizes) <= 1


def write_files(*names: str, groups: int, rows: int = 10) -> None:
    Path("exports").mkdir(exist_ok=True)
    for name in names:
        ids = [f"{name}-{n}" for n in range(groups * rows)]
        pq.write_table(pa.table({"id": ids}), f"exports/{name}.parquet", row_group_size=rows)


@pytest.mark.parametrize(("files", "groups"), [(1, 16), (8, 1), (3, 5), (1, 1)])
def test_every_row_group_lies_in_one_shard(make: Make, files: int, groups: int) -> None:
    names = [f"f{n}" for n in range(files)]
    write_files(*names, groups=groups)

    parts = [read(make, "exports/*.parquet", f"{n}/4") for n in range(1, 5)]

    expected = {f"{name}-{n}" for name in names for n in range(10 * groups)}
    assert expected == {value for part in parts for value in part}
    assert len(expected) == sum(len(part) for part in parts)
    assert max(map(len, parts)) - min(map(len, parts)) <= 10


def test_files_that_come_between_two_shards_move_no_other(make: Make) -> None:
    write_files("b", "d", groups=2)
    first = read(make, "exports", "1/2")
    write_files("a", "c", groups=1)
    second = read(make, "exports", "2/2")
    again = read(make, "exports", "1/2")

    assert len(first) == 20
    assert not set(first) & set(second)
    assert len({*second, *again}) == 60
    assert len(second) + len(again) == 60


def test_shards_of_one_bucket(make: Make, s3: Any) -> None:
    write_files("f1", "f2", groups=2)
    for file in Path("exports").iterdir():
        s3.put(file, f"crm/{file.name}")

    parts = [read(make, f"s3://{s3.name}/crm/", f"{n}/2") for n in (1, 2)]

    assert [len(part) for part in parts] == [20, 20]
    assert not set(parts[0]) & set(parts[1])


def customers(numbers: range) -> list[dict[str, Any]]:
    return [
        {
            "id": n,
            "email": f"c{n}@example.com",
            "first_name": "Ada",
            "last_name": "Obi",
            "phone_no": f"+23481{n:08d}",
        }
        for n in numbers
    ]


def test_overlapping_and_repeated_shards_send_nobody_twice(make: Make, emulator: Emulator) -> None:
    Path("exports").mkdir()
    table = pa.Table.from_pylist(customers(range(400)))
    pq.write_table(table, "exports/all.parquet", row_group_size=50)

    def load(shard: str, name: str) -> Any:
        pipeline = make(name)
        return flush_and_run(pipeline, bunce_adapter(shard_source(pipeline, "exports", shard)))

    halves = [load("1/2", "a"), load("2/2", "b")]
    overlapping = [load(f"{n}/3", f"c{n}") for n in range(1, 4)]
    again = load("1/2", "a")

    assert [one.created for one in halves] == [200, 200]
    assert sum(one.unchanged for one in overlapping) == 400
    assert (again.unchanged, again.bulk_requests) == (200, 0)
    assert {f"{n}": 1 for n in range(400)} == emulator.times_sent


def test_a_dry_run_of_a_shard_keeps_no_plan(make: Make) -> None:
    write_files("a", groups=2)

    shard_source(make(dry_run=True), "exports", "1/2")

    assert not Path("bunce.sqlite").exists()


@pytest.mark.parametrize("text", ["", "2", "0/4", "5/4", "a/b", "-1/2", "1/2/3", "1.5/2", "1/0"])
def test_what_is_no_shard(text: str) -> None:
    with pytest.raises(SourceError, match="Write 2/8 for the second of eight"):
        Shard.parse(text)


def test_a_database_needs_a_key_and_files_take_none(make: Make, postgres_url: str) -> None:
    fill_postgres(postgres_url, [1], "bigint")
    write_files("a", groups=1)

    with pytest.raises(SourceError, match="--shard-key"):
        shard_source(make(), postgres_url, "1/2", table="people")
    with pytest.raises(SourceError, match="Column 'nope', which selects"):
        shard_source(make(), postgres_url, "1/2", table="people", key="nope")
    with pytest.raises(SourceError, match="cannot be used with files"):
        shard_source(make(), "exports", "1/2", key="id")


@pytest.mark.parametrize("kind", KINDS)
def test_an_interval_is_read_without_its_end(postgres_url: str, kind: str) -> None:
    database, _, what = kind.partition(" ")
    fill = fill_postgres if database == "postgres" else fill_duckdb
    url = postgres_url if database == "postgres" else "duckdb:///warehouse.duckdb"
    options = {"table": "people"} if what == "table" else {"query": "SELECT * FROM people"}
    days = IDS["timestamptz"]
    fill(postgres_url, [*days, None], "timestamptz")

    found = from_database(url, ranges=[Range("id", days[10], days[12])], **options)

    assert [*days[10:12], None] == [v for t in found for v in t.column("id").to_pylist()]
