"""Two DAGs for Airflow 3: a scheduled sync of changed customers, and a sharded full backfill.

Connections: `crm`, the database to read; `bunce`, with the API key as its password; and
`bunce_store`, a Postgres database for the ledger and dead letters that all workers can reach.
Without the last two, dlt's own settings apply (DESTINATION__BUNCE__…). Trigger parameters name
the table and its columns. BUNCE_BACKFILL_WORKERS and BUNCE_SCHEDULE are read from the environment
in which this file is parsed.

Every task can be cleared, retried, or killed, and runs may overlap: each works in its own folder,
and rows that are settled, or being sent by another task, are not sent again. The rows that a killed
task was sending stay claimed for up to three minutes, and its retry waits for that.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from airflow.sdk import CronDataIntervalTimetable, Param, dag, get_current_context, task

if TYPE_CHECKING:
    import dlt

    from dlt_bunce import RunSummary

WORKERS = int(os.environ.get("BUNCE_BACKFILL_WORKERS", "4"))
SCHEDULE = os.environ.get("BUNCE_SCHEDULE", "0 3 * * *")
TABLE = Param("public.customers", type="string", description="table or view to read")
SHARE = Param(
    0.05, type="number", minimum=0, maximum=1, description="largest share of rejected rows"
)
RETRIES = {"retries": 3, "retry_delay": timedelta(minutes=1), "retry_exponential_backoff": True}


@dag(
    # a plain cron schedule has data intervals of zero length in Airflow 3
    schedule=CronDataIntervalTimetable(SCHEDULE, timezone="UTC"),
    start_date=datetime(2026, 11, 1, tzinfo=timezone.utc),
    # rows of a skipped interval would never be loaded
    catchup=True,
    default_args=RETRIES,
    params={
        "table": TABLE,
        "updated_at": Param(
            "updated_at", type="string", description="column with the time of the last change"
        ),
        "overlap_minutes": Param(
            60,
            type="integer",
            minimum=0,
            description="minutes before the interval to read again, for late commits",
        ),
        "max_reject_share": SHARE,
    },
    doc_md=__doc__,
)
def bunce_sync() -> None:
    """Load the customers that changed within the data interval."""

    @task
    def load() -> dict[str, object]:
        """Load the rows of the interval and of the overlap before it; return the run's counts."""
        from dlt_bunce import bunce_adapter
        from dlt_bunce.integrations.airflow import connection_url, no_useless_retries
        from dlt_bunce.scripts import run_folder
        from dlt_bunce.sources import Range, from_database

        context = get_current_context()
        params = context["params"]
        start: Any = context["data_interval_start"]
        overlap = timedelta(minutes=params["overlap_minutes"])
        with no_useless_retries():
            changed = Range(params["updated_at"], start - overlap, context["data_interval_end"])
            rows = from_database(connection_url("crm"), table=params["table"], ranges=[changed])
            rows = bunce_adapter(rows, version=params["updated_at"])
            with run_folder() as folder:
                summary = _load(_pipeline("bunce_sync", folder), rows)
            summary.raise_if_rejected(share=params["max_reject_share"])
        return summary.as_dict()

    load()


@dag(
    schedule=None,
    default_args=RETRIES,
    params={
        "table": TABLE,
        "key": Param("id", type="string", description="indexed column to shard the table by"),
        "version": Param(
            None, type=["null", "string"], description="column that grows with every change"
        ),
        "shards": Param(8, type="integer", minimum=1),
        "max_reject_share": SHARE,
    },
    doc_md=__doc__,
)
def bunce_backfill() -> None:
    """Load a whole table in shards, several at a time."""

    @task
    def plan() -> list[str]:
        """Plan which rows belong to which shard; return the names of the shards."""
        from dlt_bunce.integrations.airflow import connection_url, no_useless_retries
        from dlt_bunce.scripts import run_folder
        from dlt_bunce.sources import plan_shards

        with no_useless_retries(), run_folder() as folder:
            pipeline = _pipeline("bunce_backfill", folder)
            return plan_shards(pipeline, connection_url("crm"), _params()["shards"], **_table())

    @task(max_active_tis_per_dag=WORKERS)
    def shard(name: str) -> dict[str, object]:
        """Load one shard; return its counts."""
        from dlt_bunce import bunce_adapter
        from dlt_bunce.integrations.airflow import connection_url, no_useless_retries
        from dlt_bunce.scripts import run_folder
        from dlt_bunce.sources import Shard, shard_source

        with no_useless_retries(), run_folder() as folder:
            pipeline = _pipeline(Shard.parse(name).pipeline_name("bunce_backfill"), folder)
            rows = shard_source(pipeline, connection_url("crm"), name, **_table())
            rows = bunce_adapter(rows, version=_params()["version"])
            return _load(pipeline, rows).as_dict()

    @task(trigger_rule="all_done", retries=0)
    def summary(planned: list[str] | None, loaded: Sequence[dict[str, Any]]) -> dict[str, object]:
        """Return the total counts; fail if a shard failed or too many rows were rejected."""
        from dlt_bunce import RunSummary
        from dlt_bunce.integrations.airflow import no_useless_retries
        from dlt_bunce.scripts import add_up

        if planned is None:
            raise RuntimeError("The plan failed, so no shard was loaded. Clear its task to retry.")
        counts = list(loaded)
        total = add_up([RunSummary(**values) for values in counts], "bunce_backfill")
        get_current_context()["ti"].xcom_push("return_value", total.as_dict())
        if len(counts) < len(planned):
            missing = len(planned) - len(counts)
            raise RuntimeError(
                f"{missing} of {len(planned)} shards failed. Clear their tasks to retry."
            )
        with no_useless_retries():
            total.raise_if_rejected(share=_params()["max_reject_share"])
        return total.as_dict()

    names: Any = plan()
    loaded: Any = shard.expand(name=names)
    summary(names, loaded)


def _load(pipeline: dlt.Pipeline, rows: Any) -> RunSummary:
    """Run the pipeline; push the counts as the task's result, even if a threshold then fails it."""
    from dlt_bunce import ThresholdError, flush_and_run

    task_instance = get_current_context()["ti"]
    try:
        summary = flush_and_run(pipeline, rows)
    except ThresholdError as error:
        task_instance.xcom_push("return_value", error.summary.as_dict())
        raise
    task_instance.xcom_push("return_value", summary.as_dict())
    return summary


def _pipeline(name: str, folder: str) -> dlt.Pipeline:
    import dlt

    from dlt_bunce import bunce
    from dlt_bunce.integrations.airflow import store_url
    from dlt_bunce.scripts import use_config

    use_config(__file__)
    api = _connection("bunce")
    settings: dict[str, Any] = {}
    if api is not None:
        settings = {"credentials": api.password}
        settings |= api.extra_dejson  # such as base_url or account
    if _connection("bunce_store") is not None:
        settings["store_url"] = store_url("bunce_store")
    return dlt.pipeline(name, pipelines_dir=folder, destination=bunce(**settings))


def _connection(name: str) -> Any:
    from airflow.sdk import Connection
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        return Connection.get(name)
    except AirflowNotFoundException:
        return None


def _params() -> dict[str, Any]:
    return dict(get_current_context()["params"])


def _table() -> dict[str, Any]:
    """Return the sharding arguments; the plan is named for the run, so a cleared task finds it."""
    params, run_id = _params(), get_current_context()["run_id"]
    return {"table": params["table"], "key": params["key"], "plan": run_id}


bunce_sync()
bunce_backfill()
