"""The DAGs, run by Airflow: real tasks, a real metadata database, and the store in Postgres."""

from __future__ import annotations

import os
import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.claims import expire_claims
from tests.pipelines.airflow import ROOT, Airflow
from tests.postgres import PASSWORD

from dlt_bunce.emulator import Behavior, Emulator

TEST = """
import json
from airflow.dag_processing.dagbag import DagBag
import pendulum
dag = DagBag({dags!r}).dags[{dag!r}]
runs = []
for day in {days!r}:
    run = dag.test(logical_date=pendulum.parse(day), run_conf={conf!r})
    tasks = run.get_task_instances()
    runs.append({{
        "state": str(run.state),
        "tasks": {{f"{{t.task_id}} {{t.map_index}}": str(t.state) for t in tasks}},
        "results": {{
            f"{{t.task_id}} {{t.map_index}}": t.xcom_pull(
                task_ids=t.task_id, map_indexes=t.map_index, key="return_value"
            )
            for t in tasks
        }},
    }})
print(json.dumps(runs, default=str))
"""


def run(
    airflow: Airflow, dag: str, *days: str, dags: Path = ROOT / "pipelines", **conf: Any
) -> list[dict[str, Any]]:
    """Run a DAG for each day; return the state, task states, and task results of each run."""
    found = airflow.python(TEST.format(dags=str(dags), dag=dag, days=days, conf=conf))
    assert isinstance(found, list)
    return found


def test_the_file_is_parsed_without_connections_or_heavy_imports() -> None:
    program = """
import json, sys, time
import airflow.sdk
opened = []
connects = ("socket.connect", "sqlite3.connect")
sys.addaudithook(lambda event, args: event in connects and opened.append(event))
started = time.process_time()
import airflow_dag
seconds = time.process_time() - started
heavy = {"dlt", "dlt_bunce", "pyarrow", "requests"} & (set(sys.modules) - before)
print(json.dumps([seconds, opened, sorted(heavy)]))
"""
    before = "import sys; import airflow.sdk; before = set(sys.modules)\n"
    airflow = Airflow(Path.cwd(), {}, {"PYTHONPATH": str(ROOT / "pipelines")})

    seconds, opened, heavy = airflow.python(before + program)

    print(f"parsed in {seconds:.2f} s of CPU")
    assert (opened, heavy) == ([], [])


def test_each_interval_loads_its_customers_and_a_cleared_one_sends_nothing(
    airflow: Airflow, emulator: Emulator
) -> None:
    days = ["2026-11-04", "2026-11-05", "2026-11-04"]

    first, second, again = (r["results"]["load -1"] for r in run(airflow, "bunce_sync", *days))

    # 1440 per day; the 60 of the overlap are read again, in case some were committed late
    assert (first["read"], first["created"], first["rejected"]) == (1440, 1425, 15)
    assert tuple(second[name] for name in ("read", "created", "unchanged", "held")) == (
        1500,
        1426,
        59,
        1,
    )
    assert tuple(again[name] for name in ("read", "unchanged", "held", "bulk_requests")) == (
        1440,
        1425,
        15,
        0,
    )
    assert set(emulator.times_sent.values()) == {1}


def test_too_many_rejected_rows_fail_the_task_after_everything_is_recorded(
    airflow: Airflow, emulator: Emulator
) -> None:
    # dlt's default: it looks up each setting among Airflow's variables, too
    airflow.environment["PROVIDERS__ENABLE_AIRFLOW_SECRETS"] = "true"
    [result] = run(airflow, "bunce_sync", "2026-11-04", max_reject_share=0.001)

    assert (result["state"], result["tasks"]["load -1"]) == ("failed", "failed")
    assert 1425 == result["results"]["load -1"]["created"] == len(emulator.customers)


