"""One row per run: begun by its first job, and closed with the sums of its chunks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from dlt_bunce.model import FATES, Failure, RunSummary, Traffic
from dlt_bunce.store import links
from dlt_bunce.store.database import Database, as_utc, utc_now
from dlt_bunce.store.runs import attempts, value_fates
from dlt_bunce.store.runs.processes import is_gone, this_process
from dlt_bunce.store.runs.run_chunks import sum_chunks, warnings_of
from dlt_bunce.store.values import rejected_values

if TYPE_CHECKING:
    from dlt_bunce.store.load_file import LoadFile

NEWEST = "COALESCE(number, 0) DESC, started_at DESC"
REPLAY = "replay-"
"""The prefix of the run ids of replays."""
PROCESS_ENDED = Failure(
    "ProcessEnded",
    "The process ended without recording the outcome: it was killed, ran out of memory, or lost "
    "the store.",
    "Run the same command again; settled rows will not be sent again.",
)
"""Why a run is `interrupted`."""


def begin(
    db: Database,
    load_file: LoadFile,
    mapping: Mapping[str, Any] | None,
    by_name: Sequence[str] = (),
) -> LoadFile:
    """Write the run's row, or mark it as running again; return the load file with its run number.

    `mapping` (field to source column) is stored for replays of the run's dead letters and for
    comparison with the next run, unless it is None, as for a table that brings no customers;
    `by_name` lists the fields that were mapped by column name alone.
    """
    with db.transaction():
        # first, since the run takes the attempt's number as well
        attempts.give_way(db, load_file.account, load_file.pipeline_name)
        number, now = latest_number(db) + 1, utc_now()
        db.execute(
            "INSERT INTO bunce_runs (run_id, pipeline_name, account, table_name, disposition, "
            "state, mapping, started_at, by_name, number, process, seen_at, source, source_key) "
            "VALUES ($1, $2, $3, $4, $5, 'running', $6, $7, $8, $9, $10, $13, $11, $12) "
            # a run of several tables has the first by name, and its mapping, whichever began
            "ON CONFLICT (run_id, pipeline_name) DO UPDATE SET state = 'running', "
            "mapping = CASE WHEN excluded.mapping IS NULL OR bunce_runs.mapping IS NOT NULL "
            "AND bunce_runs.table_name < excluded.table_name THEN bunce_runs.mapping "
            "ELSE excluded.mapping END, "
            "by_name = CASE WHEN excluded.mapping IS NULL OR bunce_runs.mapping IS NOT NULL "
            "AND bunce_runs.table_name < excluded.table_name THEN bunce_runs.by_name "
            "ELSE excluded.by_name END, "
            "table_name = CASE WHEN excluded.mapping IS NULL OR bunce_runs.mapping IS NOT NULL "
            "AND bunce_runs.table_name < excluded.table_name THEN bunce_runs.table_name "
            "ELSE excluded.table_name END, "
            "ended_at = NULL, "
            "number = excluded.number, process = excluded.process, seen_at = excluded.seen_at, "
            "disposition = CASE WHEN excluded.mapping IS NULL THEN bunce_runs.disposition "
            "ELSE excluded.disposition END, error_class = NULL, error = NULL, remedy = NULL",
            (
                load_file.run_id,
                load_file.pipeline_name,
                load_file.account,
                load_file.table_name,
                load_file.disposition,
                None if mapping is None else json.dumps(dict(mapping)),
                now,
                None if mapping is None else json.dumps(sorted(by_name)),
                number,
                this_process(),
                load_file.source,
                load_file.source_key,
                db.utc_now(),
            ),
        )
    return replace(load_file, number=number)


def expect(db: Database, load_file: LoadFile, rows: Callable[[], int]) -> None:
    """Record once how many rows the run's files of a table hold; `rows` counts them."""
    chosen = "WHERE run_id = $1 AND pipeline_name = $2"
    run = load_file.run_id, load_file.pipeline_name
    stored = db.rows(f"SELECT expected FROM bunce_runs {chosen}", run)[0]["expected"]  # noqa: S608
    if load_file.table_name in json.loads(stored or "{}"):
        return
    count = rows()
    with db.transaction():
        stored = db.rows(f"SELECT expected FROM bunce_runs {chosen}", run)[0]["expected"]  # noqa: S608
        expected = json.loads(stored or "{}") | {load_file.table_name: count}
        db.execute(f"UPDATE bunce_runs SET expected = $3 {chosen}", (*run, json.dumps(expected)))  # noqa: S608


def mark_seen(db: Database, load_file: LoadFile) -> None:
    """Record that the run's process is alive."""
    db.execute(
        "UPDATE bunce_runs SET seen_at = $1 WHERE run_id = $2 AND pipeline_name = $3",
        (db.utc_now(), load_file.run_id, load_file.pipeline_name),
    )


def latest_number(db: Database) -> int:
    """Return the number of the run that began last."""
    return int(db.rows("SELECT COALESCE(MAX(number), 0) AS n FROM bunce_runs")[0]["n"])


def disposition_of(db: Database, run_id: str, pipeline_name: str) -> str | None:
    """Return the write disposition of a run, None if it is unknown."""
    rows = db.rows(
        "SELECT disposition FROM bunce_runs WHERE run_id = $1 AND pipeline_name = $2",
        (run_id, pipeline_name),
    )
    return rows[0]["disposition"] if rows else None


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


