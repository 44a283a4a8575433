"""Counts of attribute values and segment members by fate: per chunk during a run, then summed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dlt_bunce.store.database import Database
from dlt_bunce.store.runs.run_chunks import sum_chunks
from dlt_bunce.store.schema.migrations import VALUE_FATE_COLUMNS

if TYPE_CHECKING:
    from dlt_bunce.store.load_file import LoadFile


ROWS = "value_rows"
"""The kind under which rows are counted that bring values and no customers."""

ABSENT = "absent_members"
"""The kind under which members are counted who are absent from a whole read of their table."""


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


def expect_absent(db: Database, load_file: LoadFile, left: int) -> int:
    """Count absent members of segments, of whom so many are left to be removed; return how many an
    earlier try has settled.
    """
    db.execute(
        "INSERT INTO bunce_run_values AS r (run_id, job, kind, chunk, read) "
        "VALUES ($1, $2, $3, 0, $4) ON CONFLICT (run_id, job, kind, chunk) DO UPDATE SET "
        "read = r.written + r.rejected + excluded.read",
        (load_file.run_id, load_file.job_id, ABSENT, left),
    )
    counts = job_counts(db, load_file)[ABSENT]
    return counts["written"] + counts["rejected"]


def give_up_absent(db: Database, run_id: str) -> None:
    """Count nobody as still to be removed by a run whose rows are no longer the newest."""
    db.execute(
        "UPDATE bunce_run_values SET read = written + rejected WHERE run_id = $1 AND kind = $2",
        (run_id, ABSENT),
    )


def rows_read(db: Database, run_id: str) -> int:
    """Return how many rows a run has read so far, those of values alone included."""
    values = totals(db, "WHERE run_id = $1 AND kind = $2", (run_id, ROWS))
    return sum_chunks(db, run_id)["read"] + values.get(ROWS, {}).get("read", 0)


def add_fates(db: Database, load_file: LoadFile, fates: Mapping[tuple[str, int, str], int]) -> None:
    """Add settled values, counted by kind, chunk, and fate."""
    for (kind, chunk, fate), count in fates.items():
        db.execute(
            f"UPDATE bunce_run_values SET {fate} = {fate} + $1 "  # noqa: S608, one of ours
            "WHERE run_id = $2 AND job = $3 AND kind = $4 AND chunk = $5",
            (count, load_file.run_id, load_file.job_id, kind, chunk),
        )


def withdraw(db: Database, load_file: LoadFile, settled: Mapping[str, int], fate: str) -> None:
    """Count so many of what the run counts with a fate, by kind, as deferred again.

    Of which chunks they are does not matter: only sums are shown, and the next try of the file
    counts each chunk anew.
    """
    for kind, count in settled.items():
        left = count
        for row in db.rows(
            f"SELECT job, chunk, {fate} AS n FROM bunce_run_values "  # noqa: S608, one of ours
            f"WHERE run_id = $1 AND kind = $2 AND {fate} > 0 ORDER BY job, chunk DESC",
            (load_file.run_id, kind),
        ):
            taken = min(left, row["n"])
            left -= taken
            db.execute(
                f"UPDATE bunce_run_values SET {fate} = {fate} - $1 "  # noqa: S608, one of ours
                "WHERE run_id = $2 AND kind = $3 AND job = $4 AND chunk = $5",
                (taken, load_file.run_id, kind, row["job"], row["chunk"]),
            )


def marks(db: Database, load_file: LoadFile) -> dict[tuple[str, int], int]:
    """Return how far earlier tries may have sent the values of a file: the number of the first
    row that they have not sent, by kind and chunk.
    """
    rows = db.rows(
        "SELECT kind, chunk, sent_below FROM bunce_run_values "
        "WHERE run_id = $1 AND job = $2 AND sent_below > 0",
        (load_file.run_id, load_file.job_id),
    )
    return {(row["kind"], row["chunk"]): row["sent_below"] for row in rows}


def mark_in_flight(
    db: Database, load_file: LoadFile, kind: str, chunk: int, below: int, resent: int
) -> None:
    """Note that values of a chunk's rows numbered below this may be sent from now on, of which so
    many are sent again: an earlier try may have sent them without a record of the outcome.
    """
    db.execute(
        "UPDATE bunce_run_values SET resent = resent + $1, "
        "sent_below = CASE WHEN sent_below > $2 THEN sent_below ELSE $2 END "
        "WHERE run_id = $3 AND job = $4 AND kind = $5 AND chunk = $6",
        (resent, below, load_file.run_id, load_file.job_id, kind, chunk),
    )


def resent(db: Database, run_id: str) -> int:
    """Return how many values of a run were sent again because their outcome was not recorded."""
    found = db.rows(
        "SELECT CAST(COALESCE(SUM(resent), 0) AS BIGINT) AS n FROM bunce_run_values "
        "WHERE run_id = $1",
        (run_id,),
    )
    return int(found[0]["n"])


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
