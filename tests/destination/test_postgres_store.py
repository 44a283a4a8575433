"""The same story with the store in Postgres."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import dlt
import psycopg

from dlt_bunce import run_summary
from dlt_bunce.emulator import Behavior, Emulator

from .conftest import MakePipeline, customer
from .test_replay import replayed


def test_a_first_load_a_second_one_an_update_and_a_replay(
    make: MakePipeline, emulator: Emulator, postgres_store: str
) -> None:
    pipeline = make(store_url=postgres_store)
    rows = [customer(n) for n in range(50)]
    rows[7]["phone_no"] = "0803 000 0000"
    rows[9]["email"] = "c8@example.com"

    def load() -> Any:
        pipeline.run(rows, table_name="customers", write_disposition="merge")
        return run_summary(pipeline)

    first, second = load(), load()
    rows[1]["first_name"] = "New"
    third = load()
    replay = replayed(
        emulator,
        codes=["invalid_phone_no"],
        settings={"store_url": postgres_store, "default_region": "NG"},
    ).summary

    assert (50, 48, 2) == (first.read, first.created, first.rejected)
    assert (48, 2, 0) == (second.unchanged, second.held, second.bulk_requests)
    assert (47, 2, 1) == (third.unchanged, third.held, third.updated)
    assert (1, 1) == (replay.read, replay.created)
    assert {f"c{n}": 1 for n in range(50)} == emulator.times_sent
    assert not list(Path().glob("*.sqlite*"))


def test_the_cursor_survives_the_loss_of_the_working_folder(
    make: MakePipeline, postgres_store: str
) -> None:
    @dlt.resource(name="customers")
    def changed(cursor: Any = dlt.sources.incremental("v", initial_value=0)) -> Any:
        read.append(cursor.last_value)
        yield [customer(n, v=n) for n in range(5)]

    read: list[int] = []
    pipeline = make(store_url=postgres_store)
    pipeline.run(changed())
    pipeline.drop()
    make(store_url=postgres_store).run(changed())

    assert [0, 4] == read


def test_a_dry_run_makes_no_store(make: MakePipeline, postgres_store: str) -> None:
    pipeline = make(store_url=postgres_store, dry_run=True)

    pipeline.run([customer(1), customer(2, email="bad")], table_name="customers")

    assert (1, 1) == (run_summary(pipeline).created, run_summary(pipeline).rejected)
    schema = postgres_store.rpartition("schema=")[2]
    with psycopg.connect(postgres_store.replace("&schema", "&application_name")) as other:
        assert (True,) == other.execute("SELECT to_regnamespace(%s) IS NULL", (schema,)).fetchone()


def race(store_url: str, emulator: Emulator, workers: int, rows: int) -> list[dict[str, int]]:
    """Loads the same customers from several processes at once; what each of them counted."""
    program = f"""
import json, sys, dlt, pyarrow as pa
from dlt_bunce import bunce, flush_and_run
name = sys.argv[1]
n = pa.array(range({rows}), pa.int64())
text = [f"c{{i}}" for i in range({rows})]
table = pa.table({{"customer_id": text, "email": [t + "@example.com" for t in text],
    "first_name": ["Ada"] * {rows}, "last_name": ["Obi"] * {rows},
    "phone_no": [f"+23481{{i:08d}}" for i in range({rows})]}})
pipeline = dlt.pipeline(name, pipelines_dir=name, destination=bunce(
    credentials="sk_test_x", base_url={emulator.base_url!r}, store_url={store_url!r},
    requests_per_minute=0))
summary = None
for attempt in range(5):
    try:
        summary = flush_and_run(pipeline, dlt.resource(table, name="customers"),
            write_disposition="merge")
        break
    except Exception as error:
        print(type(error).__name__, error, file=sys.stderr)
print(json.dumps({{k: v for k, v in summary.as_dict().items() if isinstance(v, int)}}))
"""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", program, f"worker{number}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(workers)
    ]
    done = [process.communicate(timeout=300) for process in running]
    assert all(out for out, _ in done), [errors[-2000:] for _, errors in done]
    return [json.loads(out) for out, _ in done]


def test_two_processes_with_the_same_rows_send_nobody_twice(
    emulator: Emulator, postgres_store: str
) -> None:
    check_race(race(postgres_store, emulator, workers=2, rows=5_000), emulator, 5_000)


def test_two_processes_share_an_embedded_store_too(emulator: Emulator) -> None:
    emulator.behavior = Behavior(rate_limit=0, latency_ms=20)
    check_race(race("sqlite:///bunce.sqlite", emulator, workers=2, rows=5_000), emulator, 5_000)


def check_race(counts: list[dict[str, int]], emulator: Emulator, rows: int) -> None:
    """Everybody arrived once, and the counts of all runs together say so."""
    assert {1} == set(emulator.times_sent.values())
    assert rows == len(emulator.customers)
    assert rows == sum(one["created"] for one in counts)
    for one in counts:
        assert rows == one["read"] == one["created"] + one["unchanged"] + one["adopted"]
