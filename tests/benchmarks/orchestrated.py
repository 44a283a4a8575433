"""The backfill of a table by Airflow: its scheduler, and its LocalExecutor's processes."""

from __future__ import annotations

import json
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import adbc_driver_postgresql.dbapi as driver
import psycopg
from tests.benchmarks import customers
from tests.pipelines.airflow import Airflow
from tests.pipelines.scheduler import Scheduler

SHARDS = 16
_LONGEST_S = 7200.0


@contextmanager
def filled(url: str, rows: int) -> Iterator[str]:
    """The URL of a database beside the given one with so many customers in `public.customers`."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE crm")
    parts = urlsplit(url)
    source = parts._replace(path="/crm").geturl()
    with driver.connect(source) as link, link.cursor() as cursor:
        for first in range(0, rows, customers.BLOCK):
            table = customers.customers(first, min(customers.BLOCK, rows - first))
            # a list of devices has no column type that the driver would write
            cursor.adbc_ingest("customers", table.drop_columns("devices"), mode="create_append")
        cursor.execute("CREATE INDEX ON customers (id)")
        cursor.execute("ANALYZE customers")
        link.commit()
    yield source
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP DATABASE crm WITH (FORCE)")


@dataclass
class AirflowBackfill:
    """A table on its way into Bunce, in so many processes at once."""

    source: str
    workers: int
    environment: dict[str, str]
    killed: int = 0
    seconds: float = 0.0
    """From the trigger to the end of the DAG's run."""

    def run(self, kill_every_s: float | None) -> list[dict[str, Any]]:
        """Triggers the DAG and waits for its end; returns the counts of its shards."""
        chance = random.Random(self.workers)
        with tempfile.TemporaryDirectory() as home:
            airflow = Airflow(Path(home), {}, {**self.environment, "AIRFLOW_CONN_CRM": self.source})
            airflow.run("db", "migrate")
            scheduler = Scheduler(airflow, self.workers)
            with scheduler.running():
                scheduler.trigger(json.dumps({"shards": SHARDS, "version": "updated_at"}))
                started = time.monotonic()
                next_kill = started + (kill_every_s or _LONGEST_S)
                while scheduler.state() not in {"success", "failed"}:
                    time.sleep(0.5)
                    if time.monotonic() < next_kill:
                        continue
                    # while all wait for their next try, nobody is killed, nor later in its place
                    next_kill += kill_every_s or _LONGEST_S
                    at_work = scheduler.at_work()
                    if at_work:
                        chance.choice(at_work).kill()
                        self.killed += 1
                if scheduler.state() == "failed":
                    raise RuntimeError(f"the DAG failed; tries of its shards: {scheduler.tries()}")
                self.seconds = time.monotonic() - started
                return scheduler.results("shard")
