"""Query plans of SQLite: by key, never a scan of all customers, letters, or rejected values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from dlt_bunce.store import verdicts
from dlt_bunce.store.database import Database
from dlt_bunce.store.letters import corrections, dead_letters, released
from dlt_bunce.store.letters.dead_letter_query import Grouping, count_by
from dlt_bunce.store.letters.selection import Selection
from dlt_bunce.store.load_file import LoadFile
from dlt_bunce.store.values import rejected_values, values, waiting_values

from .conftest import LedgerHelper

_LARGE = ("bunce_customers", "bunce_dead_letters", "bunce_rejected_values", "bunce_waiting_values")
_KEYS = re.compile(r"\b(id|customer_id|email_digest)=\?")


class Explained(Database):
    """A database that records SQLite's query plan of each statement."""

    def __init__(self, store_url: str) -> None:
        super().__init__(store_url)
        self.plans: dict[str, list[str]] = {}

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> None:
        self._explain(sql, parameters)
        super().execute(sql, parameters)

    def query(self, sql: str, parameters: Sequence[object] = (), **named: Any) -> pa.Table:
        self._explain(sql, parameters)
        return super().query(sql, parameters, **named)

    @property
    def through_all(self) -> list[str]:
        """The steps that read a large table without a key."""
        return [
            f"{step}\n{sql}"
            for sql, steps in self.plans.items()
            for step in steps
            if _reads_a_large_table(step, sql) and not _KEYS.search(step)
        ]

    def _explain(self, sql: str, parameters: Sequence[object]) -> None:
        if re.search("|".join(_LARGE), sql):
            plan = super().query(f"EXPLAIN QUERY PLAN {sql}", parameters)
            self.plans[sql] = plan.column("detail").to_pylist()


def _reads_a_large_table(step: str, sql: str) -> bool:
    how, _, rest = step.partition(" ")
    table = rest.split(" ")[0]
    for large in _LARGE:
        if how in {"SCAN", "SEARCH"} and (table == large or f"{large} AS {table} " in f"{sql} "):
            # an alias may stand for two tables of one statement
            return how == "SEARCH" or not re.search(
                rf"bunce_(?!cust|dead|rejected_v|waiting_v)\w+ AS {table}\b", sql
            )
    return False


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Explained]:
    with Explained(f"sqlite:///{tmp_path}/bunce.sqlite") as db:
        db.plans.clear()
        yield db


def ledger_helper(db: Database, run: str) -> LedgerHelper:
    """Return a job of the run."""
    return LedgerHelper(
        db, LoadFile("default", run, "crm", "customers", "1", "merge"), lambda: 1_000_000.0
    )


def test_a_load_finds_customers_and_their_letters_by_key(db: Explained) -> None:
    first, second = ledger_helper(db, "first"), ledger_helper(db, "second")
    rows = [("good", "a"), ("bad", "b"), ("back", "c"), ("slow", "e")]
    first.claim(*rows, bad=[("worse", "d"), ("back", "before")])
    first.ledger.mark_in_flight({0: 2})
    first.settle("rejected", rows[1])
    first.settle("created", rows[0], rows[2])
    first.settle("deferred", rows[3], indeterminate=True)
    second.claim(("bad", "better"), ("good", "a"), ("worse", "fine"))
    second.settle("created", ("bad", "better"))
    second.ledger.emails_of_others({"bad": "digest of good"})

    assert len(db.plans) >= 12
    assert db.through_all == []


def test_letters_are_closed_by_key(db: Explained) -> None:
    ledger_helper(db, "first").claim(bad=[("worse", "d"), ("back", "before")])
    corrected_id, discarded_id = (row["id"] for row in db.rows("SELECT id FROM bunce_dead_letters"))
    db.plans.clear()
    corrected = {
        "letter_id": corrected_id,
        "own_id": "new",
        "customer_id": "worse",
        "fingerprint": "e",
    }

    released.release(db, "default", [corrected_id])
    dead_letters.close_unseen(db, "default", {corrected_id: "2020-01-01"}, "resolved")
    table = pa.Table.from_pylist([corrected | {"version": 1}], corrections.CORRECTED)
    corrections.close_corrected(db, "default", table)
    dead_letters.set_status(db, "default", [discarded_id], "discarded")

    assert len(db.plans) >= 7
    assert db.through_all == []


def test_values_are_compared_settled_and_retried_by_key(db: Explained) -> None:
    file = LoadFile("default", "run", "crm", "customers", "1", "merge")
    ids = pa.array([f"c{n}" for n in range(2_000)])
    slots = pa.array([1] * len(ids), pa.int64())
    nothing = {field.name: pa.nulls(len(ids), field.type) for field in values.INCOMING}
    incoming = pa.table(nothing | {"customer_id": ids}, schema=values.INCOMING)
    why = {name: pa.array(["x"] * len(ids)) for name in ("name", "column_name", "code", "message")}
    digests = pa.nulls(len(ids), pa.binary())
    rejected = pa.table(
        {"customer_id": ids, "slot": slots, **why, "http_status": slots, "digest": digests},
        schema=values.REJECTED,
    )
    answered = rejected.select(values.ANSWERED.names)

    verdicts.ingest(db, incoming, None)
    verdicts.judge(db, file, incoming, chunk=0, correcting=None, now=1)
    values.changed(db, "default", incoming)
    with db.transaction():
        values.packed_of(db, "default", ids.to_pylist())
        packed = pa.table([ids, digests, digests, slots], schema=values.PACKED)
        values.repack(db, "default", packed)
        values.record_rejected(db, file, rejected)
        rejected_values.mark_retried(db, "default", answered)
        rejected_values.mark_discarded(db, "default", answered)
        waiting_values.note(db, file, ids, ids)
        values.forget_rejected(db, "default", answered)

    assert len(db.plans) == 11
    # whether there is any is asked of the first one
    assert [step for step in db.through_all if "LIMIT 1" not in step] == []


@pytest.mark.parametrize("status", ["open", None])
@pytest.mark.parametrize("by", ["code", "field", "run_id", "pipeline_name", "status"])
def test_dead_letters_are_counted_from_an_index_alone(
    by: Grouping, status: str | None, db: Explained
) -> None:
    ledger_helper(db, "first").claim(bad=[("worse", "d"), ("back", "before")])
    db.plans.clear()

    assert sum(count_by(db, "default", Selection(status=status), by).values()) == 2

    [steps] = db.plans.values()
    assert [step for step in steps if "bunce_dead_letters" in step and "COVERING" not in step] == []
