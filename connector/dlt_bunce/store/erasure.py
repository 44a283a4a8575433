"""Customers who are to be forgotten, and letters that are old: deleted means overwritten."""

from __future__ import annotations

import pyarrow as pa

from dlt_bunce.errors import UsageError
from dlt_bunce.store.database import Database
from dlt_bunce.store.statements import BUSY_AMONG

_NEVER = "9999"
"""After every moment as text."""
_TABLES = ("bunce_customers", "bunce_dead_letters")


def erase_customers(db: Database, account: str, ids: pa.Array) -> dict[str, int]:
    """Deletes customers from ledger and dead letters; returns how many rows of each table.

    Raises UsageError while one of them is being sent: the answer would write them down again.
    """
    db.ingest("bunce_erased", pa.table({"customer_id": ids}))
    with db.transaction():
        busy = db.rows(BUSY_AMONG, (account, db.now_ms()))[0]["n"]
        if busy:
            raise UsageError(
                f"{busy} of these customers are being sent right now.",
                remedy="Wait for that load to end and run again.",
            )
        where = "account = $1 AND customer_id IN (SELECT customer_id FROM bunce_erased)"
        erased = {}
        for table in _TABLES:
            found = db.rows(f"SELECT COUNT(*) AS n FROM {table} WHERE {where}", (account,))  # noqa: S608
            erased[table] = int(found[0]["n"])
            db.execute(f"DELETE FROM {table} WHERE {where}", (account,))  # noqa: S608
    if any(erased.values()):
        db.overwrite(*_TABLES)
    return erased


def purge(db: Database, account: str, *, before: str = _NEVER) -> int:
    """Deletes the letters that were closed before a moment, ISO-8601 in UTC; returns how many.

    A discarded row is forgotten with its letter: it is sent, or listed, again when it is met again.
    """
    with db.transaction():
        db.execute(
            "UPDATE bunce_customers SET rejected_fingerprint = NULL WHERE account = $1 "
            "AND (customer_id, rejected_fingerprint) IN (SELECT customer_id, fingerprint "
            "FROM bunce_dead_letters WHERE account = $1 AND status = 'discarded' "
            "AND resolved_at < $2)",
            (account, before),
        )
        where = "account = $1 AND status <> 'open' AND resolved_at < $2"
        count = _count(db, where, (account, before))
        db.execute(f"DELETE FROM bunce_dead_letters WHERE {where}", (account, before))  # noqa: S608
    if count:
        db.overwrite("bunce_dead_letters")
    return count


def retain(db: Database, account: str, *, since: str) -> None:
    """Forgets the rows of letters that were closed before a moment.

    Of a discarded one the key stays, which holds its row back.
    """
    closed = "account = $1 AND resolved_at < $2"
    with db.transaction():
        db.execute(
            f"DELETE FROM bunce_dead_letters WHERE {closed} "  # noqa: S608
            "AND status IN ('resolved', 'superseded')",
            (account, since),
        )
        db.execute(
            "UPDATE bunce_dead_letters SET source_row = NULL, payload = NULL, message = code "  # noqa: S608
            f"WHERE {closed} AND status = 'discarded' AND source_row IS NOT NULL",
            (account, since),
        )


def _count(db: Database, where: str, parameters: tuple[object, ...]) -> int:
    rows = db.rows(f"SELECT COUNT(*) AS n FROM bunce_dead_letters WHERE {where}", parameters)  # noqa: S608
    return int(rows[0]["n"])


def pipelines_of(db: Database, account: str) -> dict[str, str]:
    """The pipelines of an account, each with the id column of its newest run."""
    rows = db.rows(
        "SELECT pipeline_name, mapping FROM bunce_runs WHERE account = $1 "
        "AND mapping IS NOT NULL ORDER BY COALESCE(number, 0)",
        (account,),
    )
    return {row["pipeline_name"]: row["mapping"] for row in rows}
