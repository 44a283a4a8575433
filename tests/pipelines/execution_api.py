"""Airflow with what each run of a DAG within one process makes first: for forks to begin with.

The API by which tasks speak with Airflow takes seconds to make, most of them at its first request.
"""

from __future__ import annotations

import asyncio

import httpx
from airflow.dag_processing import dagbag  # noqa: F401, imported for the forks
from airflow.sdk.execution_time.supervisor import in_process_api_server


async def _first_request() -> None:
    app = httpx.ASGITransport(app=in_process_api_server().app)
    async with httpx.AsyncClient(transport=app, base_url="http://airflow") as client:
        answer = await client.get("/nowhere")
    assert answer.status_code == httpx.codes.NOT_FOUND


asyncio.run(_first_request())
