"""Whatever the API turns out to mean, a load ends in the same state, within a bound on requests."""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dlt_bunce.api.pacing import BatchSize, Pace
from dlt_bunce.api.session import Session
from dlt_bunce.emulator import Behavior, Emulator
from dlt_bunce.errors import RowsDeferredError
from dlt_bunce.load import Load, Settings
from dlt_bunce.records.mapping import resolve_mapping
from dlt_bunce.records.prepare import Rules
from dlt_bunce.store import runs
from dlt_bunce.store.database import Database
from dlt_bunce.store.ledger import Job

from .crowd import KINDS, REFUSED, Crowd

CROWD = Crowd.mixed()
BATCH = 30
MOST_LOADS = 4
LIMIT = 10
"""Rows a batch may have where there is a limit: batches of 30 are halved to 7."""

# what an answer means: the full product of these is tried
FAILURES = ("partial", "atomic")
ERRORS = ("all", "first", "twice", "anonymous")
COUNTS: dict[str, dict[str, Any]] = {
    "true count": {},
    "no count": {"failure_count": False},
    "count too high": {"count_offset": 1},
    "count too low": {"count_offset": -1},
}
LOOK_UPS: dict[str, dict[str, Any]] = {
    "look-up": {},
    "nested": {"lookup": "nested"},
    "20 ids": {"lookup_max_ids": 20},
    "100 ids": {"lookup_max_ids": 100},
    "lagging": {"lookup_lag": 1},
    "no look-up": {"lookup": "absent"},
}
REPEATED = ("refused", "overwritten", "ignored")
EMAILS = ("unique", "shared")
# how it is said: every pair of these with each other and with the above is tried
STATUSES = (200, 207, 400, 409, 422)
FLAGS = ("documented", "success", "status", "absent")
LIMITS = (0, 413, 422, 400)
ECHOES: dict[str, dict[str, Any]] = {
    "whole": {},
    "missing rows": {"drop_echo_every": 4},
    "reordered": {"reorder_echo": True},
    "unknown fields": {"unknown_fields": True},
}
DISPOSITIONS = ("append", "merge")


@dataclass(frozen=True)
class Reading:
    """One reading of the API, by the names above."""

    failure: str
    errors: str
    count: str
    look_up: str
    repeated: str
    emails: str
    status: int
    flag: str
    limit: int
    echo: str
    disposition: str

    @property
    def behavior(self) -> Behavior:
        """The emulator's switches."""
        limit = {"max_batch": LIMIT, "too_large_status": self.limit} if self.limit else {}
        return Behavior(
            rate_limit=0,
            refused_email_domain=REFUSED,
            failure=self.failure,  # type: ignore[arg-type]
            errors=self.errors,  # type: ignore[arg-type]
            repeated_id=self.repeated,  # type: ignore[arg-type]
            emails=self.emails,  # type: ignore[arg-type]
            failure_status=self.status,
            flag=self.flag,  # type: ignore[arg-type]
            **COUNTS[self.count],
            **LOOK_UPS[self.look_up],
            **ECHOES[self.echo],
            **limit,
        )

    @property
    def has_look_up(self) -> bool:
        """Whether customers can be looked up."""
        return self.look_up != "no look-up"

    @property
    def refused(self) -> int:
        """Rows that are refused when they are sent for the first time."""
        known = KINDS["same"] + KINDS["other"] if self.repeated == "refused" else 0
        return KINDS["bad"] + known + (KINDS["borrower"] if self.emails == "unique" else 0)


def readings(failure: str, errors: str, count: str) -> Iterator[Reading]:
    """Every combination of what an answer means, each said in a way of its own."""
    for meaning in itertools.product(LOOK_UPS, REPEATED, EMAILS):
        chance = random.Random("/".join((failure, errors, count, *meaning)))
        said = [chance.choice(list(ways)) for ways in (STATUSES, FLAGS, LIMITS, ECHOES)]
        yield Reading(failure, errors, count, *meaning, *said, chance.choice(DISPOSITIONS))  # type: ignore[call-arg, arg-type]


@dataclass(frozen=True)
class Taken:
    """What it took to settle everybody: `loads` counts those that left rows for the next one."""

    bulk: int
    look_ups: int
    loads: int


def load(reading: Reading, emulator: Emulator, db: Database, job: Job) -> Taken:
    """Loads the crowd, again while rows are deferred."""
    start = len(emulator.requests)
    settings = Settings(resolve_mapping(list(CROWD.row("c0"))), Rules(), b"key", concurrency=2)
    runs.begin(db, job, {})
    for number in range(1, MOST_LOADS + 1):
        with closing(Session(emulator.base_url, "sk_test_x", pace=Pace(0))) as session:
            size = BatchSize(BATCH, BATCH)
            try:
                Load(CROWD, job, settings, db, session, size).run()
            except RowsDeferredError:
                continue
        calls = Counter(record.call for record in emulator.requests[start:])
        return Taken(calls["create"] + calls["update"], calls["lookup"], number)
    raise AssertionError(f"not settled in {MOST_LOADS} loads: {reading}")


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("errors", ERRORS)
@pytest.mark.parametrize("failure", FAILURES)
def test_every_reading_ends_in_the_same_state(
    tmp_path: Path, emulator: Emulator, failure: str, errors: str, count: str
) -> None:
    with Database(f"sqlite:///{tmp_path / 'bunce.sqlite'}") as db:
        for number, reading in enumerate(readings(failure, errors, count)):
            emulator.reset()
            emulator.seed(CROWD.beforehand())
            emulator.behavior = reading.behavior
            job = Job(f"a{number}", f"run{number}", "crm", "customers", "1", reading.disposition)

            taken = load(reading, emulator, db, job)

            letters = db.rows(
                "SELECT customer_id, code FROM bunce_dead_letters WHERE account = $1", (job.account,)
            )
            wrong = Counter(
                CROWD.deviations(
                    emulator.customers,
                    {letter["customer_id"]: letter["code"] for letter in letters},
                    shared=reading.emails == "shared",
                    overwrite=reading.disposition == "merge",
                )
            )
            print(taken, dict(wrong), reading)
