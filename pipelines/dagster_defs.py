"""Dagster definitions: a daily sync of changed customers, and a sharded full backfill.

CRM_URL names the database to read. The API key and the store come from dlt's settings: set
DESTINATION__BUNCE__CREDENTIALS__API_KEY, and DESTINATION__BUNCE__STORE_URL for a Postgres database
that all workers can reach, with its password in PGPASSWORD. BUNCE_SHARDS is the number of shards
of a backfill.

Start it with: dagster dev -f pipelines/dagster_defs.py. Partitions can be rerun, run at the same
time, or run on different machines: each run works in its own folder, and the store records what is
settled.
"""

# no `from __future__ import annotations`: Dagster evaluates annotations when it decorates

import os
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any, Optional

import dagster as dg
import dlt

from dlt_bunce import (
    RejectThresholdError,
    RunSummary,
    ThresholdError,
    bunce,
    bunce_adapter,
    flush_and_run,
)
from dlt_bunce.integrations.dagster import metadata_of, no_useless_retries
from dlt_bunce.scripts import count_open, run_folder, use_config
from dlt_bunce.sources import Range, Shard, from_database, shard_source

SHARDS = int(os.environ.get("BUNCE_SHARDS", "8"))
DAYS = dg.DailyPartitionsDefinition(start_date="2026-11-01")
PARTS = dg.StaticPartitionsDefinition([f"{number}/{SHARDS}" for number in range(1, SHARDS + 1)])
SYNC, BACKFILL = dg.AssetKey(["bunce", "sync"]), dg.AssetKey(["bunce", "backfill"])
# set a limit for it in dagster.yaml to bound how many partitions load at the same time
POOL = "bunce"


class Bunce(dg.ConfigurableResource[Any]):
    """The database to read and the connection to Bunce; None means dlt's own setting."""

    source_url: str
    api_key: Optional[str] = None
    base_url: Optional[str] = None
    store_url: Optional[str] = None
    account: Optional[str] = None

    def pipeline(self, name: str, folder: str) -> dlt.Pipeline:
        """Return a dlt pipeline into Bunce with its own working folder."""
        use_config(__file__)
        given = {
            "credentials": self.api_key,
            "base_url": self.base_url,
            "store_url": self.store_url,
            "account": self.account,
        }
        settings: Any = {key: value for key, value in given.items() if value is not None}
        return dlt.pipeline(name, pipelines_dir=folder, destination=bunce(**settings))


class Table(dg.Config):
    """What to read."""

    table: str = "public.customers"
    updated_at: str = "updated_at"
    overlap_minutes: int = 60
    """Minutes of the previous day to read again, for rows that were committed late."""


class ShardedTable(dg.Config):
    """What to read in shards."""

    table: str = "public.customers"
    key: str = "id"
    version: Optional[str] = None
    plan: Optional[str] = None
    """Name of the shard plan; None means a plan for each Dagster backfill."""


class Limits(dg.Config):
    """Limits of the asset checks."""

    max_reject_share: float = 0.05
    max_age_days: float = 7


_Load = Callable[..., Iterator[dg.MaterializeResult[Any]]]


def _asset(
    name: str, key: dg.AssetKey, partitions: dg.PartitionsDefinition[Any]
) -> Callable[[_Load], dg.AssetsDefinition]:
    """Return the decorator for a function that loads a partition."""
    spec = dg.AssetSpec(key, group_name="bunce", kinds={"dlt"})
    return dg.multi_asset(name=name, specs=[spec], partitions_def=partitions, pool=POOL)


@_asset("bunce_sync", SYNC, DAYS)
def sync(
    context: dg.AssetExecutionContext, config: Table, bunce: Bunce
) -> Iterator[dg.MaterializeResult[Any]]:
    """Load the customers that changed on the partition's day, or days in a backfill."""
    days = context.partition_time_window
    start = days.start - timedelta(minutes=config.overlap_minutes)
    changed = Range(config.updated_at, start, days.end)
    with no_useless_retries(), run_folder() as folder:
        rows = from_database(bunce.source_url, table=config.table, ranges=[changed])
        adapted = bunce_adapter(rows.with_name("customers"), version=config.updated_at)
        yield _run(SYNC, bunce.pipeline("bunce_sync", folder), adapted)


@_asset("bunce_backfill", BACKFILL, PARTS)
def backfill(
    context: dg.AssetExecutionContext, config: ShardedTable, bunce: Bunce
) -> Iterator[dg.MaterializeResult[Any]]:
    """Load one shard of a whole table."""
    shard = Shard.parse(context.partition_key)
    plan = config.plan or context.run.tags.get("dagster/backfill", "default")
    with no_useless_retries(), run_folder() as folder:
        pipeline = bunce.pipeline(shard.pipeline_name("bunce_backfill"), folder)
        rows = shard_source(
            pipeline, bunce.source_url, shard, table=config.table, key=config.key, plan=plan
        )
        yield _run(BACKFILL, pipeline, bunce_adapter(rows, version=config.version))


