"""The backfill run by Airflow's scheduler, which retries shards whose workers are killed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.claims import expire_claims
from tests.pipelines.airflow import Airflow
from tests.pipelines.scheduler import Scheduler, wait_until

from dlt_bunce.emulator import Behavior, Emulator


@pytest.fixture
def _home(_new_home: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(_new_home, tmp_path / "airflow"))


@pytest.fixture
def _airflow_forks() -> None:
    """The scheduler starts and watches Pythons of its own."""


def test_the_scheduler_retries_shards_whose_workers_were_killed(
    airflow: Airflow, emulator: Emulator, postgres_store: str
) -> None:
    emulator.behavior = Behavior(rate_limit=0, latency_ms=1000)
    scheduler = Scheduler(airflow, workers=2)
    with scheduler.running():
        scheduler.trigger('{"shards": 2}')
        wait_until(lambda: len(emulator.customers) >= 300, seconds=240)
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
        wait_until(lambda: scheduler.state() in {"success", "failed"}, seconds=400, every=0.5)
        state, tries = scheduler.state(), sorted(scheduler.tries().values())

    print(f"killed after {before} of 4276 customers; tries of the shards: {tries}")
    assert (state, tries) == ("success", [2, 2])
    assert before < 4276 == len(emulator.customers)
    # batches in flight when a process died are looked up, not sent again
    assert set(emulator.times_sent.values()) == {1}
