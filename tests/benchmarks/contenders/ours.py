"""This project, as its README has it."""

from __future__ import annotations

import os

import dlt
from tests.benchmarks.contenders import Task

from dlt_bunce import bunce, bunce_adapter, flush_and_run
from dlt_bunce.sources import from_parquet


def feed(task: Task, requests_per_minute: int = 0) -> None:
    """Loads the file in one run of a pipeline."""
    destination = bunce(
        "sk_test_bench",
        base_url=task.base_url,
        store_url=task.store_url,
        requests_per_minute=requests_per_minute,
        batch_size=task.batch,
        max_batch_size=task.batch,
    )
    pipeline = dlt.pipeline(
        task.folder.name, pipelines_dir=str(task.folder), destination=destination
    )
    customers = bunce_adapter(from_parquet(str(task.file)), version="updated_at")
    flush_and_run(pipeline, customers, write_disposition="merge")


if __name__ == "__main__":
    feed(Task.from_arguments(), int(os.environ.get("BENCH_RATE", "0")))