def _run(key: dg.AssetKey, pipeline: dlt.Pipeline, rows: Any) -> dg.MaterializeResult[Any]:
    """Run the pipeline and report the counts to Dagster."""
    try:
        summary = flush_and_run(pipeline, rows)
    except ThresholdError as error:
        summary = error.summary  # all rows are loaded; an asset check reports it
    trace: Any = pipeline.last_trace
    normalized = trace.last_normalize_info
    counts = normalized.row_counts if normalized else {}
    loaded = sum(rows for table, rows in counts.items() if not table.startswith("_dlt_"))
    metadata = {"rows_loaded": loaded, **metadata_of(summary)}
    return dg.MaterializeResult(asset_key=key, metadata=metadata)


def checks_of(key: dg.AssetKey, name: str) -> list[dg.AssetChecksDefinition]:
    """Return the four asset checks that both assets share."""

    def counts(context: dg.AssetCheckExecutionContext) -> dict[str, Any]:
        # this run only: another run may have loaded another partition since
        records = context.instance.all_logs(
            context.run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION
        )
        found = [record.asset_materialization for record in records]
        if not found:
            newest = context.instance.get_latest_materialization_event(key)
            found = [newest.asset_materialization] if newest else []
        of_key = [event for event in found if event and event.asset_key == key]
        return {n: v.value for n, v in of_key[-1].metadata.items()} if of_key else {}

    @dg.asset_check(asset=key, name="conservation", blocking=True)
    def conservation(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        """Check that every row that dlt passed to the destination has exactly one fate."""
        found = counts(context)
        passed_on = found.get("rows_loaded", 0)
        accounted = sum(found.get(fate, 0) for fate in RunSummary().fates)
        return dg.AssetCheckResult(
            passed=passed_on == accounted,
            description=f"dlt passed {passed_on} rows to the destination, but {accounted} are "
            "accounted for."
            if passed_on != accounted
            else None,
        )

    @dg.asset_check(asset=key, name="reject_share", blocking=True)
    def reject_share(context: dg.AssetCheckExecutionContext, config: Limits) -> dg.AssetCheckResult:
        """Check that the share of rejected rows is within the limit; all other rows are loaded."""
        found = counts(context)
        names = ("read", "rejected", "held")
        summary = RunSummary(**{name: found.get(name, 0) for name in names})
        try:
            summary.raise_if_rejected(share=config.max_reject_share)
        except RejectThresholdError as error:
            return dg.AssetCheckResult(passed=False, description=str(error))
        return dg.AssetCheckResult(passed=True)

    @dg.asset_check(asset=key, name="thresholds", blocking=True)
    def thresholds(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        """Check that the run is within the configured thresholds; all its rows are loaded."""
        over: dict[str, str] = counts(context).get("over_thresholds", {})
        return dg.AssetCheckResult(passed=not over, description="; ".join(over.values()) or None)

    @dg.asset_check(asset=key, name="old_dead_letters")
    def old_dead_letters(config: Limits, bunce: Bunce) -> dg.AssetCheckResult:
        """Check that no dead letter has been open for longer than the limit."""
        limit = datetime.now(timezone.utc) - timedelta(days=config.max_age_days)
        with run_folder() as folder:
            pipeline = bunce.pipeline(f"bunce_{name}", folder)
            old, all_ = count_open(pipeline, before=limit), count_open(pipeline)
        return dg.AssetCheckResult(
            passed=not old,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"open": sum(all_.values()), "old": sum(old.values()), **all_},
        )

    return [conservation, reject_share, thresholds, old_dead_letters]


# Dagster restarts a run whose worker was killed
_RETRIED = {"dagster/max_retries": "3"}
sync_job: Any = dg.define_asset_job(
    "bunce_sync_job", selection=dg.AssetSelection.assets(SYNC), tags=_RETRIED
)
backfill_job: Any = dg.define_asset_job(
    "bunce_backfill_job", selection=dg.AssetSelection.assets(BACKFILL), tags=_RETRIED
)

defs = dg.Definitions(
    assets=[sync, backfill],
    asset_checks=[*checks_of(SYNC, "sync"), *checks_of(BACKFILL, "backfill")],
    jobs=[sync_job, backfill_job],
    schedules=[dg.build_schedule_from_partitioned_job(sync_job, hour_of_day=3)],
    resources={"bunce": Bunce(source_url=dg.EnvVar("CRM_URL"))},
)
