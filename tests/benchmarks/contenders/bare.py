"""The obvious way with dlt alone: a function as destination, which posts what it is handed.

It checks nothing, remembers nothing, and calls whatever is not an HTTP error a success. The format
of dlt's load files comes from the environment variable BARE_FORMAT.
"""

from __future__ import annotations

import os
from typing import Any

import dlt
import requests
from dlt.common.json import json
from tests.benchmarks.contenders import Task

RENAMED = {"id": "customer_id", "mobile": "phone_no"}


def feed(task: Task, file_format: str) -> None:
    """Loads the file in one run of a pipeline."""
    http = requests.Session()
    http.headers.update(task.headers)
    http.trust_env = False

    @dlt.destination(
        batch_size=task.batch,
        loader_file_format=file_format,
        name="bare",
        naming_convention="direct",
        skip_dlt_columns_and_tables=True,
    )
    def bare(items: Any, table: Any) -> None:
        rows = items.to_pylist() if file_format == "parquet" else items
        body = json.dumpb({"customers": [customer(row) for row in rows]})
        http.post(f"{task.base_url}/customers/bulk", data=body).raise_for_status()

    from dlt_bunce.sources import from_parquet

    source = from_parquet(str(task.file))
    if file_format != "parquet":
        source.add_yield_map(lambda table: (yield table.to_pylist()))
    dlt.pipeline("bare", pipelines_dir=str(task.folder), destination=bare()).run(
        source, loader_file_format=file_format, write_disposition="append"
    )


def customer(row: dict[str, Any]) -> dict[str, Any]:
    """A row as Bunce takes it."""
    return {
        RENAMED.get(name, name): value
        for name, value in row.items()
        if value is not None and name != "updated_at"
    }


if __name__ == "__main__":
    feed(Task.from_arguments(), os.environ["BARE_FORMAT"])
