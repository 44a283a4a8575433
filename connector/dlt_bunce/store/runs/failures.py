"""Failed runs: recorded with the reason, and what is wrong now."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

from dlt_bunce.model import Failure
from dlt_bunce.store.database import Database, utc_now
from dlt_bunce.store.runs import attempts, runs
from dlt_bunce.store.runs.processes import this_process
from dlt_bunce.store.runs.run_chunks import sum_chunks


@dataclass(frozen=True)
class Problem:
    """A pipeline whose latest runs have not completed.

    `since` is when the first of these runs began, as ISO-8601 text in UTC; `runs` counts them.
    `waiting` is the number of rows that the latest of them read, or was about to read, and that are
    not settled; None if none of them got that far. `state` is that of the latest run: `failed`,
    `stopped`, `interrupted`, or `running` if another try is in progress.
    """

    pipeline_name: str
    source: str | None
    state: str
    since: str
    runs: int
    waiting: int | None
    error_class: str | None
    error: str | None
    remedy: str | None

    def as_dict(self) -> dict[str, object]:
        """Return all fields as plain values, for JSON."""
        return asdict(self)


def record(
    db: Database,
    account: str,
    pipeline_name: str,
    failure: Failure,
    *,
    state: str,
    load_ids: Iterable[str],
    started_at: str,
    source: str | None = None,
) -> None:
    """Close the runs that an error has ended, or write one if it came before the first job.

    Runs of the pipeline that this process has left `running` are closed as well.
    """
    with db.transaction():
        left = db.rows(
            "SELECT run_id FROM bunce_runs WHERE account = $1 AND pipeline_name = $2 "
            "AND state = 'running' AND process = $3 AND run_id NOT LIKE $4",
            (account, pipeline_name, this_process(), f"{runs.REPLAY}%"),
        )
        ended = {*load_ids, *(row["run_id"] for row in left)}
        ended = {run for run in ended if not _is_completed(db, run, pipeline_name)}
        begun = {run for run in ended if not run.startswith(attempts.ATTEMPT)}
        if begun:
            attempts.give_way(db, account, pipeline_name)
        ended = begun or ended or {f"{attempts.ATTEMPT}{started_at}"}
        for run_id in sorted(ended):
            runs.finish(
                db,
                run_id,
                pipeline_name,
                account,
                state,
                failure,
                started_at=started_at,
                source=source,
            )


def record_if_known(
    db: Database,
    account: str,
    is_its: Callable[[str], bool],
    failure: Failure,
    *,
    state: str,
    started_at: str,
    source: str | None = None,
) -> str | None:
    """Write the failed run of the pipeline that ran last among those whose names `is_its` accepts,
    and return its name.

    Writes nothing if none of them has run before, or if one has begun a run since `started_at`,
    which has recorded the failure itself.
    """
    known = _known(db, account, is_its, started_at)
    if not known or any(row["started_at"] >= started_at for row in known):
        return None
    name = _last(known)
    record(
        db,
        account,
        name,
        failure,
        state=state,
        load_ids=[],
        started_at=started_at,
        source=source,
    )
    return name


def begin_if_known(
    db: Database, account: str, is_its: Callable[[str], bool], *, started_at: str, source: str
) -> str | None:
    """Record that a run of the pipeline that ran last among those has begun; return its run id."""
    known = _known(db, account, is_its, started_at)
    if not known:
        return None
    return attempts.begin(db, account, _last(known), started_at=started_at, source=source)


def _known(
    db: Database, account: str, is_its: Callable[[str], bool], started_at: str
) -> list[dict[str, Any]]:
    """Return the pipelines whose names `is_its` accepts, without the attempt begun then."""
    rows = db.rows(
        "SELECT pipeline_name, MAX(COALESCE(number, 0)) AS number, MAX(started_at) AS started_at "
        "FROM bunce_runs WHERE account = $1 AND run_id NOT LIKE $2 "
        "AND NOT (run_id = $3 AND state = 'running') GROUP BY pipeline_name",
        (account, f"{runs.REPLAY}%", f"{attempts.ATTEMPT}{started_at}"),
    )
    return [row for row in rows if is_its(row["pipeline_name"])]


def _last(known: Iterable[Mapping[str, Any]]) -> str:
    return str(max(known, key=lambda row: int(row["number"]))["pipeline_name"])


def _is_completed(db: Database, run_id: str, pipeline_name: str) -> bool:
    return bool(
        db.rows(
            "SELECT 1 AS n FROM bunce_runs WHERE run_id = $1 AND pipeline_name = $2 "
            "AND state = 'completed'",
            (run_id, pipeline_name),
        )
    )


def close_interrupted(db: Database, account: str) -> None:
    """Close the runs whose processes have ended without doing so."""
    where = "account = $1 AND state = 'running'"
    rows = db.rows(f"SELECT * FROM bunce_runs WHERE {where}", (account,))  # noqa: S608
    for row in rows:
        found = runs.current(db, row)
        if found["state"] != "running":
            with db.transaction():
                runs.finish(
                    db,
                    row["run_id"],
                    row["pipeline_name"],
                    account,
                    found["state"],
                    runs.PROCESS_ENDED,
                    ended_at=found["ended_at"],
                )


# the runs of each pipeline since its last completed one, newest first
_SINCE = """
SELECT r.* FROM bunce_runs AS r WHERE r.account = $1 AND r.state <> 'completed'
  AND r.run_id NOT LIKE $2 AND COALESCE(r.number, 0) > COALESCE((SELECT MAX(c.number)
    FROM bunce_runs AS c WHERE c.account = $1 AND c.pipeline_name = r.pipeline_name
    AND c.state = 'completed'), 0)