def finish(
    db: Database,
    run_id: str,
    pipeline_name: str,
    account: str,
    state: str,
    failure: Failure | None = None,
    *,
    started_at: str | None = None,
    ended_at: str | None = None,
    source: str | None = None,
    warnings: Mapping[str, int] | None = None,
) -> dict[str, int]:
    """Sum the chunks into the run's row and close it; return the run's warnings (code to rows),
    with the given ones.

    The row is written here, with its `source`, if no job has written it. Times are those of
    `utc_now`, and now by default.
    """
    totals = sum_chunks(db, run_id)
    codes = db.rows(
        "SELECT code, COUNT(*) AS n FROM bunce_dead_letters WHERE run_id = $1 AND account = $2 "
        "GROUP BY code ORDER BY code",
        (run_id, account),
    )
    now = utc_now()
    db.execute(
        "INSERT INTO bunce_runs (run_id, pipeline_name, account, state, started_at, number, "
        "source) VALUES ($1, $2, $3, $4, $5, $6, $7) "
        "ON CONFLICT (run_id, pipeline_name) DO NOTHING",
        (run_id, pipeline_name, account, state, started_at or now, latest_number(db) + 1, source),
    )
    totals["linked"] = links.count(db, account, run_id=run_id)
    values = value_fates.totals(db, "WHERE run_id = $1", (run_id,))
    rejected = rejected_values.of_run(db, account, run_id) if values else {}
    totals["value_rows"] = values.get(value_fates.ROWS, {}).get("read", 0)
    names = ("read", *FATES, "linked", "value_rows")
    sets = ", ".join(f"{name} = ${i + 12}" for i, name in enumerate(names))
    warnings = {**warnings_of(db, run_id, totals), **(warnings or {})}
    if resent := value_fates.resent(db, run_id):
        warnings["values_resent"] = resent
    rows = values.get(value_fates.ROWS, {})
    for fate, code in (("rejected", "value_rows_without_id"), ("waiting", "value_rows_waiting")):
        if rows.get(fate):
            warnings[code] = rows[fate]
    db.execute(
        f"UPDATE bunce_runs SET state = $1, ended_at = $2, reject_codes = $3, warnings = $4, "  # noqa: S608
        f"error_class = $7, error = $8, remedy = $9, value_fates = $10, "
        f"rejected_values = $11, {sets} "
        "WHERE run_id = $5 AND pipeline_name = $6",
        (
            state,
            ended_at or now,
            json.dumps({row["code"]: row["n"] for row in codes}),
            json.dumps(warnings),
            run_id,
            pipeline_name,
            *((failure.error_class, failure.error, failure.remedy) if failure else (None,) * 3),
            json.dumps(values) if values else None,
            json.dumps(rejected) if rejected else None,
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
    since: datetime | None = None,
    limit: int = 20,
) -> list[RunSummary]:
    """Return at most `limit` runs of an account, newest first, that began at `since` or later."""
    where, parameters = "account = $1", [account]
    if since is not None:
        parameters.append(as_utc(since))
        where += f" AND started_at >= ${len(parameters)}"
    if pipeline_name is not None:
        parameters.append(pipeline_name)
        where += f" AND pipeline_name = ${len(parameters)}"
    if run_ids is not None:
        db.ingest("bunce_chosen_runs", pa.table({"run_id": pa.array(list(run_ids), pa.string())}))
        where += " AND run_id IN (SELECT run_id FROM bunce_chosen_runs)"
    rows = db.rows(
        f"SELECT * FROM bunce_runs WHERE {where} "  # noqa: S608
        f"ORDER BY {NEWEST}, run_id DESC LIMIT {int(limit)}",
        parameters,
    )
    return [_summary(current(db, row)) for row in rows]


def current(db: Database, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of a run with its counts so far, and as `interrupted` if its process is gone.

    The row of a run that has ended is returned unchanged.
    """
    if row["state"] != "running":
        return dict(row)
    counts: dict[str, Any] = dict(sum_chunks(db, row["run_id"]))
    values = value_fates.totals(db, "WHERE run_id = $1", (row["run_id"],))
    counts |= {"value_fates": json.dumps(values)} if values else {}
    if not is_gone(row["process"], row["seen_at"], db.now_ms()):
        return {**row, **counts}
    ended = {"state": "interrupted", "ended_at": row["seen_at"] or row["started_at"]}
    why = {name: getattr(PROCESS_ENDED, name) for name in ("error_class", "error", "remedy")}
    return {**row, **counts, **ended, **why}


def _summary(row: dict[str, Any]) -> RunSummary:
    ended = row["ended_at"] or row["started_at"]
    seconds = datetime.fromisoformat(ended) - datetime.fromisoformat(row["started_at"])
    return RunSummary(
        run_id=row["run_id"],
        pipeline_name=row["pipeline_name"],
        account=row["account"],
        source=row["source"],
        disposition=row["disposition"],
        state=row["state"],
        error=" ".join(filter(None, (row["error"], row["remedy"]))) or None,
        error_class=row["error_class"],
        remedy=row["remedy"],
        read=row["read"],
        requests=row["requests"],
        bulk_requests=row["bulk_requests"],
        lookups=row["lookups"],
        retries=row["retries"],
        linked=row["linked"],
        seconds=seconds.total_seconds(),
        reject_codes=json.loads(row["reject_codes"] or "{}"),
        warnings=json.loads(row["warnings"] or "{}"),
        rejected_values=json.loads(row["rejected_values"] or "{}"),
        **json.loads(row["value_fates"] or "{}"),
        **{fate: row[fate] for fate in FATES},
    )
