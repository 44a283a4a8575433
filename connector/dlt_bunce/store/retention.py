"""What is old: letters that are closed, and the counts of runs; deleted means overwritten."""

from __future__ import annotations

from collections.abc import Sequence

from dlt_bunce.store.database import Database

CLOSED = ("resolved", "superseded", "discarded")
_NEVER = "9999"
"""After every moment as text."""
_WHEN = "CASE WHEN status = 'open' THEN last_seen_at ELSE resolved_at END"

# The newest completed run of a pipeline tells what its names meant and how much it read, a letter's
# run how to replay it; a run that is not completed may still lie in some folder.
_OLD_RUNS = """
account = $1 AND state = 'completed' AND ended_at < $2
  AND EXISTS (SELECT 1 FROM bunce_runs AS n WHERE n.account = $1 AND n.state = 'completed'
    AND n.pipeline_name = bunce_runs.pipeline_name AND n.number > bunce_runs.number
    AND COALESCE(n.table_name, '') = COALESCE(bunce_runs.table_name, '') AND n.read > 0)
  AND NOT EXISTS (SELECT 1 FROM bunce_dead_letters AS d
    WHERE d.account = $1 AND d.run_id = bunce_runs.run_id)
"""


def purge(
    db: Database, account: str, *, before: str = _NEVER, statuses: Sequence[str] = CLOSED
) -> int:
    """Deletes the letters of some statuses that were closed, or are open and were met last, before
    a moment, ISO-8601 in UTC; returns how many.

    A row is forgotten with its letter: it is sent, or listed, again when it is met again.
    """
    marks = ", ".join(f"${number + 3}" for number in range(len(statuses)))
    where = f"account = $1 AND status IN ({marks}) AND {_WHEN} < $2"
    parameters = (account, before, *statuses)
    with db.transaction():
        db.execute(
            "UPDATE bunce_customers SET rejected_fingerprint = NULL WHERE account = $1 "  # noqa: S608
            "AND (customer_id, rejected_fingerprint) IN (SELECT customer_id, fingerprint "
            f"FROM bunce_dead_letters WHERE {where} AND status IN ('open', 'discarded'))",
            parameters,
        )
        gone = db.rows(f"DELETE FROM bunce_dead_letters WHERE {where} RETURNING id", parameters)  # noqa: S608
    return len(gone)


def retain(db: Database, account: str, *, since: str) -> None:
    """Forgets the rows of letters that were closed before a moment, and runs that ended before it.

    Of a discarded letter the key stays, which holds its row back. Runs that a later one, a letter,
    or a folder rests on stay, too.
    """
    closed = "account = $1 AND resolved_at < $2"
    with db.transaction():
        db.execute(
            f"DELETE FROM bunce_dead_letters WHERE {closed} "  # noqa: S608
            "AND status IN ('resolved', 'superseded')",
            (account, since),
        )
        db.execute(
            "UPDATE bunce_dead_letters SET source_row = NULL, payload = NULL, "  # noqa: S608
            f"message = code, email_digest = NULL WHERE {closed} AND status = 'discarded' "
            "AND (source_row IS NOT NULL OR payload IS NOT NULL OR email_digest IS NOT NULL)",
            (account, since),
        )
        gone = f"SELECT run_id FROM bunce_runs WHERE {_OLD_RUNS}"  # noqa: S608, of constants alone
        db.execute(f"DELETE FROM bunce_run_chunks WHERE run_id IN ({gone})", (account, since))  # noqa: S608
        db.execute(f"DELETE FROM bunce_runs WHERE {_OLD_RUNS}", (account, since))  # noqa: S608
    # readers may keep a log from being emptied: then the next run does it
    db.overwrite()
