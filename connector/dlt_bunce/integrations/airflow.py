"""For Airflow 3: connections, retries, and a task that reports what a load did.

dlt's `PipelineTasksGroup` succeeds even if rows were rejected, because those are in the dead-letter
table. `bunce_summary` is a task to put after it:

    loads = PipelineTasksGroup("crm").add_run(pipeline, source, decompose="none")
    loads[-1] >> bunce_summary("crm_to_bunce", max_reject_share=0.05)

Importing this module does not import dlt, so a DAG file that uses it is parsed quickly.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from airflow.sdk import Connection, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from dlt_bunce.errors import ConfigurationError, bunce_error, is_worth_a_retry


def bunce_summary(
    pipeline_name: str,
    *,
    max_reject_share: float | None = None,
    max_reject_count: int | None = None,
    task_id: str = "bunce_summary",
) -> Any:
    """Return a task that reports what the pipeline's loads in this DAG run did.

    Its result (XCom) is `RunSummary.as_dict()`, with the counts of all loads that began since the
    DAG run did; of a load that failed, only if no later one has loaded its rows. The task fails,
    without retries, if more rows were rejected or held than the arguments or the destination's
    settings allow; every other row is loaded then. It is skipped if the DAG run was cleared and no
    load has begun since: then there is nothing to count.
    """

    @task(task_id=task_id)
    def summarize() -> dict[str, object]:
        from dlt_bunce import bunce
        from dlt_bunce.destination.access import client_for
        from dlt_bunce.destination.runs.run_summary import summary_since

        context = get_current_context()
        with no_useless_retries():
            client = client_for(bunce(), pipeline_name)
            dag_run: Any = context["dag_run"]
            summary = summary_since(client, pipeline_name, dag_run.start_date)
            # Airflow begins a run anew when one of its tasks is cleared
            if dag_run.clear_number and summary.run_id is None:
                raise AirflowSkipException(
                    f"No load of the pipeline {pipeline_name!r} has begun since this DAG run was "
                    "cleared. Clear the task that loads as well."
                )
            context["ti"].xcom_push("return_value", summary.as_dict())
            summary.raise_if_over_thresholds()
            if (max_reject_share, max_reject_count) != (None, None):
                summary.raise_if_rejected(share=max_reject_share, count=max_reject_count)
        return summary.as_dict()

    return summarize()


@contextmanager
def no_useless_retries() -> Iterator[None]:
    """Fail a task without retries for wrong settings, a refused key, or an exceeded threshold, also
    inside an exception of dlt.
    """
    try:
        yield
    except Exception as error:
        found = bunce_error(error)
        if found is None or is_worth_a_retry(found):
            raise
        raise AirflowFailException(str(found)) from error


def connection_url(conn_id: str) -> str:
    """Return a connection as the URL of a source, with its password and its extras.

    Extras of any plain type become parameters: `{"connect_timeout": 5}` is `?connect_timeout=5`.
    Raises AirflowNotFoundException, ConfigurationError for an extra that is a list or an object.
    """
    return _url(Connection.get(conn_id))


def store_url(conn_id: str) -> str:
    """Return a connection as a `store_url`, and put its password into PGPASSWORD: dlt's traces
    keep settings. Raises what `connection_url` raises.
    """
    connection = Connection.get(conn_id)
    if connection.password:
        os.environ["PGPASSWORD"] = connection.password
    parts = urlsplit(_url(connection))
    user, _, host = parts.netloc.rpartition("@")
    name = user.partition(":")[0]
    return parts._replace(netloc=f"{name}@{host}" if name else host).geturl()


def _url(connection: Connection) -> str:
    extras: Mapping[str, Any] = connection.extra_dejson
    # Airflow puts extras that are not all text into one parameter, which no driver understands
    query = urlencode(
        {name: _text(connection, name, value) for name, value in extras.items()}, quote_via=quote
    )
    return urlsplit(str(connection.get_uri()))._replace(query=query).geturl()


def _text(connection: Connection, name: str, value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str | int | float):
        raise ConfigurationError(
            f"The extra {name!r} of the connection {connection.conn_id!r} is not a plain value.",
            remedy='Write text, a number, or a Boolean, such as {"connect_timeout": 5}.',
        )
    return str(value)
