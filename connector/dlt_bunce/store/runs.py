"""Counts of runs: kept per chunk during a run, then summed into one row per run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from dlt_bunce.model import FATES, RunSummary, Traffic
from dlt_bunce.store.database import Database, utc_now
from dlt_bunce.store.migrations import FATE_COLUMNS

if TYPE_CHECKING:
    from dlt_bunce.store.load_file import LoadFile

_NEWEST = "COALESCE(number, 0) DESC, started_at DESC"
REPLAY = "replay-"
"""The prefix of the run ids of replays."""


def begin(
    db: Database, load_file: LoadFile, mapping: Mapping[str, Any], by_name: Sequence[str] = ()
) -> LoadFile:
    """Write the run's row, or mark it as running again; return the load file with its run number.

    `mapping` (field to source column) is stored for replays of the run's dead letters and for
    comparison with the next run; `by_name` lists the fields that were mapped by column name alone.
    """
    number = latest_number(db) + 1
    db.execute(
        "INSERT INTO bunce_runs (run_id, pipeline_name, account, table_name, disposition, state, "
        "mapping, started_at, by_name, number) "
        "VALUES ($1, $2, $3, $4, $5, 'running', $6, $7, $8, $9) "
        # a run of several tables has the first by name, whichever of them began
        "ON CONFLICT (run_id, pipeline_name) DO UPDATE SET state = 'running', "
        "mapping = excluded.mapping, by_name = excluded.by_name, ended_at = NULL, "
        "number = excluded.number, "
        "table_name = CASE "
        "WHEN excluded.table_name < bunce_runs.table_name THEN excluded.table_name "
        "ELSE bunce_runs.table_name END",
        (
            load_file.run_id,
            load_file.pipeline_name,
            load_file.account,
            load_file.table_name,
            load_file.disposition,
            json.dumps(dict(mapping)),
            utc_now(),
            json.dumps(sorted(by_name)),
            number,
        ),
    )
    return replace(load_file, number=number)


def latest_number(db: Database) -> int:
    """Return the number of the run that began last."""
    return int(db.rows("SELECT COALESCE(MAX(number), 0) AS n FROM bunce_runs")[0]["n"])


def is_begun(db: Database, run_id: str) -> bool:
    """Return whether a run has claimed rows: only then can it have sent any."""
    rows = db.rows("SELECT 1 AS n FROM bunce_run_chunks WHERE run_id = $1 LIMIT 1", (run_id,))
    return bool(rows)


def put_chunk(
    db: Database,
    load_file: LoadFile,
    chunk: int,
    read: int,
    fates: Mapping[str, int],
    warnings: Mapping[str, int],
) -> None:
    """Write a chunk's counts as known when it was read, replacing those of an earlier try."""
    columns = ", ".join(FATE_COLUMNS)
    marks = ", ".join(f"${i + 6}" for i in range(len(FATE_COLUMNS)))
    updates = ", ".join(f"{c} = excluded.{c}" for c in ("read", "warnings", *FATE_COLUMNS))
    db.execute(
        f"INSERT INTO bunce_run_chunks (run_id, job, chunk, read, warnings, {columns}) "  # noqa: S608
        f"VALUES ($1, $2, $3, $4, $5, {marks}) "
        f"ON CONFLICT (run_id, job, chunk) DO UPDATE SET {updates}",
        (
            load_file.run_id,
            load_file.job_id,
            chunk,
            read,
            json.dumps(found) if (found := {c: n for c, n in warnings.items() if n}) else None,
            *(fates.get(f, 0) for f in FATE_COLUMNS),
        ),
    )


def add_fates(db: Database, load_file: LoadFile, settled: pa.Table) -> None:
    """Add the fates of settled rows to the counts of their chunks; the rest stay deferred."""
    pairs = zip(
        settled.column("chunk").to_pylist(), settled.column("fate").to_pylist(), strict=True
    )
    for (chunk, fate), count in Counter(pairs).items():
        if fate in FATE_COLUMNS:
            db.execute(
                f"UPDATE bunce_run_chunks SET {fate} = {fate} + $1 "  # noqa: S608
                "WHERE run_id = $2 AND job = $3 AND chunk = $4",
                (count, load_file.run_id, load_file.job_id, chunk),
            )


