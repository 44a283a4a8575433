"""Several processes with the same customers at once: nobody is sent twice, and the newest wins."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from functools import partial

import pytest
from tests.forks import Forks

from dlt_bunce.emulator import Behavior, Emulator

ROWS = int(os.environ.get("DLT_BUNCE_TEST_RACE_ROWS", "32000"))
"""Customers of each process: several chunks, each of which all processes want."""

PROGRAM = """
import json, sys, dlt, pyarrow as pa
from dlt_bunce import bunce, flush_and_run
from dlt_bunce.errors import RowsDeferredError
name, base_url, store_url, rows, version = sys.argv[1:]
rows = int(rows)
ids = pa.array([f"c{i}" for i in range(rows)])
table = pa.table({
    "customer_id": ids,
    "email": [f"c{i}@example.com" for i in range(rows)],
    "first_name": [f"Ada {version}"] * rows,
    "last_name": ["Obi"] * rows,
    "phone_no": [f"+23481{i:08d}" for i in range(rows)],
    "updated_at": pa.array([int(version)] * rows),
})
pipeline = dlt.pipeline(name, pipelines_dir=name, destination=bunce(
    credentials="sk_test_x", base_url=base_url, store_url=store_url, requests_per_minute=0,
    mapping={"version": "updated_at"}))
print("ready", flush=True)
sys.stdin.readline()
for attempt in range(30):
    try:
        summary = flush_and_run(
            pipeline, dlt.resource(table, name="customers"), write_disposition="merge")
        break
    except RowsDeferredError as error:
        # as a scheduler would: the next run takes up what another process was sending
        print(error, file=sys.stderr)
print(json.dumps({k: v for k, v in summary.as_dict().items() if isinstance(v, int)}))
"""


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest) -> str:
    """A store_url of each engine."""
    if request.param == "sqlite":
        return "sqlite:///bunce.sqlite"
    return str(request.getfixturevalue("postgres_store"))


Race = Callable[..., list[dict[str, int]]]


@pytest.fixture
def race(store: str, emulator: Emulator, loading: Forks) -> Race:
    """Load the same customers from a process for each version; return what each counted."""
    return partial(_race, store, emulator, loading)


def _race(
    store_url: str, emulator: Emulator, loading: Forks, versions: Sequence[int], rows: int = ROWS
) -> list[dict[str, int]]:
    started = time.monotonic()
    where = [emulator.base_url, store_url, str(rows)]
    running = [
        subprocess.Popen(
            loading.python(PROGRAM, f"worker{number}", *where, str(version)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number, version in enumerate(versions)
    ]
    # they begin at once, and not as their imports end
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in running:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    done = [process.communicate(timeout=3_000) for process in running]
    assert all(out for out, _ in done), [errors[-2000:] for _, errors in done]
    counts: list[dict[str, int]] = [json.loads(out) for out, _ in done]
    print(
        f"\n{len(versions)} processes, {rows:,} rows each, {store_url.partition(':')[0]}: "
        f"created {[count['created'] for count in counts]}, {len(emulator.requests):,} requests, "
        f"{time.monotonic() - started:.0f} s"
    )
    return counts


@pytest.mark.parametrize("processes", [2, 8])
def test_processes_with_the_same_rows_send_nobody_twice(
    emulator: Emulator, race: Race, processes: int
) -> None:
    emulator.behavior = Behavior(rate_limit=0, latency_ms=20)

    counts = race([1] * processes)

    assert set(emulator.times_sent.values()) == {1}
    assert len(emulator.customers) == ROWS
    assert sum(count["created"] for count in counts) == ROWS
    for count in counts:
        assert ROWS == count["read"] == count["created"] + count["unchanged"] + count["adopted"]


def test_the_newest_version_wins_whoever_comes_first(emulator: Emulator, race: Race) -> None:
    emulator.behavior = Behavior(rate_limit=0, latency_ms=20)

    counts = race([2, 3, 1], rows=2_000)

    assert {sent["first_name"] for sent in emulator.customers.values()} == {"Ada 3"}
    assert {count["read"] for count in counts} == {2_000}
    settled = ("created", "updated", "adopted", "unchanged", "superseded")
    assert {sum(count[fate] for fate in settled) for count in counts} == {2_000}
