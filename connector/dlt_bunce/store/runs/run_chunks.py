"""Counts of a run, kept per chunk of a load file, so that a chunk read again counts once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pyarrow as pa

from dlt_bunce.store.database import Database
from dlt_bunce.store.schema.first_tables import FATE_COLUMNS

if TYPE_CHECKING:
    from dlt_bunce.store.load_file import LoadFile


def is_begun(db: Database, run_id: str) -> bool:
    """Return whether a run has claimed rows: only then can it have sent any."""
    rows = db.rows("SELECT 1 AS n FROM bunce_run_chunks WHERE run_id = $1 LIMIT 1", (run_id,))
    return bool(rows)


def recorded_jobs(db: Database, run_id: str) -> set[str]:
    """Return the load files of a run of which rows, or values alone, are counted."""
    rows = db.rows(
        "SELECT job FROM bunce_run_chunks WHERE run_id = $1 "
        "UNION SELECT job FROM bunce_run_values WHERE run_id = $1",
        (run_id,),
    )
    return {row["job"] for row in rows}


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


def job_counts(db: Database, load_file: LoadFile) -> dict[str, int]:
    """Return the summed counts of a job's chunks: `read` and every fate, including `deferred`."""
    return sum_chunks(db, load_file.run_id, load_file.job_id)


def warnings_of(db: Database, run_id: str, totals: Mapping[str, int]) -> dict[str, int]:
    """Return the warnings of a run, by code, with the number of rows that each is about."""
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


def sum_chunks(db: Database, run_id: str, job: str | None = None) -> dict[str, int]:
    """Return the summed counts of a run, or of one of its jobs: `read` and every fate."""
    sums = ", ".join(f"CAST(SUM({c}) AS BIGINT) AS {c}" for c in ("read", *FATE_COLUMNS))
    where, parameters = "run_id = $1", [run_id]
    if job is not None:
        where, parameters = f"{where} AND job = $2", [run_id, job]
    row = db.rows(f"SELECT {sums} FROM bunce_run_chunks WHERE {where}", parameters)[0]  # noqa: S608
    counts = {name: int(row[name] or 0) for name in ("read", *FATE_COLUMNS)}
    counts["deferred"] = counts["read"] - sum(counts[fate] for fate in FATE_COLUMNS)
    return counts