def add_traffic(db: Database, load_file: LoadFile, traffic: Traffic) -> None:
    """Add requests, bytes, and times to the run's row."""
    db.execute(
        "UPDATE bunce_runs SET requests = requests + $1, bulk_requests = bulk_requests + $2, "
        "lookups = lookups + $3, retries = retries + $4, bytes_sent = bytes_sent + $5, "
        "wait_seconds = wait_seconds + $6, answer_seconds = answer_seconds + $7, "
        "slowest_answer_seconds = CASE WHEN slowest_answer_seconds > $8 "
        "THEN slowest_answer_seconds ELSE $8 END WHERE run_id = $9 AND pipeline_name = $10",
        (
            traffic.requests,
            traffic.bulk_requests,
            traffic.lookups,
            traffic.retries,
            traffic.bytes_sent,
            traffic.wait_seconds,
            traffic.answer_seconds,
            traffic.slowest_answer_seconds,
            load_file.run_id,
            load_file.pipeline_name,
        ),
    )


def job_counts(db: Database, load_file: LoadFile) -> dict[str, int]:
    """Return the summed counts of a job's chunks: `read` and every fate, including `deferred`."""
    return _sum(db, "WHERE run_id = $1 AND job = $2", (load_file.run_id, load_file.job_id))


def finish(
    db: Database, run_id: str, pipeline_name: str, account: str, state: str
) -> dict[str, int]:
    """Sum the chunks into the run's row and close it; return the run's warnings (code to rows).

    The row is written here if no job has written it.
    """
    totals = _sum(db, "WHERE run_id = $1", (run_id,))
    codes = db.rows(
        "SELECT code, COUNT(*) AS n FROM bunce_dead_letters WHERE run_id = $1 AND account = $2 "
        "GROUP BY code ORDER BY code",
        (run_id, account),
    )
    now = utc_now()
    db.execute(
        "INSERT INTO bunce_runs (run_id, pipeline_name, account, state, started_at) "
        "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (run_id, pipeline_name) DO NOTHING",
        (run_id, pipeline_name, account, state, now),
    )
    names = ("read", *FATES)
    sets = ", ".join(f"{name} = ${i + 7}" for i, name in enumerate(names))
    warnings = _warnings(db, run_id, totals)
    db.execute(
        f"UPDATE bunce_runs SET state = $1, ended_at = $2, reject_codes = $3, warnings = $4, "  # noqa: S608
        f"{sets} WHERE run_id = $5 AND pipeline_name = $6",
        (
            state,
            now,
            json.dumps({row["code"]: row["n"] for row in codes}),
            json.dumps(warnings),
            run_id,
            pipeline_name,
            *(totals[name] for name in names),
        ),
    )
    return warnings


def summaries(
    db: Database,
    account: str,
    *,
    run_ids: Iterable[str] | None = None,
    pipeline_name: str | None = None,
    limit: int = 20,
) -> list[RunSummary]:
    """Return at most `limit` runs of an account, newest first."""
    where, parameters = "account = $1", [account]
    if pipeline_name is not None:
        parameters.append(pipeline_name)
        where += f" AND pipeline_name = ${len(parameters)}"
    if run_ids is not None:
        db.ingest("bunce_chosen_runs", pa.table({"run_id": pa.array(list(run_ids), pa.string())}))
        where += " AND run_id IN (SELECT run_id FROM bunce_chosen_runs)"
    rows = db.rows(
        f"SELECT * FROM bunce_runs WHERE {where} "  # noqa: S608
        f"ORDER BY {_NEWEST}, run_id DESC LIMIT {int(limit)}",
        parameters,
    )
    return [_summary(row) for row in rows]


