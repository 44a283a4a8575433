"""Pipelines into the emulator, the ids of their shards, and tables and files to read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import UUID

import dlt
import duckdb
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dlt_bunce import bunce
from dlt_bunce.emulator import Emulator
from dlt_bunce.sources import Shard, shard_source

STORE = "sqlite:///bunce.sqlite"
KINDS = ["postgres table", "postgres query", "duckdb table", "duckdb query"]
IDS: dict[str, list[Any]] = {
    "bigint": [3 * n for n in range(50)],
    "text": [f"{'Ab%'[n % 3]}-{n:03d}" for n in range(50)],
    "uuid": [UUID(int=n * 2**120) for n in range(50)],
    "timestamptz": [datetime(2026, 11, 1, tzinfo=timezone.utc) + timedelta(n) for n in range(50)],
}
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
    pipeline = make(Shard.parse(shard).pipeline_name("backfill"))
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


def write_files(*names: str, groups: int, rows: int = 10) -> None:
    Path("exports").mkdir(exist_ok=True)
    for name in names:
        ids = [f"{name}-{n}" for n in range(groups * rows)]
        pq.write_table(pa.table({"id": ids}), f"exports/{name}.parquet", row_group_size=rows)
