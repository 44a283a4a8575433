"""The DAGs run by Airflow's scheduler: several runs at once, and retries of killed workers."""

from __future__ import annotations

import shutil
from pathlib import Path

import psycopg
import pytest
from tests.claims import expire_claims
from tests.pipelines.airflow import Airflow
from tests.pipelines.scheduler import Scheduler, wait_until

from dlt_bunce.emulator import Behavior, Emulator

ENDED = {"success", "failed"}
# the customers of three days, changed within sixteen
SIXTEEN_DAYS = """
UPDATE customers SET updated_at = timestamptz '2026-11-02 03:00Z' + id * interval '320 seconds'
"""


@pytest.fixture
def _home(_new_home: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(_new_home, tmp_path / "airflow"))


@pytest.fixture
def _airflow_forks() -> None:
    """The scheduler starts and watches Pythons of its own."""


def test_the_scheduler_retries_shards_whose_workers_were_killed(
    airflow: Airflow, emulator: Emulator, postgres_store: str
) -> None:
    # slow enough that the first shard is still at work when the second begins
    emulator.behavior = Behavior(rate_limit=0, latency_ms=3000)
    scheduler = Scheduler(airflow, workers=2, dag="bunce_backfill")
    with scheduler.running("dags", "trigger", "bunce_backfill", "--conf", '{"shards": 2}'):
        wait_until(lambda: len(scheduler.at_work()) == 2, seconds=240, every=0.5)
        wait_until(lambda: len(emulator.customers) >= 300, seconds=60)
        supervised, orphaned = scheduler.at_work()
        supervisor = orphaned.parent()
        assert supervisor is not None
        # the supervisor reports the end of the first; the second misses its heartbeats
        for process in (supervised, supervisor, orphaned):
            process.kill()
        before = len(emulator.customers)
        # the retries wait until the claims of the dead workers expire, here in 20 seconds
        expire_claims(postgres_store, after_s=20)
        emulator.behavior = Behavior(rate_limit=0)
        wait_until(lambda: set(scheduler.states()) <= ENDED, seconds=400, every=0.5)
        states, tries = scheduler.states(), scheduler.tries("shard")

    print(f"killed after {before} of 4276 customers; tries of the shards: {tries}")
    assert (states, tries) == (["success"], [2, 2])
    assert before < 4276 == len(emulator.customers)
    # batches in flight when a process died are looked up, not sent again
    assert set(emulator.times_sent.values()) == {1}


def test_a_backfill_of_sixteen_days_is_well_at_the_first_try(
    airflow: Airflow, emulator: Emulator, postgres_url: str
) -> None:
    emulator.behavior = Behavior(rate_limit=0, latency_ms=100)
    with psycopg.connect(postgres_url) as connection:
        connection.execute(SIXTEEN_DAYS)
    scheduler = Scheduler(airflow, workers=4, dag="bunce_sync")
    days = ("--from-date", "2026-11-02", "--to-date", "2026-11-18")
    with scheduler.running("backfill", "create", "--dag-id", "bunce_sync", *days):
        wait_until(lambda: set(scheduler.states()) <= ENDED, seconds=400, every=0.5)
        states, tries = scheduler.states(), scheduler.tries("load")
        results = scheduler.results("load")

    assert (states, tries) == (["success"] * 16, [1] * 16)
    # 270 a day, and from the second on those of the hour before, which may be sent by either run
    assert sorted(result["read"] for result in results) == [270] + [281] * 15
    assert sum(result["created"] for result in results) == 4276 == len(emulator.customers)
    assert set(emulator.times_sent.values()) == {1}
