"""Shared helpers and fixtures of the store's tests."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pytest
from tests.forks import Forks

from dlt_bunce.model import Traffic
from dlt_bunce.store.database import Database
from dlt_bunce.store.ledger import SETTLED, Ledger
from dlt_bunce.store.letters.dead_letters import LETTERS
from dlt_bunce.store.load_file import LoadFile
from dlt_bunce.store.runs import run_chunks, runs

_HEAD = """
import json, sys, time

def ready():
    print("ready", flush=True)
    return float(sys.stdin.readline())

def answer(value):
    print(json.dumps(value), flush=True)

"""


@pytest.fixture
def together(loading: Forks) -> Callable[[Sequence[str]], list[Any]]:
    """Run programs in separate processes.

    Each calls `start = ready()`, which returns the same time in all of them, and reports its result
    with `answer(value)`.
    """

    def run(programs: Sequence[str]) -> list[Any]:
        running = [
            subprocess.Popen(
                loading.python(_HEAD + program),
                env={**os.environ, "PYTHONWARNINGS": "error"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for program in programs
        ]
        for process in running:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        start = time.time() + 0.1
        for process in running:
            assert process.stdin is not None
            process.stdin.write(f"{start}\n")
            process.stdin.flush()
        answers = [process.communicate(timeout=60)[0] for process in running]
        return [json.loads(answer) for answer in answers]

    return run


@dataclass
class LedgerHelper:
    """One job's view of a store, with short helpers for tests."""

    db: Database
    load_file: LoadFile
    clock: Callable[[], float]

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.db, self.load_file, clock=self.clock)

    def claim(
        self, *rows: Row, chunk: int = 0, bad: Sequence[BadRow] = (), superseded: int = 0
    ) -> dict[str, bool]:
        """Claim a chunk; return the customers to send and whether each is indeterminate."""
        read = len(rows) + len(bad) + superseded
        claim = self.ledger.claim(
            accepted(rows), letters(bad, chunk), chunk=chunk, read=read, superseded=superseded
        )
        sent = claim.to_send.to_pylist()
        return {row["customer_id"]: row["indeterminate"] for row in sent}

    def verbs(self, *rows: Row) -> dict[str, str]:
        """Claim a chunk; return the customers to send and the verb of each."""
        claim = self.ledger.claim(
            accepted(rows), letters((), 0), chunk=0, read=len(rows), superseded=0
        )
        return {row["customer_id"]: row["verb"] for row in claim.to_send.to_pylist()}

    def settle(
        self, fate: str, *rows: Row, chunk: int = 0, done: Sequence[int] = (), **changes: Any
    ) -> None:
        """Settle `rows` with a fate; rejected rows also get dead letters of the stage `api`."""
        refused = [(key, content) for key, content, *_ in rows] if fate == "rejected" else []
        table = pa.Table.from_pylist(
            [
                {
                    "customer_id": key,
                    "fate": fate,
                    "confirmation": None if fate in {"rejected", "deferred"} else "response",
                    "fingerprint": content,
                    "version": version[0] if version else None,
                    "email_digest": f"digest of {key}",
                    "chunk": chunk,
                    "indeterminate": 0,
                }
                | {name: int(v) if name == "indeterminate" else v for name, v in changes.items()}
                for key, content, *version in rows
            ],
            SETTLED,
        )
        refusals = letters(refused, chunk, stage="api")
        self.ledger.settle(table, refusals, Traffic(requests=1), done)

    def load(self, fate: str, *rows: Row, chunk: int = 0) -> None:
        """Claim a chunk, all of whose rows must be sent, and settle it with a fate."""
        assert set(self.claim(*rows, chunk=chunk)) == {row[0] for row in rows}
        self.settle(fate, *rows, chunk=chunk)

    def counts(self) -> dict[str, int]:
        """Return the job's counts, without zeros."""
        return {name: n for name, n in run_chunks.job_counts(self.db, self.load_file).items() if n}

    def letters(self) -> dict[str, str]:
        """Return the status of each dead letter, by fingerprint."""
        rows = self.db.rows("SELECT fingerprint, status FROM bunce_dead_letters ORDER BY id")
        return {row["fingerprint"]: row["status"] for row in rows}


Row = tuple[Any, ...]
"""customer_id, content (also used as its fingerprint), and optionally a version."""
BadRow = tuple[Any, ...]
"""customer_id or None, content, and optionally a version."""


def accepted(rows: Sequence[Row]) -> pa.Table:
    """Return accepted rows as in records.Prepared, with the columns that the store uses."""
    return pa.table(
        {
            "row": pa.array(range(len(rows)), pa.int64()),
            "customer_id": pa.array([row[0] for row in rows], pa.string()),
            "fingerprint": pa.array([row[1] for row in rows], pa.string()),
            "version": pa.array([row[2] if row[2:] else None for row in rows], pa.int64()),
        }
    )


def letters(rows: Sequence[BadRow], chunk: int, stage: str = "normalize") -> pa.Table:
    """Return the dead letters of bad rows."""
    return pa.Table.from_pylist(
        [
            {
                "customer_id": key,
                "code": "invalid_email" if stage == "normalize" else "refused",
                "field": "email",
                "message": "said by Bunce of ada@example.com" if stage == "api" else "no address",
                "stage": stage,
                "source_row": '{"email": "ada@example.com"}',
                "payload": '{"email": "ada@example.com"}' if stage == "api" else None,
                "fingerprint": content,
                "version": version[0] if version else None,
                "chunk": chunk,
            }
            for key, content, *version in rows
        ],
        LETTERS,
    )


@dataclass
class Time:
    """A clock that only moves when a test moves it."""

    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest) -> str:
    """An empty store of either kind: SQLite and Postgres must behave alike."""
    if request.param == "sqlite":
        return "sqlite:///bunce.sqlite"
    return str(request.getfixturevalue("postgres_store"))


@pytest.fixture
def db(store_url: str) -> Iterator[Database]:
    with Database(store_url) as db:
        yield db


@pytest.fixture
def ledger_helper(db: Database, clock: Time) -> Callable[..., LedgerHelper]:
    """Make a ledger for a load file; `ledger_helper("second")` belongs to another run."""

    def make(
        run: str = "first",
        *,
        account: str = "default",
        disposition: str = "merge",
        **changes: Any,
    ) -> LedgerHelper:
        load_file = LoadFile(account, run, "crm", "customers", "file", disposition, **changes)
        return LedgerHelper(db, runs.begin(db, load_file, {}), clock)

    return make
