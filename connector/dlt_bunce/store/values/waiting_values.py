"""Customers whom rows of values wait for: met in a table that holds values alone, and not accepted.

A row that waits again writes nothing. An entry goes once a load reads the row with its customer
accepted; until then, nothing but reading the row again sends its values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from dlt_bunce.store.database import Database, utc_now
from dlt_bunce.store.paging import PAGE, pages_by

if TYPE_CHECKING:
    from dlt_bunce.store.load_file import LoadFile

STATES: Mapping[str, str] = MappingProxyType(
    {
        "unknown": "load the customer, then read the row again",
        "rejected": "correct the customer's dead letter, then read the row again",
        "accepted": "read the row again: without the cursor, if the table is read by one",
    }
)
"""What may be known of a customer by now, and what then sends the values."""
SCHEMA = pa.schema(
    [
        (name, pa.string())
        for name in (
            "customer_id",
            "customer",
            "source",
            "table_name",
            "pipeline_name",
            "waiting_since",
            "run_id",
        )
    ]
)
_KEY = ("w.customer_id", "w.pipeline_name", "w.table_name")
_ENTRIES = """
SELECT w.customer_id AS customer_id, COALESCE(r.source, w.table_name) AS source,
  w.table_name AS table_name,
  w.pipeline_name AS pipeline_name, w.waiting_since AS waiting_since, w.run_id AS run_id,
  CASE
    WHEN c.delivered_at IS NOT NULL THEN 'accepted'
    WHEN EXISTS (SELECT 1 FROM bunce_dead_letters AS d WHERE d.account = w.account
      AND d.customer_id = w.customer_id AND d.status = 'open') THEN 'rejected'
    ELSE 'unknown'
  END AS customer
FROM bunce_waiting_values AS w
LEFT JOIN bunce_customers AS c ON c.account = w.account AND c.customer_id = w.customer_id
LEFT JOIN bunce_runs AS r ON r.run_id = w.run_id AND r.pipeline_name = w.pipeline_name
WHERE {where}
"""
_NOTE = """
INSERT INTO bunce_waiting_values
  (account, customer_id, pipeline_name, table_name, waiting_since, run_id)
SELECT $1, n.customer_id, $2, $3, $4, $5 FROM bunce_now_waiting AS n
WHERE true ORDER BY n.customer_id
ON CONFLICT (account, customer_id, pipeline_name, table_name) DO NOTHING
"""
_END = """
DELETE FROM bunce_waiting_values WHERE account = $1 AND pipeline_name = $2 AND table_name = $3
  AND customer_id IN (SELECT customer_id FROM bunce_no_longer_waiting)
"""


@dataclass(frozen=True)
class WaitingSelection:
    """A filter on what waits; None sets no filter, and an empty list matches nothing."""

    customer_ids: Sequence[str] | None = None
    pipelines: Sequence[str] | None = None

    def where(self, db: Database, account: str) -> tuple[str, list[object]]:
        """Return an SQL condition and its parameters, numbered from $1."""
        ids, pipelines = (
            None if chosen is None else pa.array(dict.fromkeys(chosen), pa.string())
            for chosen in (self.customer_ids, self.pipelines)
        )
        where = "w.account = $1"
        if ids is not None:
            db.ingest("bunce_asked_values", pa.table({"customer_id": ids}))
            where += " AND w.customer_id IN (SELECT customer_id FROM bunce_asked_values)"
        if pipelines is not None:
            db.ingest("bunce_asked_pipelines", pa.table({"name": pipelines}))
            where += " AND w.pipeline_name IN (SELECT name FROM bunce_asked_pipelines)"
        return where, [account]


EVERY = WaitingSelection()


def note(db: Database, load_file: LoadFile, waiting: pa.Array, others: pa.Array) -> None:
    """Note the customers whom rows of a chunk wait for, and that those of `others` wait no longer;
    inside the caller's transaction.
    """
    table = load_file.pipeline_name, load_file.table_name
    if len(waiting):
        db.ingest("bunce_now_waiting", pa.table({"customer_id": waiting}))
        db.execute(_NOTE, (load_file.account, *table, utc_now(), load_file.run_id))
    if len(others) and _any(db, load_file.account):
        db.ingest("bunce_no_longer_waiting", pa.table({"customer_id": others}))
        db.execute(_END, (load_file.account, *table))


def pages(
    db: Database, account: str, selection: WaitingSelection = EVERY, *, size: int = PAGE
) -> Iterator[pa.Table]:
    """Yield what waits (SCHEMA) by customer, page by page."""
    where, parameters = selection.where(db, account)
    select = _ENTRIES.format(where=where)
    yield from pages_by(_KEY, db, select, parameters, schema=SCHEMA, size=size)


def groups(db: Database, account: str, selection: WaitingSelection = EVERY) -> list[dict[str, Any]]:
    """Count what waits by source and what is known of the customer."""
    where, parameters = selection.where(db, account)
    return db.rows(
        "SELECT source, customer, COUNT(*) AS count "  # noqa: S608, constants only
        f"FROM ({_ENTRIES.format(where=where)}) AS entries "
        "GROUP BY source, customer ORDER BY source, customer",
        parameters,
    )


def forget(db: Database, account: str, *, before: str) -> None:
    """Forget what has been waiting since before a time, inside the caller's transaction."""
    sql = "DELETE FROM bunce_waiting_values WHERE account = $1 AND waiting_since < $2"
    db.execute(sql, (account, before))


def _any(db: Database, account: str) -> bool:
    sql = "SELECT 1 AS n FROM bunce_waiting_values WHERE account = $1 LIMIT 1"
    return bool(db.rows(sql, (account,)))