ORDER BY r.pipeline_name, COALESCE(r.number, 0) DESC, r.started_at DESC
"""


# the replays since the last completed one, newest first
_REPLAYS = """
SELECT r.* FROM bunce_runs AS r WHERE r.account = $1 AND r.state <> 'completed'
  AND r.run_id LIKE $2 AND COALESCE(r.number, 0) > COALESCE((SELECT MAX(c.number)
    FROM bunce_runs AS c WHERE c.account = $1 AND c.run_id LIKE $2 AND c.state = 'completed'), 0)
ORDER BY COALESCE(r.number, 0) DESC, r.started_at DESC
"""


def problems(db: Database, account: str) -> list[Problem]:
    """Return the pipelines whose latest runs have not completed, and the replays that have not; the
    one that failed last comes first.
    """
    rows = [runs.current(db, row) for row in db.rows(_SINCE, (account, f"{runs.REPLAY}%"))]
    found = []
    for name, group in groupby(rows, key=lambda row: str(row["pipeline_name"])):
        streak = list(group)
        failed = [row for row in streak if row["state"] != "running"]
        if failed:
            waiting = next((n for row in streak if (n := _waiting(db, row)) is not None), None)
            why = {column: failed[0][column] for column in ("error_class", "error", "remedy")}
            problem = Problem(
                name,
                source=streak[0]["source"],
                state=streak[0]["state"],
                since=min(row["started_at"] for row in failed),
                runs=len(failed),
                waiting=waiting,
                **why,
            )
            found.append((failed[0]["ended_at"] or utc_now(), problem))
    found += _of_replays(db, account)
    return [problem for _, problem in sorted(found, key=lambda item: item[0], reverse=True)]


def _of_replays(db: Database, account: str) -> list[tuple[str, Problem]]:
    """Return when replays failed last, and how: while a dead letter is open that they had to send,
    and no later one has completed.
    """
    rows = [runs.current(db, row) for row in db.rows(_REPLAYS, (account, f"{runs.REPLAY}%"))]
    failed = [row for row in rows if row["state"] != "running"]
    waiting = (
        "SELECT 1 AS n FROM bunce_dead_letters WHERE account = $1 AND status = 'open' "
        "AND first_seen_at < $2 LIMIT 1"
    )
    if not failed or not db.rows(waiting, (account, failed[0]["started_at"])):
        return []
    problem = Problem(
        failed[0]["pipeline_name"],
        source=failed[0]["source"],
        state=rows[0]["state"],
        since=min(row["started_at"] for row in failed),
        # a replay of rows that were mapped differently is several runs
        runs=len({row["run_id"][: len(f"{runs.REPLAY}{utc_now()}")] for row in failed}),
        waiting=next((n for row in rows if (n := _waiting(db, row)) is not None), None),
        **{column: failed[0][column] for column in ("error_class", "error", "remedy")},
    )
    return [(failed[0]["ended_at"] or utc_now(), problem)]


def _waiting(db: Database, row: Mapping[str, Any]) -> int | None:
    expected: int = sum(json.loads(row["expected"] or "{}").values())
    if not row["read"] and not expected:
        return None
    counts = sum_chunks(db, row["run_id"])
    return max(expected, counts["read"]) - (counts["read"] - counts["deferred"])