def mean_answer_s(db: Database, account: str) -> float | None:
    """Return the mean response time in seconds of the last run that sent customers."""
    rows = db.rows(
        "SELECT answer_seconds / requests AS mean FROM bunce_runs "  # noqa: S608
        f"WHERE account = $1 AND bulk_requests > 0 ORDER BY {_NEWEST} LIMIT 1",
        (account,),
    )
    return float(rows[0]["mean"]) if rows else None


def last_read(
    db: Database, account: str, pipeline_name: str, run_ids: Sequence[str] = ()
) -> int | None:
    """Return how many rows the last completed run read, not counting replays and empty runs.

    With `run_ids`, the run must be older than all of them, and of the same table as the newest of
    them. Returns None if there is no such run.
    """
    where = (
        "account = $1 AND pipeline_name = $2 AND state = 'completed' AND read > 0 "
        "AND run_id NOT LIKE $3"
    )
    if run_ids:
        db.ingest("bunce_chosen_runs", pa.table({"run_id": pa.array(run_ids, pa.string())}))
        ours = (
            "FROM bunce_runs WHERE account = $1 AND pipeline_name = $2 "
            "AND run_id IN (SELECT run_id FROM bunce_chosen_runs)"
        )
        where += (
            " AND (COALESCE(number, 0), started_at) < "
            f"(SELECT COALESCE(number, 0), started_at {ours} ORDER BY 1, 2 LIMIT 1)"
            # a run that read nothing may have no table
            f" AND table_name = COALESCE((SELECT table_name {ours} AND table_name IS NOT NULL "
            f"ORDER BY {_NEWEST} LIMIT 1), table_name)"
        )
    rows = db.rows(
        f"SELECT read FROM bunce_runs WHERE {where} "  # noqa: S608
        f"ORDER BY {_NEWEST}, run_id DESC LIMIT 1",
        (account, pipeline_name, f"{REPLAY}%"),
    )
    return int(rows[0]["read"]) if rows else None


def _warnings(db: Database, run_id: str, totals: Mapping[str, int]) -> dict[str, int]:
    rows = db.rows(
        "SELECT warnings FROM bunce_run_chunks WHERE run_id = $1 AND warnings IS NOT NULL",
        (run_id,),
    )
    found: Counter[str] = Counter()
    for row in rows:
        found.update(json.loads(row["warnings"]))
    found["skipped_changes"] = totals["skipped"]
    if found["mostly_superseded"] <= totals["read"] / 2:
        del found["mostly_superseded"]
    return {code: count for code, count in sorted(found.items()) if count}


def _sum(db: Database, where: str, parameters: tuple[object, ...]) -> dict[str, int]:
    sums = ", ".join(f"CAST(SUM({c}) AS BIGINT) AS {c}" for c in ("read", *FATE_COLUMNS))
    row = db.rows(f"SELECT {sums} FROM bunce_run_chunks {where}", parameters)[0]  # noqa: S608
    counts = {name: int(row[name] or 0) for name in ("read", *FATE_COLUMNS)}
    counts["deferred"] = counts["read"] - sum(counts[fate] for fate in FATE_COLUMNS)
    return counts


def _summary(row: dict[str, Any]) -> RunSummary:
    ended = row["ended_at"] or row["started_at"]
    seconds = datetime.fromisoformat(ended) - datetime.fromisoformat(row["started_at"])
    return RunSummary(
        run_id=row["run_id"],
        pipeline_name=row["pipeline_name"],
        disposition=row["disposition"],
        state=row["state"],
        read=row["read"],
        requests=row["requests"],
        bulk_requests=row["bulk_requests"],
        lookups=row["lookups"],
        retries=row["retries"],
        seconds=seconds.total_seconds(),
        reject_codes=json.loads(row["reject_codes"] or "{}"),
        warnings=json.loads(row["warnings"] or "{}"),
        **{fate: row[fate] for fate in FATES},
    )
