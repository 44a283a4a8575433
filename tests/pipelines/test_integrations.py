"""What users' own DAGs and assets show of a load: dlt's operators alone show no rejected row."""

# no `from __future__ import annotations`: Dagster evaluates annotations when it decorates

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from tests.pipelines.airflow import Airflow
from tests.pipelines.test_airflow import run

from dlt_bunce import RunSummary, bunce
from dlt_bunce.emulator import Behavior, Emulator

DAG = """
import pendulum, dlt
from airflow.sdk import DAG
from dlt.helpers.airflow_helper import PipelineTasksGroup
from dlt_bunce import bunce, bunce_adapter
from dlt_bunce.integrations.airflow import bunce_summary

@dlt.resource(name="customers")
def customers():
    for n in range(30):
        yield {"id": n, "email": "nobody" if n % 10 == 0 else f"c{n}@example.com",
               "first_name": "Ada", "last_name": "Obi", "phone_no": f"+23481000000{n:02d}"}

@dlt.source
def crm():
    return bunce_adapter(customers(), customer_id="id")

for allowed in (3, 2):
    with DAG(f"crm_{allowed}", schedule=None, start_date=pendulum.datetime(2026, 1, 1)):
        group = PipelineTasksGroup("crm", use_data_folder=False, wipe_local_data=True)
        pipeline = dlt.pipeline("crm_to_bunce", destination=bunce())
        loads = group.add_run(pipeline, crm(), decompose="none", retries=0)
        loads[-1] >> bunce_summary("crm_to_bunce", max_reject_count=allowed)
"""


