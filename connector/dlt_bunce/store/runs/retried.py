"""Runs that did not complete, and whose rows a later run has read again."""

from __future__ import annotations

import json
from datetime import datetime

from dlt_bunce.store.database import Database, as_utc
from dlt_bunce.store.runs.value_fates import ROWS


def retried(db: Database, account: str, pipeline_name: str, since: datetime) -> set[str]:
    """Return the ids of a pipeline's runs, begun at `since` or later, that did not complete before
    a newer one completed that has read at least as many rows of each of their tables.
    """
    rows = db.rows(
        "SELECT run_id, state, expected, value_rows FROM bunce_runs WHERE account = $1 "
        "AND pipeline_name = $2 AND started_at >= $3 ORDER BY number DESC",
        (account, pipeline_name, as_utc(since)),
    )
    found, completed = set[str](), list[dict[str, int]]()
    for row in rows:
        # rows of values alone as those of one table
        read = {**json.loads(row["expected"] or "{}"), ROWS: row["value_rows"]}
        if row["state"] == "completed":
            completed.append(read)
        elif any(all(run.get(table, -1) >= n for table, n in read.items()) for run in completed):
            found.add(row["run_id"])
    return found
