"""A target as the Singer SDK's documentation builds one: records from stdin, in batches."""

from __future__ import annotations

import os
from typing import Any

import requests
from singer_sdk import Target
from singer_sdk import typing as th
from singer_sdk.sinks import BatchSink
from tests.benchmarks.contenders import Task

TASK = Task.from_arguments()
HTTP = requests.Session()
HTTP.headers.update(TASK.headers)
HTTP.trust_env = False


class BunceSink(BatchSink):
    """Posts each batch."""

    max_size = TASK.batch

    def process_batch(self, context: dict[str, Any]) -> None:
        """Sends what has been collected."""
        body = {"customers": context["records"]}
        HTTP.post(f"{TASK.base_url}/customers/bulk", json=body).raise_for_status()


class TargetBunce(Target):
    """The target."""

    name = "target-bunce"
    config_jsonschema = th.PropertiesList().to_dict()
    default_sink_class = BunceSink


if __name__ == "__main__":
    os.environ["LOGLEVEL"] = "CRITICAL"
    with TASK.file.open() as lines:
        TargetBunce(config={}).listen(lines)