@pytest.fixture
def settings(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings from the environment, as for any dlt pipeline."""
    monkeypatch.setenv("DESTINATION__BUNCE__CREDENTIALS__API_KEY", "sk_test_marked")
    monkeypatch.setenv("DESTINATION__BUNCE__BASE_URL", emulator.base_url)
    monkeypatch.setenv("DESTINATION__BUNCE__REQUESTS_PER_MINUTE", "0")
    monkeypatch.setenv("DESTINATION__BUNCE__STORE_URL", f"sqlite:///{Path.cwd()}/bunce.sqlite")


@pytest.mark.usefixtures("settings")
def test_a_summary_after_dlts_task_group_shows_and_judges_what_was_rejected(
    airflow: Airflow, emulator: Emulator, tmp_path: Path
) -> None:
    dags = tmp_path / "dags"
    dags.mkdir()
    (dags / "crm_dag.py").write_text(DAG)
    airflow.environment["AIRFLOW__CORE__DAGS_FOLDER"] = str(dags)

    [loaded] = run(airflow, "crm_3", "2026-11-04", dags=dags)
    # a test run counts as begun at its logical date
    [again] = run(airflow, "crm_2", datetime.now(timezone.utc).isoformat(), dags=dags)

    assert loaded["state"] == "success", loaded
    first, second = (result["results"]["bunce_summary -1"] for result in (loaded, again))
    assert (first["read"], first["created"], first["rejected"]) == (30, 27, 3)
    assert first["reject_codes"] == {"invalid_email": 3}
    # this run's own counts, although the task fails
    assert (second["read"], second["unchanged"], second["held"]) == (30, 27, 3)
    assert again["tasks"]["bunce_summary -1"] == "failed"
    assert len(emulator.customers) == 27


SUMMARIES = """
import json
from datetime import datetime, timezone
from types import SimpleNamespace
import dlt
from airflow.sdk import DAG
from airflow.sdk.execution_time.context import set_current_context
from dlt_bunce import bunce
from dlt_bunce.integrations.airflow import bunce_summary

began = datetime.now(timezone.utc)
row = {"customer_id": "1", "email": "x@example.com", "first_name": "A", "last_name": "B"}
row |= {"phone_no": "+2348031234567"}
dlt.pipeline("crm", destination=bunce()).run([row], table_name="customers")
now = datetime.now(timezone.utc)

def ended(name, start_date, clear_number):
    run = SimpleNamespace(start_date=start_date, clear_number=clear_number)
    ti = SimpleNamespace(xcom_push=lambda *_: None)
    with DAG("dag"):
        task = bunce_summary(name).operator
    with set_current_context({"dag_run": run, "ti": ti}):
        try:
            return task.python_callable()["read"]
        except Exception as error:
            return f"{type(error).__name__}: {error}"

print(json.dumps([
    ended("crm", began, 0), ended("crm", began, 1), ended("crm", now, 0), ended("crm", now, 1),
    ended("cmr", began, 0),
]))
"""


@pytest.mark.usefixtures("settings")
def test_a_summary_without_a_load_to_count_is_skipped_once_cleared_and_fails_for_a_wrong_name(
    airflow: Airflow,
) -> None:
    *counted, cleared, wrong = airflow.python(SUMMARIES)

    assert counted == [1, 1, 0]
    assert cleared.startswith("AirflowSkipException: No load of the pipeline 'crm' has begun since")
    assert wrong.startswith("AirflowFailException: The store has no run of a pipeline 'cmr' in")


CONNECTIONS = """
import json
from airflow.sdk.definitions.connection import Connection
from dlt_bunce.errors import ConfigurationError
from dlt_bunce.integrations import airflow
shown = [airflow.connection_url("crm"), airflow.store_url("crm")]
try:
    airflow.connection_url("odd")
except ConfigurationError as error:
    shown.append(str(error))
import os
print(json.dumps([*shown, os.environ["PGPASSWORD"]]))
"""


def test_a_connection_with_extras_of_any_type_is_a_url(airflow: Airflow) -> None:
    extra = {"connect_timeout": 5, "sslmode": "require", "tcp": True, "application_name": "a&b"}
    airflow.connections["crm"] = {
        "conn_type": "postgres",
        "host": "db.example.com",
        "login": "me@example.com",
        "password": "p@ss/w:rd",
        "schema": "crm",
        "extra": extra,
    }
    airflow.connections["odd"] = {"conn_type": "postgres", "host": "h", "extra": {"options": ["a"]}}

    source, store, odd, password = airflow.python(CONNECTIONS)

    query = "connect_timeout=5&sslmode=require&tcp=true&application_name=a%26b"
    assert source == (f"postgres://me%40example.com:p%40ss%2Fw%3Ard@db.example.com/crm?{query}")
    assert store == f"postgres://me%40example.com@db.example.com/crm?{query}"
    assert password == "p@ss/w:rd"
    assert "The extra 'options' of the connection 'odd' is not a plain value." in odd


@pytest.mark.usefixtures("settings")
@pytest.mark.filterwarnings("default")  # Dagster and dlt trigger warnings
def test_the_assets_of_dagster_dlt_have_the_counts_as_metadata(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dagster as dg
    import dlt
    from dagster_dlt import DagsterDltResource, dlt_assets

    from dlt_bunce.integrations.dagster import metadata_of, with_counts

    monkeypatch.setenv("DESTINATION__BUNCE__ATTRIBUTES", '{"plan": "Plan"}')
    emulator.attributes.add("Plan", "text")
    emulator.behavior = Behavior(rate_limit=0, refused_value="cursed")

    @dlt.resource(name="customers")
    def customers() -> Iterator[dict[str, Any]]:
        for n in range(30):
            email = "nobody" if n % 10 == 0 else f"c{n}@example.com"
            names = {"first_name": "Ada", "last_name": "Obi"}
            names["plan"] = "cursed" if n == 7 else "gold"
            yield {"id": n, "email": email, "phone_no": f"+23481000000{n:02d}", **names}

    @dlt.source
    def crm() -> Any:
        return customers()

    pipeline = dlt.pipeline("crm_to_bunce", destination=bunce())

    @dlt_assets(dlt_source=crm(), dlt_pipeline=pipeline)
    def assets(context: dg.AssetExecutionContext, dlt: DagsterDltResource) -> Any:
        yield from with_counts(dlt.run(context=context, write_disposition="merge"), pipeline)

    result = dg.materialize([assets], resources={"dlt": DagsterDltResource()})

    [event] = result.asset_materializations_for_node("assets")
    found = {name: value.value for name, value in event.metadata.items()}
    assert (found["read"], found["created"], found["rejected"]) == (30, 27, 3)
    assert [dict(record.data) for record in found["reject_codes"].records] == [
        {"code": "invalid_email", "rows": 3}
    ]
    values = {fate: n for fate, n in found["attributes"].items() if n}
    assert values == {"read": 30, "written": 26, "waiting": 3, "rejected": 1}
    assert [dict(record.data) for record in found["rejected_values"].records] == [
        {"name": "Plan", "code": "refused", "values": 1}
    ]
    assert "segments" not in found
    assert not {"attributes", "segments", "rejected_values"} & metadata_of(RunSummary()).keys()
    rejected = metadata_of(RunSummary(account="shop", reject_codes={"invalid_email": 3}))
    assert rejected["dead_letters"].value == (
        "`dlt-bunce dead-letters list --account shop --code invalid_email`"
    )
    assert found["destination_name"] == "bunce", "dagster-dlt's own metadata stays"
    assert len(emulator.customers) == 27


PLAIN = """
import os
import dlt
rows = [
    {"id": n, "email": "nobody" if n % 10 == 0 else f"c{n}@example.com", "first_name": "Ada",
     "last_name": "Obi", "phone_no": f"+23481000000{n:02d}"}
    for n in range(30)
]
for account in ("default", "default", "eu"):
    os.environ["DESTINATION__BUNCE__ACCOUNT"] = account
    pipeline = dlt.pipeline("crm_to_bunce", destination="dlt_bunce.bunce")
    pipeline.run(rows, table_name="customers", write_disposition="merge")
"""


@pytest.mark.usefixtures("settings")
def test_a_plain_run_logs_one_line_about_rejected_rows(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RUNTIME__LOG_LEVEL")  # dlt's default
    done = subprocess.run([sys.executable, "-c", PLAIN], capture_output=True, text=True, check=True)

    events = [json.loads(line) for line in done.stderr.splitlines() if line[:1] == "{"]
    first, second, other = (event for event in events if event["event"] == "run.finished")
    assert (first["level"], first["created"], first["rejected"]) == ("warning", 27, 3)
    assert first["reject_codes"] == {"invalid_email": 3}
    assert first["dead_letters"] == f"dlt-bunce dead-letters list --run {first['run']}"
    assert (second["unchanged"], second["held"]) == (27, 3)
    assert second["dead_letters"] == "dlt-bunce dead-letters list"
    assert other["dead_letters"].endswith(f"--run {other['run']} --account eu")
    assert "example.com" not in done.stderr
    assert len(emulator.customers) == 27


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize("engine", ["airflow", "dagster"])
def test_what_a_retry_cannot_mend_is_not_retried_however_dlt_wraps_it(
    engine: str, emulator: Emulator, tmp_path: Path
) -> None:
    script = f"""
import dlt
from dlt_bunce import bunce, flush_and_run
from dlt_bunce.integrations.{engine} import no_useless_retries

rows = [{{"customer_id": "1", "email": "x", "first_name": "A", "last_name": "B", "phone_no": "2"}}]
pipeline = dlt.pipeline("crm", destination=bunce())

def ended(run):
    try:
        with no_useless_retries():
            run()
    except Exception as error:
        print(type(error).__name__, getattr(error, "allow_retries", None), str(error)[:40])

ended(lambda: pipeline.run(rows, table_name="customers"))
ended(lambda: flush_and_run(
    dlt.pipeline("crm_2", destination=bunce("sk_test_good")), rows, table_name="customers"
).raise_if_rejected(count=0))
ended(lambda: dlt.pipeline("crm_3", destination=bunce("sk_test_good", "http://127.0.0.1:9/v1")).run(
    rows, table_name="customers"
))
"""
    emulator.behavior = Behavior(rate_limit=0, api_keys=("sk_test_good",))
    home = {"AIRFLOW_HOME": str(tmp_path / "airflow")}
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | home,
        capture_output=True,
        text=True,
        check=True,
    )

    kind, fatal = {"airflow": ("AirflowFailException", None), "dagster": ("Failure", False)}[engine]
    refused, threshold, down = done.stdout.splitlines()[-3:]
    assert refused.startswith(f"{kind} {fatal} Bunce at ")
    assert threshold.startswith(f"{kind} {fatal} ")
    assert down.split()[:2] == (
        ["PipelineStepFailed", "None"] if engine == "airflow" else ["Failure", "True"]
    )
