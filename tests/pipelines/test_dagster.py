"""The Dagster definitions, run by Dagster in process and in separate processes."""

# no `from __future__ import annotations`: Dagster evaluates annotations when it decorates

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.pipelines import dagster_day
from tests.pipelines.dagster_day import FILE, Execute

from dlt_bunce.emulator import Behavior, Emulator

# each step in a process of its own that does not import everything anew
FORKED = {"start_method": {"forkserver": {}}}
# fixtures
crm, store = dagster_day.crm, dagster_day.store
module, execute = dagster_day.module, dagster_day.execute
pytestmark = pytest.mark.filterwarnings("default")  # Dagster and dlt trigger warnings


def counts(result: Any, node: str) -> dict[str, Any]:
    """Return the metadata of the only asset that a run materialized."""
    [event] = result.asset_materializations_for_node(node)
    return {name: value.value for name, value in event.metadata.items()}


def checks(result: Any) -> dict[str, Any]:
    """Return the evaluations of a run's asset checks by name."""
    return {found.check_name: found for found in result.get_asset_check_evaluations()}


def test_a_day_is_loaded_with_its_counts_and_again_without_a_request(
    execute: Execute, emulator: Emulator, tmp_path: Path
) -> None:
    first = execute("bunce_sync_job", "2026-11-03")
    # dlt's working folder is gone, as it would be on another machine
    assert not list((tmp_path / "dlt").rglob("bunce_sync*"))
    again = execute("bunce_sync_job", "2026-11-03")

    found = counts(first, "bunce_sync")
    assert first.success
    # the day, and the hour before it
    assert (found["read"], found["created"], found["rejected"]) == (1500, 1485, 15)
    [code] = found["reject_codes"].records
    assert dict(code.data) == {"code": "invalid_email", "rows": 15}
    assert found["dead_letters"] == "`dlt-bunce dead-letters list --code invalid_email`"
    assert found["requests"] >= 2
    found = counts(again, "bunce_sync")
    assert (found["unchanged"], found["held"], found["created"]) == (1485, 15, 0)
    assert set(emulator.times_sent.values()) == {1}


def test_a_failed_load_is_read_again_although_its_pending_package_is_gone(
    execute: Execute, emulator: Emulator
) -> None:
    import dagster as dg

    emulator.behavior = Behavior(rate_limit=0, api_keys=("sk_test_other",))
    refused = execute("bunce_sync_job", "2026-11-03")
    with pytest.raises(dg.Failure, match="refuses the API key") as failed:
        execute("bunce_sync_job", "2026-11-03", raise_on_error=True)
    emulator.behavior = Behavior(rate_limit=0)
    retried = execute("bunce_sync_job", "2026-11-03")

    assert not refused.success
    [failure] = [e for e in refused.all_events if e.is_step_failure]
    assert "refuses the API key" in str(failure.step_failure_data.user_failure_data.description)
    assert not failed.value.allow_retries
    assert 1485 == counts(retried, "bunce_sync")["created"] == len(emulator.customers)


def test_a_key_that_does_not_exist_fails_in_one_line_and_is_not_retried(
    execute: Execute, emulator: Emulator
) -> None:
    import dagster as dg

    nowhere = {"config": {"key": "nowhere"}}
    with pytest.raises(dg.Failure, match="nowhere") as failed:
        execute("bunce_backfill_job", "1/8", raise_on_error=True, bunce_backfill=nowhere)

    assert not failed.value.allow_retries
    assert emulator.customers == {}


def test_the_shards_add_up_to_the_table(
    execute: Execute, emulator: Emulator, module: ModuleType
) -> None:
    keys = module.PARTS.get_partition_keys()
    results = [execute("bunce_backfill_job", key) for key in keys]

    found = [counts(result, "bunce_backfill") for result in results]
    assert all(result.success for result in results)
    assert [shard["read"] for shard in found] == [540] * 8
    assert 4276 == sum(shard["created"] for shard in found) == len(emulator.customers)
    assert set(emulator.times_sent.values()) == {1}


def test_checks_report_rejected_rows_and_old_dead_letters(execute: Execute) -> None:
    lenient = checks(execute("bunce_sync_job", "2026-11-03"))
    share, age = {"config": {"max_reject_share": 0.001}}, {"config": {"max_age_days": 0}}
    strict = execute(
        "bunce_sync_job",
        "2026-11-03",
        bunce__sync_reject_share=share,
        bunce__sync_old_dead_letters=age,
    )

    assert all(check.passed for check in lenient.values())
    assert lenient["old_dead_letters"].metadata["open"].value == 15
    found = checks(strict)
    assert not strict.success
    assert not found["reject_share"].passed
    assert "15 of 1500 rows are rejected" in str(found["reject_share"].description)
    assert not found["old_dead_letters"].passed
    assert found["old_dead_letters"].metadata["invalid_email"].value == 15
    assert found["conservation"].passed


