"""Runs that have begun and have no load id yet: their source is being read.

An attempt gives way to the run of its first load file; what is left of one tells how it ended.
"""

from __future__ import annotations

from dlt_bunce.store.database import Database
from dlt_bunce.store.runs.processes import this_process

ATTEMPT = "attempt-"
"""The prefix of the run ids of runs that have no load id, or ended before they had one."""


def begin(
    db: Database, account: str, pipeline_name: str, *, started_at: str, source: str | None
) -> str:
    """Record that a run of this process has begun; return its run id.

    A command begins one before it knows the name of its pipeline: this takes its place.
    """
    run_id = f"{ATTEMPT}{started_at}"
    db.execute(
        "DELETE FROM bunce_runs WHERE account = $1 AND run_id = $2 AND state = 'running' "
        "AND process = $3 AND pipeline_name <> $4",
        (account, run_id, this_process(), pipeline_name),
    )
    db.execute(
        "INSERT INTO bunce_runs (run_id, pipeline_name, account, state, started_at, number, "
        "process, seen_at, source) SELECT $1, $2, $3, 'running', $4, COALESCE(MAX(number), 0) + 1, "
        "$5, $6, $7 FROM bunce_runs WHERE true "
        "ON CONFLICT (run_id, pipeline_name) DO NOTHING",
        (run_id, pipeline_name, account, started_at, this_process(), db.utc_now(), source),
    )
    return run_id


def mark_seen(db: Database, run_id: str, pipeline_name: str) -> bool:
    """Record that the attempt's process is alive; return whether the attempt is still there."""
    found = db.rows(
        "UPDATE bunce_runs SET seen_at = $1 WHERE run_id = $2 AND pipeline_name = $3 "
        "RETURNING run_id",
        (db.utc_now(), run_id, pipeline_name),
    )
    return bool(found)


def give_way(db: Database, account: str, pipeline_name: str) -> None:
    """Remove the attempts of a pipeline that this process has begun: a run takes their place."""
    db.execute(
        "DELETE FROM bunce_runs WHERE account = $1 AND pipeline_name = $2 AND state = 'running' "
        "AND process = $3 AND run_id LIKE $4",
        (account, pipeline_name, this_process(), f"{ATTEMPT}%"),
    )


def withdraw(db: Database, account: str, run_id: str) -> None:
    """Remove an attempt of this process that has neither become a run nor failed."""
    db.execute(
        "DELETE FROM bunce_runs WHERE account = $1 AND run_id = $2 AND state = 'running' "
        "AND process = $3",
        (account, run_id, this_process()),
    )