@pytest.mark.parametrize("place", ["environment", "config.toml"])
def test_a_configured_threshold_fails_the_task_without_a_retry_after_everything_is_recorded(
    airflow: Airflow, emulator: Emulator, place: str
) -> None:
    if place == "environment":
        airflow.environment["DESTINATION__BUNCE__MAX_REJECT_COUNT"] = "14"
    else:
        settings = "[destination.bunce]\nmax_reject_count = 14\n"
        Path("config.toml").write_text(settings, "utf-8")

    [result] = run(airflow, "bunce_sync", "2026-11-04")

    assert result["tasks"]["load -1"] == "failed"
    found = result["results"]["load -1"]
    assert 1425 == found["created"] == len(emulator.customers)
    assert list(found["over_thresholds"]) == ["max_reject_count"]


def test_a_backfill_in_shards_adds_up(airflow: Airflow, emulator: Emulator) -> None:
    [result] = run(airflow, "bunce_backfill", "2026-11-04", shards=3)

    assert result["state"] == "success", result
    total, shards = (
        result["results"]["summary -1"],
        [result["results"][f"shard {number}"] for number in range(3)],
    )
    assert (total["read"], total["created"], total["rejected"]) == (4320, 4276, 44)
    assert [shard["read"] for shard in shards] == [1440] * 3
    assert total["reject_codes"] == {"invalid_email": 44}
    assert len(emulator.customers) == 4276
    assert set(emulator.times_sent.values()) == {1}


def test_two_backfills_at_once_are_both_well_at_the_first_try(
    airflow: Airflow, emulator: Emulator, tmp_path: Path
) -> None:
    emulator.behavior = Behavior(rate_limit=0, latency_ms=100)
    # a metadata database for each: SQLite serves one writer at a time
    homes = [Path(shutil.copytree(airflow.home, tmp_path / str(number))) for number in range(2)]
    both = [replace(airflow, home=home) for home in homes]
    with ThreadPoolExecutor() as pool:
        runs = list(
            pool.map(lambda home: run(home, "bunce_backfill", "2026-11-04", shards=2)[0], both)
        )

    assert [backfill["state"] for backfill in runs] == ["success", "success"]
    totals = [backfill["results"]["summary -1"] for backfill in runs]
    assert [total["read"] for total in totals] == [4320, 4320]
    assert 4276 == sum(total["created"] for total in totals) == len(emulator.customers)
    assert set(emulator.times_sent.values()) == {1}


def test_a_killed_backfill_is_resumed_by_the_next_try(
    airflow: Airflow, emulator: Emulator, postgres_store: str
) -> None:
    emulator.behavior = Behavior(rate_limit=0, latency_ms=200)
    backfill = ("dags", "test", "bunce_backfill", "2026-11-04", "--conf", '{"shards": 2}')
    process = airflow.start(*backfill)
    deadline = time.monotonic() + 240
    while len(emulator.customers) < 300 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    output, _ = process.communicate()
    before = len(emulator.customers)
    emulator.behavior = Behavior(rate_limit=0)
    # as after three minutes, when the killed worker's claims have expired
    expire_claims(postgres_store)

    airflow.run(*backfill)

    print(f"killed after {before} of 4276 customers")
    assert 300 <= before < 4276, output
    assert len(emulator.customers) == 4276
    # a batch in flight when the process died is looked up, not sent again
    assert set(emulator.times_sent.values()) == {1}


def test_the_summary_of_a_failed_plan_says_that_the_plan_failed(
    airflow: Airflow, emulator: Emulator
) -> None:
    conf = '{"key": "nowhere"}'
    process = airflow.start("dags", "test", "bunce_backfill", "2026-11-04", "--conf", conf)
    output, _ = process.communicate(timeout=300)

    assert process.returncode != 0
    assert "The plan failed, so no shard was loaded." in output
    assert "TypeError" not in output
    assert PASSWORD not in output
    assert emulator.customers == {}


def test_a_failed_shard_fails_the_run(airflow: Airflow, emulator: Emulator) -> None:
    [result] = run(airflow, "bunce_backfill", "2026-11-04", shards=2, version="nope")

    assert result["state"] == "failed"
    assert {result["tasks"][f"shard {n}"] for n in range(2)} == {"failed"}
    assert result["tasks"]["summary -1"] == "failed"
    assert emulator.customers == {}