@pytest.mark.parametrize("place", ["environment", "config.toml"])
def test_a_configured_threshold_fails_a_run_after_everything_is_loaded(
    execute: Execute, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    if place == "environment":
        monkeypatch.setenv("DESTINATION__BUNCE__MAX_REJECT_COUNT", "14")
    else:
        settings = "[destination.bunce]\nmax_reject_count = 14\n"
        Path("config.toml").write_text(settings, "utf-8")

    result = execute("bunce_sync_job", "2026-11-03")

    found = checks(result)["thresholds"]
    assert (result.success, found.passed) == (False, False)
    assert found.description == "15 of 1500 rows are rejected (threshold: 14 rows)"
    assert 1485 == counts(result, "bunce_sync")["created"] == len(emulator.customers)


def test_conservation_compares_with_the_rows_that_dlt_passed_on_in_the_same_run(
    module: ModuleType, crm: str, store: str
) -> None:
    import dagster as dg

    metadata = {"read": 9, "created": 9, "rows_loaded": 10}
    of_another_run = {"read": 9, "created": 9, "rows_loaded": 9}

    @dg.multi_asset(specs=[dg.AssetSpec(module.SYNC)])
    def lossy(context: dg.AssetExecutionContext) -> Iterator[Any]:
        yield dg.MaterializeResult(asset_key=module.SYNC, metadata=metadata)
        # a shard that another run loads in the meantime
        event = dg.AssetMaterialization(module.SYNC, metadata=of_another_run)
        context.instance.report_runless_asset_event(event)

    bunce = module.Bunce(source_url=crm, api_key="sk_test_x", store_url=store)
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [lossy, *module.checks_of(module.SYNC, "sync")],
            instance=instance,
            resources={"bunce": bunce},
            selection=dg.AssetSelection.assets(module.SYNC),
            raise_on_error=False,
        )

    found = checks(result)["conservation"]
    assert not found.passed
    expected = "dlt passed 10 rows to the destination, but 9 are accounted for."
    assert found.description == expected


def test_the_schedule_requests_yesterday(module: ModuleType) -> None:
    import dagster as dg

    repository = module.defs.get_repository_def()
    schedule = repository.get_schedule_def("bunce_sync_job_schedule")
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_schedule_context(
            instance=instance,
            scheduled_execution_time=datetime(2026, 11, 5, 3, tzinfo=timezone.utc),
            repository_def=repository,
        )
        data = schedule.evaluate_tick(context)

    assert [request.partition_key for request in data.run_requests] == ["2026-11-04"]


def test_three_partitions_at_once_are_each_well_at_the_first_try(
    emulator: Emulator, crm: str, store: str, tmp_path: Path
) -> None:
    environment = {
        "DESTINATION__BUNCE__CREDENTIALS__API_KEY": "sk_test_marked",
        "DESTINATION__BUNCE__BASE_URL": emulator.base_url,
        "DESTINATION__BUNCE__STORE_URL": store,
    }
    # a home for each: Dagster cannot create the same database three times at once
    homes = [tmp_path / str(number) for number in range(3)]
    for home in homes:
        home.mkdir()
        (home / "dagster.yaml").write_text(json.dumps({"telemetry": {"enabled": False}}))
    command = (
        *(Path(sys.executable).parent / "dagster", "asset", "materialize", "-f", FILE),
        # steps and checks in the process of their run: several runs are what this is about
        *("--config-json", json.dumps({"execution": {"config": {"in_process": {}}}})),
        *("--select", "bunce/sync", "--partition"),
    )

    days = [
        subprocess.Popen(
            [*command, f"2026-11-0{day}"],
            env={**os.environ, **environment, "DAGSTER_HOME": str(home)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for home, day in zip(homes, (2, 3, 4), strict=True)
    ]
    errors = [process.communicate(timeout=300)[1] for process in days]

    assert [process.returncode for process in days] == [0, 0, 0], errors
    # one per minute from 03:00 on the first day; one in a hundred has an invalid email
    assert len(emulator.customers) == 4140 - 42
    assert set(emulator.times_sent.values()) == {1}


def test_the_command_line_runs_a_shard_in_its_own_process(
    emulator: Emulator, crm: str, store: str, tmp_path: Path
) -> None:
    environment = {
        "DAGSTER_HOME": str(tmp_path),
        "DESTINATION__BUNCE__CREDENTIALS__API_KEY": "sk_test_marked",
        "DESTINATION__BUNCE__BASE_URL": emulator.base_url,
        "DESTINATION__BUNCE__STORE_URL": store,
    }
    (tmp_path / "dagster.yaml").write_text(json.dumps({"telemetry": {"enabled": False}}))

    result = subprocess.run(
        [
            Path(sys.executable).parent / "dagster",
            *("asset", "materialize", "-f", str(FILE)),
            *("--config-json", json.dumps({"execution": {"config": {"multiprocess": FORKED}}})),
            *("--select", "bunce/backfill", "--partition", "2/8"),
        ],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stderr
    assert 540 > len(emulator.customers) >= 530
    assert "sk_test_marked" not in result.stdout + result.stderr
