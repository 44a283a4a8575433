"""Loads of customers with attribute values, in processes that can be killed."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.forks import Forks

from dlt_bunce.emulator import Emulator

_PROGRAM = """
import json, sys
import dlt
import pyarrow as pa
from dlt_bunce import bunce, bunce_adapter, flush_and_run
base_url, store_url, folder, tables, size, rows = sys.argv[1:]
rows = json.loads(rows)
pipeline = dlt.pipeline("crm", pipelines_dir=folder, destination=bunce(
    "sk_test_kills", base_url=base_url, store_url=store_url, requests_per_minute=0,
    max_batch_size=int(size), concurrency=1, max_concurrency=1))
values = {"attributes": {"plan": "Plan", "balance": "Balance"}, "segments": {"vip": "VIP"}}
if tables == "one":
    data = bunce_adapter(rows, **values).with_name("customers")
else:
    @dlt.source(name="crm")
    def crm():
        names = ("customer_id", "plan", "balance", "vip")
        people = [{k: v for k, v in row.items() if k not in names[1:]} for row in rows]
        yield bunce_adapter(people).with_name("customers")
        facts = pa.Table.from_pylist([{name: row[name] for name in names} for row in rows])
        yield bunce_adapter(facts, values_only=True, **values).with_name("facts")
    data = crm()
summary = flush_and_run(pipeline, data, write_disposition="merge")
print(json.dumps(summary.as_dict()))
"""
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class ValueLoads:
    """Loads into one store, from one working folder, of one table or of customers and facts."""

    emulator: Emulator
    loading: Forks
    store: str
    folder: Path
    tables: str
    batch_size: int

    def prepare(self) -> None:
        """Makes the attributes, and the segment."""
        self.emulator.attributes.add("Plan", "text")
        self.emulator.attributes.add("Balance", "numeric")
        self.emulator.attributes.add_segment("VIP")

    def load(self, rows: Rows) -> dict[str, Any]:
        """Loads rows, and returns the summary."""
        command = self._command(rows)
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
        summary: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return summary

    def kill_after(self, requests: int, rows: Rows) -> None:
        """Loads rows, and ends the process after so many requests with values or members."""
        before = len(self.emulator.requests)
        program = subprocess.Popen(self._command(rows), stdout=subprocess.PIPE)
        while self._sent(before) < requests:
            assert program.poll() is None
            time.sleep(0.001)
        program.send_signal(signal.SIGKILL)
        assert program.wait() == -signal.SIGKILL
        program.communicate()

    def _sent(self, before: int) -> int:
        return sum(r.call in {"values", "members"} for r in self.emulator.requests[before:])

    def _command(self, rows: Rows) -> list[str]:
        given = [self.emulator.base_url, self.store, str(self.folder / "dlt"), self.tables]
        return self.loading.python(_PROGRAM, *given, str(self.batch_size), json.dumps(rows))
