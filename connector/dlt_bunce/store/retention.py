"""Retention of closed dead letters and run counts; what is deleted is also overwritten."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from dlt_bunce.store.database import Database
from dlt_bunce.store.letters import released
from dlt_bunce.store.values import waiting_values

LETTERS = "bunce_dead_letters"
"""The table that `purge` deletes from."""
CLOSED = ("resolved", "superseded", "discarded")
_PORTION = 10_000
"""Dead letters that one transaction deletes."""
_NEVER = "9999"
"""Text that sorts after every timestamp."""
_WHEN = "CASE WHEN status = 'open' THEN last_seen_at ELSE resolved_at END"
# a row that is held again writes nothing, so it may be any of those that a later run has held
_MAY_BE_HELD = """
status = 'open' AND EXISTS (SELECT 1 FROM bunce_runs AS r WHERE r.account = $1
  AND r.pipeline_name = bunce_dead_letters.pipeline_name AND r.held > 0
  AND COALESCE(r.ended_at, r.started_at) >= $2)
"""

# Selects runs that may be deleted. The last completed run of a pipeline stays because the next one
# is compared with it; the run of a dead letter stays because replays need its mapping; a run that
# has not completed may still have files in a pipeline folder.
_OLD_RUNS = """
account = $1 AND (state = 'completed' OR run_id LIKE 'attempt-%') AND ended_at < $2
  AND EXISTS (SELECT 1 FROM bunce_runs AS n WHERE n.account = $1 AND n.state = 'completed'
    AND n.pipeline_name = bunce_runs.pipeline_name AND n.number > bunce_runs.number
    AND COALESCE(n.table_name, '') = COALESCE(bunce_runs.table_name, '')
    AND n.read + n.value_rows > 0)
  AND NOT EXISTS (SELECT 1 FROM bunce_dead_letters AS d
    WHERE d.account = $1 AND d.run_id = bunce_runs.run_id)
  AND NOT EXISTS (SELECT 1 FROM bunce_dead_letters AS d
    WHERE d.account = $1 AND d.read_run_id = bunce_runs.run_id)
"""


def purge(
    db: Database, account: str, *, before: str = _NEVER, statuses: Sequence[str] = CLOSED
) -> int:
    """Delete dead letters that were closed (or, if open, last seen) before a time; return how many.

    `before` is ISO-8601 text in UTC; only dead letters with one of `statuses` are deleted, and no
    open ones of a pipeline that has held rows since, as their rows may be among these. A row is
    forgotten along with its dead letter: if it is read again, it is sent or rejected again. Takes
    one transaction for every 10,000, so that no load waits long; run it again if it is interrupted.
    """
    total = 0
    while ids := _portion(db, account, before, statuses):
        db.ingest("bunce_chosen", pa.table({"id": pa.array(ids, pa.string())}))
        with db.transaction():
            db.execute(
                "UPDATE bunce_customers SET rejected_fingerprint = NULL WHERE account = $1 "
                "AND (customer_id, rejected_fingerprint) IN (SELECT customer_id, fingerprint "
                "FROM bunce_dead_letters WHERE status IN ('open', 'discarded') "
                "AND id IN (SELECT id FROM bunce_chosen))",
                (account,),
            )
            released.send_emails_again(db, account)
            purged = db.rows(
                "DELETE FROM bunce_dead_letters WHERE id IN (SELECT id FROM bunce_chosen) "
                "RETURNING id"
            )
        total += len(purged)
    return total


def _portion(db: Database, account: str, before: str, statuses: Sequence[str]) -> list[str]:
    marks = ", ".join(f"${number + 3}" for number in range(len(statuses)))
    rows = db.rows(
        f"SELECT id FROM bunce_dead_letters WHERE account = $1 AND status IN ({marks}) "  # noqa: S608
        f"AND {_WHEN} < $2 AND NOT ({_MAY_BE_HELD}) LIMIT {_PORTION}",
        (account, before, *statuses),
    )
    return [row["id"] for row in rows]


def retain(db: Database, account: str, *, since: str) -> None:
    """Delete dead letters that were closed before `since`, runs that ended before it, and whom
    values have been waiting for since before it.

    A discarded dead letter keeps its key, which holds its row back, but loses the row. Runs that a
    later run, a dead letter, or a pipeline folder depends on stay as well.
    """
    closed = "account = $1 AND resolved_at < $2"
    outlived = f"{closed} AND status IN ('resolved', 'superseded')"
    _in_portions(db, "DELETE FROM bunce_dead_letters", outlived, (account, since))
    _in_portions(
        db,
        "UPDATE bunce_dead_letters SET source_row = NULL, payload = NULL, message = code, "
        "email_digest = NULL",
        f"{closed} AND status = 'discarded' "
        "AND (source_row IS NOT NULL OR payload IS NOT NULL OR email_digest IS NOT NULL)",
        (account, since),
    )
    with db.transaction():
        waiting_values.forget(db, account, before=since)
        old_runs = f"SELECT run_id FROM bunce_runs WHERE {_OLD_RUNS}"  # noqa: S608, constants only
        for counts in ("bunce_run_chunks", "bunce_run_values"):
            db.execute(f"DELETE FROM {counts} WHERE run_id IN ({old_runs})", (account, since))  # noqa: S608
        db.execute(f"DELETE FROM bunce_runs WHERE {_OLD_RUNS}", (account, since))  # noqa: S608
    # a reader may keep the log from being emptied: then the next run does it
    db.overwrite()


def _in_portions(db: Database, change: str, where: str, parameters: Sequence[str]) -> None:
    """Change dead letters until none is left to change, in a transaction for every 10,000."""
    chosen = f"SELECT id FROM bunce_dead_letters WHERE {where} LIMIT {_PORTION}"  # noqa: S608
    while True:
        with db.transaction():
            changed = db.rows(f"{change} WHERE id IN ({chosen}) RETURNING id", parameters)
        if len(changed) < _PORTION:
            return
