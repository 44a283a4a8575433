"""A shard run by Dagster's daemon, which restarts it after its worker is killed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
import pytest
from tests.claims import expire_claims
from tests.pipelines.airflow import BIN, ROOT
from tests.pipelines.crm import FILL
from tests.pipelines.scheduler import wait_until
from typing_extensions import Self

from dlt_bunce.emulator import Behavior, Emulator

DEFINITIONS = ROOT / "pipelines" / "dagster_defs.py"
pytestmark = pytest.mark.filterwarnings("default")  # Dagster and dlt trigger warnings


@dataclass
class Daemon:
    """Dagster's daemon, which runs the queue during the `with` block."""

    home: Path
    environment: dict[str, str]

    def __enter__(self) -> Self:
        with (self.home / "daemon.log").open("wb") as log:
            self._process = subprocess.Popen(
                [BIN / "dagster-daemon", "run", "-f", DEFINITIONS],
                env=self.environment,
                cwd=self.home,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self

    def __exit__(self, *_: object) -> None:
        for process in (*self._below(), psutil.Process(self._process.pid)):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()

    def launch(self, job: str, partition: str) -> None:
        """Queue a run."""
        tags = json.dumps({"dagster/partition": partition})
        result = subprocess.run(
            [BIN / "dagster", "job", "launch", "-f", DEFINITIONS, "-j", job, "--tags", tags],
            env=self.environment,
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stderr

    def runs(self) -> list[str]:
        """Return the states of all runs, newest first."""
        import dagster as dg

        with dg.DagsterInstance.from_config(str(self.home)) as instance:
            return [run.status.value for run in instance.get_runs()]

    def at_work(self) -> list[psutil.Process]:
        """Return the processes of the run and of its step, which loads."""
        spawned = [child for child in self._below() if "spawn_main" in " ".join(child.cmdline())]
        steps = [child for child in spawned if child.parent() in spawned]
        return [found for step in steps for found in (step.parent(), step) if found is not None]

    def _below(self) -> list[psutil.Process]:
        return psutil.Process(self._process.pid).children(recursive=True)


@pytest.fixture
def daemon(tmp_path: Path, emulator: Emulator, postgres_url: str, postgres_store: str) -> Daemon:
    """A daemon that is not yet started, for a source with three days of customers."""
    with psycopg.connect(postgres_url) as connection:
        connection.execute(FILL)  # type: ignore[arg-type]
    home = tmp_path / "dagster"
    home.mkdir()
    shutil.copy(ROOT / "pipelines" / "deploy" / "dagster.yaml", home)
    settings = {
        "CRM_URL": postgres_url,
        "DAGSTER_HOME": str(home),
        "DESTINATION__BUNCE__CREDENTIALS__API_KEY": "sk_test_marked",
        "DESTINATION__BUNCE__BASE_URL": emulator.base_url,
        "DESTINATION__BUNCE__STORE_URL": postgres_store,
        "DESTINATION__BUNCE__REQUESTS_PER_MINUTE": "0",
        "BUNCE_SHARDS": "2",
    }
    return Daemon(home, {**os.environ, **settings})


def test_the_daemon_retries_a_shard_whose_worker_was_killed(
    daemon: Daemon, emulator: Emulator, postgres_store: str
) -> None:
    emulator.behavior = Behavior(rate_limit=0, latency_ms=200)
    daemon.launch("bunce_backfill_job", "1/2")
    with daemon:
        wait_until(lambda: len(emulator.customers) >= 300, seconds=240)
        for process in daemon.at_work():
            process.kill()
        before = len(emulator.customers)
        # the retry does not have the dead worker's files, so it waits until that worker's claims
        # expire, here in 20 seconds
        expire_claims(postgres_store, after_s=20)
        emulator.behavior = Behavior(rate_limit=0)
        wait_until(lambda: "SUCCESS" in daemon.runs(), seconds=300, every=1)
        runs = daemon.runs()

    print(f"killed after {before} of 2138 customers; runs: {runs}")
    assert runs == ["SUCCESS", "FAILURE"]
    assert before < 2138 == len(emulator.customers)
    # batches in flight when the process died are looked up, not sent again
    assert set(emulator.times_sent.values()) == {1}
