"""Counts of attribute values and segment members by fate: per chunk during a run, then summed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dlt_bunce.store.database import Database
from dlt_bunce.store.migrations import VALUE_FATE_COLUMNS

if TYPE_CHECKING:
    from dlt_bunce.store.load_file import LoadFile


def put_chunk(
    db: Database, load_file: LoadFile, kind: str, chunk: int, counts: Mapping[str, int]
) -> None:
    """Write a chunk's counts of one kind as compared just now.

    What an earlier try of the same file has written is unchanged by now: it still counts as
    written.
    """
    names = ("read", *VALUE_FATE_COLUMNS)
    marks = ", ".join(f"${i + 5}" for i in range(len(names)))
    kept = "CASE WHEN r.written < excluded.unchanged THEN r.written ELSE excluded.unchanged END"
    others = ", ".join(
        f"{name} = excluded.{name}" for name in names if name not in {"written", "unchanged"}
    )
    db.execute(
        f"INSERT INTO bunce_run_values AS r (run_id, job, kind, chunk, {', '.join(names)}) "  # noqa: S608
        f"VALUES ($1, $2, $3, $4, {marks}) ON CONFLICT (run_id, job, kind, chunk) DO UPDATE SET "
        f"written = {kept}, unchanged = excluded.unchanged - ({kept}), {others}",
        (
            load_file.run_id,
            load_file.job_id,
            kind,
            chunk,
            *(counts.get(name, 0) for name in names),
        ),
    )


def begin_chunk(db: Database, load_file: LoadFile, kind: str, chunk: int, read: int) -> None:
    """Count the values of a chunk as read, all of them deferred until they are compared."""
    db.execute(
        "INSERT INTO bunce_run_values (run_id, job, kind, chunk, read) VALUES ($1, $2, $3, $4, $5) "
        "ON CONFLICT (run_id, job, kind, chunk) DO NOTHING",
        (load_file.run_id, load_file.job_id, kind, chunk, read),
    )


def add_fates(db: Database, load_file: LoadFile, fates: Mapping[tuple[str, int, str], int]) -> None:
    """Add settled values, counted by kind, chunk, and fate."""
    for (kind, chunk, fate), count in fates.items():
        db.execute(
            f"UPDATE bunce_run_values SET {fate} = {fate} + $1 "  # noqa: S608, one of ours
            "WHERE run_id = $2 AND job = $3 AND kind = $4 AND chunk = $5",
            (count, load_file.run_id, load_file.job_id, kind, chunk),
        )


def job_counts(db: Database, load_file: LoadFile) -> dict[str, dict[str, int]]:
    """Return a job's counts by kind: `read`, and every fate including `deferred`."""
    return totals(db, "WHERE run_id = $1 AND job = $2", (load_file.run_id, load_file.job_id))


def totals(db: Database, where: str, parameters: tuple[object, ...]) -> dict[str, dict[str, int]]:
    """Return counts of values by kind: `read`, and every fate including `deferred`."""
    sums = ", ".join(f"CAST(SUM({c}) AS BIGINT) AS {c}" for c in ("read", *VALUE_FATE_COLUMNS))
    rows = db.rows(
        f"SELECT kind, {sums} FROM bunce_run_values {where} GROUP BY kind ORDER BY kind",  # noqa: S608
        parameters,
    )
    found = {row.pop("kind"): {name: int(n) for name, n in row.items()} for row in rows}
    for counts in found.values():
        counts["deferred"] = counts["read"] - sum(counts[fate] for fate in VALUE_FATE_COLUMNS)
    return found
