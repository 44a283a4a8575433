"""A folder with a source, a store, and an emulated Bunce, in which loads are run and killed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from tests.claims import expire_claims

from dlt_bunce.emulator import Emulator
from dlt_bunce.errors import StoreError
from dlt_bunce.store.database import Database

from .customers import REFUSED


class ProcessPool:
    """Runs loads as processes."""

    def __init__(self) -> None:
        self._program = subprocess.Popen(
            [sys.executable, "-m", "tests.invariants.process_pool"],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, **job: Any) -> int:
        """Exit code of a load, or minus the number of the signal that ended it."""
        assert self._program.stdin
        assert self._program.stdout
        self._program.stdin.write(json.dumps(job) + "\n")
        self._program.stdin.flush()
        return int(self._program.stdout.readline())

    def close(self) -> None:
        """Ends the program."""
        self._program.communicate(timeout=10)


@contextmanager
def process_pool() -> Iterator[ProcessPool]:
    """A process_pool for the time of the block."""
    made = ProcessPool()
    try:
        yield made
    finally:
        made.close()


@dataclass
class Scenario:
    """Source, store, and Bunce; `rows` is what the source says of each customer now."""

    folder: Path
    emulator: Emulator
    loads: ProcessPool
    store_url: str = "sqlite:///bunce.sqlite"
    disposition: str = "merge"
    settings: dict[str, str] = field(default_factory=dict)
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    edits: int = 0

    def put(self, *rows: dict[str, Any]) -> None:
        """Writes the source anew, with these rows changed or added."""
        self.rows |= {row["customer_id"]: row for row in rows}
        self.folder.mkdir(parents=True, exist_ok=True)
        for old in self.folder.glob("v*.parquet"):
            old.unlink()
        self.edits += 1
        table = pa.Table.from_pylist(list(self.rows.values()))
        pq.write_table(table, self.folder / f"v{self.edits}.parquet")

    def load(self, pipeline: str = "crm", **job: Any) -> int:
        """Runs a load; returns its exit code."""
        environment = {
            "DESTINATION__BUNCE__BASE_URL": self.emulator.base_url,
            "DESTINATION__BUNCE__CREDENTIALS__API_KEY": "sk_test_marked",
            "DESTINATION__BUNCE__STORE_URL": self.store_url,
            "DESTINATION__BUNCE__REQUESTS_PER_MINUTE": "0",
            "DESTINATION__BUNCE__BATCH_SIZE": "8",
            "DESTINATION__BUNCE__MAX_BATCH_SIZE": "8",
            "RUNTIME__DLTHUB_TELEMETRY": "false",
            "RUNTIME__LOG_LEVEL": "CRITICAL",
            "DLT_DATA_DIR": "dlt",
            "LOAD__RAISE_ON_MAX_RETRIES": "1",
        }
        return self.loads.run(
            folder=str(self.folder),
            environment=environment | self.settings,
            pipeline=pipeline,
            source="v*.parquet",
            disposition=self.disposition,
            **job,
        )

    @property
    def passed(self) -> dict[str, int]:
        """How often the last load that ended well passed each boundary."""
        passed: dict[str, int] = json.loads((self.folder / "passed.json").read_text())
        return passed

    @property
    def summary(self) -> dict[str, Any]:
        """What the last load that ended well counted."""
        summary: dict[str, Any] = json.loads((self.folder / "summary.json").read_text())
        return summary

    def output(self) -> str:
        """What the loads printed."""
        return (self.folder / "load.log").read_text()[-5_000:]

    def database(self) -> Database:
        """The store."""
        return Database(self._store_url(), read_only=True)

    def _store_url(self) -> str:
        url = self.store_url
        if url.startswith("sqlite:///"):
            url = f"sqlite:///{self.folder / url.removeprefix('sqlite:///')}"
        return url

    def settled(self) -> dict[str, str]:
        """Fingerprint of what the ledger holds as delivered, by customer."""
        try:
            with self.database() as db:
                rows = db.rows(
                    "SELECT customer_id, fingerprint FROM bunce_customers "
                    "WHERE fingerprint IS NOT NULL AND claim_batch IS NULL"
                )
        except StoreError:
            # killed before the store was made; check() opens it again, and then it must be there
            return {}
        return {row["customer_id"]: row["fingerprint"] for row in rows}

    def claimed(self) -> set[str]:
        """Customers whose fate was not known when their load ended."""
        with self.database() as db:
            rows = db.rows("SELECT customer_id FROM bunce_customers WHERE claim_batch IS NOT NULL")
        return {row["customer_id"] for row in rows}

    def expire_claims(self, *, after_s: float) -> None:
        """Have the claims of dead workers expire after so many seconds."""
        expire_claims(self._store_url(), after_s=after_s)

    def times_sent(self) -> Counter[str]:
        """How often each customer went over the wire, created or updated."""
        sent: Counter[str] = Counter()
        for record in self.emulator.requests:
            if record.call in {"create", "update"}:
                sent.update(record.customer_ids)
        return sent

    def sent_blindly(self, start: int = 0) -> list[str]:
        """Customers whom a lane met twice since request `start` with no look-up in between.

        A request that Bunce has refused may be sent again: nothing of it is in doubt.
        """
        waiting: set[tuple[str, str]] = set()
        found: list[str] = []
        for record in self.emulator.requests[start:]:
            if record.call in {"create", "update"}:
                pairs = {(record.call, key) for key in record.customer_ids}
                found += [key for _, key in pairs & waiting]
                refused = record.status is not None and 400 <= record.status < 500
                waiting |= set() if refused else pairs
            else:
                waiting = {(call, key) for call, key in waiting if key not in record.customer_ids}
        return found

    def sent_again(self, settled: dict[str, str], sent: Counter[str]) -> list[str]:
        """Customers whose row was settled as it is at the source, and was sent since."""
        now, later = self.settled(), self.times_sent()
        return [
            key
            for key, row in self.rows.items()
            if not fault_of(row) and key in settled and settled[key] == now.get(key)
            if later[key] > sent[key]
        ]

    def check(self) -> str:
        """Everybody is where they belong, with the last content, and every bad row has a letter.

        Returns the figures in a line.
        """
        with self.database() as db:
            letters = db.rows(
                "SELECT customer_id, code FROM bunce_dead_letters WHERE status = 'open'"
            )
            claims = db.rows(
                "SELECT customer_id FROM bunce_customers WHERE claim_batch IS NOT NULL"
            )
            running = db.rows(
                "SELECT run_id, read, created + updated + adopted + skipped + unchanged + held + "
                "superseded + rejected + deferred AS counted FROM bunce_runs"
            )
        assert claims == []
        assert [run for run in running if run["read"] != run["counted"]] == []
        codes = {letter["customer_id"]: letter["code"] for letter in letters}
        assert len(codes) == len(letters)
        expected = {key: code for key, row in self.rows.items() if (code := fault_of(row))}
        assert expected == codes, self.output()
        there = self.emulator.customers
        for key, row in self.rows.items():
            if key not in expected:
                assert row["first_name"] == there[key]["first_name"], (key, self.output())
        return (
            f"{len(self.rows)} customers = {len(self.rows) - len(codes)} delivered + {len(codes)} "
            f"in dead letters; {len(running)} runs, {sum(run['read'] for run in running)} rows "
            f"read and counted; {len(self.emulator.requests)} requests"
        )


def fault_of(row: dict[str, Any]) -> str | None:
    """The code under which a row must end."""
    if "@" not in row["email"]:
        return "invalid_email"
    return "refused" if row["email"].endswith(REFUSED) else None
