"""The backfill by Airflow's own scheduler: a worker is killed, and nobody has to look after it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.pipelines.airflow import Airflow
from tests.pipelines.scheduler import Scheduler, wait_until

from dlt_bunce.emulator import Behavior, Emulator


@pytest.fixture
def _home(tmp_path: Path) -> Path:
    home = tmp_path / "airflow"
    home.mkdir()
    Airflow(home).run("db", "migrate")
    return home


@pytest.mark.parametrize("with_its_watcher", [False, True], ids=["task", "task and watcher"])
def test_the_scheduler_repeats_a_shard_whose_worker_was_killed(
    airflow: Airflow, emulator: Emulator, with_its_watcher: bool
) -> None:
    emulator.behavior = Behavior(rate_limit=0, latency_ms=200)
    scheduler = Scheduler(airflow, workers=2)
    with scheduler.running():
        scheduler.trigger('{"shards": 2}')
        wait_until(lambda: len(emulator.customers) >= 300, seconds=240)
        victim = scheduler.at_work()[0]
        if with_its_watcher:
            victim.parent().kill()
        victim.kill()
        before = len(emulator.customers)
        emulator.behavior = Behavior(rate_limit=0)
        wait_until(lambda: scheduler.state() in {"success", "failed"}, seconds=400)
        state, tries = scheduler.state(), sorted(scheduler.tries().values())

    print(f"killed after {before} of 4276 customers; tries of the shards: {tries}")
    assert ("success", [1, 2]) == (state, tries)
    assert before < 4276 == len(emulator.customers)
    # what was in flight when the process died is looked up, not sent again
    assert {1} == set(emulator.times_sent.values())
