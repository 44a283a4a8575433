"""The runs of an account over time: requests, bytes, and waits, beside the fates of the rows."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa

from dlt_bunce.model import FATES, Fate
from dlt_bunce.store.database import Database
from dlt_bunce.store.runs.runs import NEWEST, REPLAY, current

_COPIED = (
    "run_id",
    "pipeline_name",
    "source",
    "state",
    "read",
    "requests",
    "retries",
    "bytes_sent",
    "wait_seconds",
    "answer_seconds",
    "slowest_answer_seconds",
    "error_class",
    "error",
    "remedy",
    "table_name",
    "disposition",
)
"""Columns that `Run` takes over unchanged."""


_MINUTE_S = 60.0


@dataclass(frozen=True)
class Run:
    """One run; times are in UTC, `seconds` is wall time.

    `mapping` is field to source column, `warnings` counts rows by code. `attributes`, `segments`,
    and `rejected_values` count values as in RunSummary.
    While a run is in progress, `ended_at` and `seconds` are None and its fates are not yet summed.
    """

    run_id: str
    pipeline_name: str
    source: str | None
    state: str
    started_at: datetime
    ended_at: datetime | None
    read: int
    fates: Mapping[Fate, int]
    reject_codes: Mapping[str, int]
    requests: int
    retries: int
    bytes_sent: int
    wait_seconds: float
    answer_seconds: float
    slowest_answer_seconds: float
    error_class: str | None = None
    error: str | None = None
    remedy: str | None = None
    table_name: str | None = None
    disposition: str | None = None
    mapping: Mapping[str, str] = field(default_factory=dict)
    warnings: Mapping[str, int] = field(default_factory=dict)
    attributes: Mapping[str, int] = field(default_factory=dict)
    segments: Mapping[str, int] = field(default_factory=dict)
    value_rows: Mapping[str, int] = field(default_factory=dict)
    absent_members: Mapping[str, int] = field(default_factory=dict)
    rejected_values: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What the run loaded; the pipeline's name if it was not started by a command."""
        return self.source or self.pipeline_name

    def count(self, fates: Iterable[Fate]) -> int:
        """Return how many rows have one of these fates."""
        return sum(self.fates[fate] for fate in fates)

    @property
    def seconds(self) -> float | None:
        """The duration; None while the run is in progress."""
        return None if self.ended_at is None else (self.ended_at - self.started_at).total_seconds()

    @property
    def mean_answer_seconds(self) -> float | None:
        """The mean response time of Bunce; None without a request."""
        return self.answer_seconds / self.requests if self.requests else None

    def budget(self, requests_per_minute: int) -> float | None:
        """Return how many requests the run's duration allowed; None if in progress or unlimited.

        The limit is for a minute, so a shorter run may use all of it.
        """
        if self.seconds is None or requests_per_minute <= 0:
            return None
        return requests_per_minute * max(self.seconds, _MINUTE_S) / _MINUTE_S

    def budget_share(self, requests_per_minute: int) -> float | None:
        """Return requests as a fraction of the budget."""
        budget = self.budget(requests_per_minute)
        return self.requests / budget if budget else None

    def as_dict(self, requests_per_minute: int) -> dict[str, object]:
        """Return every figure as a plain value, for JSON."""
        why = ("error_class", "error", "remedy")
        names = (
            "run_id",
            "pipeline_name",
            "source",
            "state",
            "started_at",
            "ended_at",
            "seconds",
            "read",
        )
        wire = ("requests", "retries", "bytes_sent", "wait_seconds", "mean_answer_seconds")
        return {
            **{name: _plain(getattr(self, name)) for name in names},
            **{str(fate): count for fate, count in self.fates.items()},
            "reject_codes": dict(self.reject_codes),
            "attributes": dict(self.attributes),
            "segments": dict(self.segments),
            "value_rows": dict(self.value_rows),
            "absent_members": dict(self.absent_members),
            "rejected_values": {name: dict(n) for name, n in self.rejected_values.items()},
            **{name: getattr(self, name) for name in why},
            **{name: getattr(self, name) for name in (*wire, "slowest_answer_seconds")},
            "budget": self.budget(requests_per_minute),
            "budget_share": self.budget_share(requests_per_minute),
        }


def history(db: Database, account: str, *, limit: int, offset: int = 0) -> list[Run]:
    """Return at most `limit` runs of an account, newest first, after the newest `offset` runs."""
    rows = db.rows(
        "SELECT * FROM bunce_runs WHERE account = $1 "  # noqa: S608
        "ORDER BY started_at DESC, run_id DESC, pipeline_name DESC "
        f"LIMIT {int(limit)} OFFSET {int(offset)}",
        (account,),
    )
    return [_run(current(db, row)) for row in rows]


def mean_answer_s(db: Database, account: str) -> float | None:
    """Return the mean response time in seconds of the last run that sent customers."""
    rows = db.rows(
        "SELECT answer_seconds / requests AS mean FROM bunce_runs "  # noqa: S608
        f"WHERE account = $1 AND bulk_requests > 0 ORDER BY {NEWEST} LIMIT 1",
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
        "account = $1 AND pipeline_name = $2 AND state = 'completed' AND read + value_rows > 0 "
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
            f"ORDER BY {NEWEST} LIMIT 1), table_name)"
        )
    rows = db.rows(
        f"SELECT read + value_rows AS read FROM bunce_runs WHERE {where} "  # noqa: S608
        f"ORDER BY {NEWEST}, run_id DESC LIMIT 1",
        (account, pipeline_name, f"{REPLAY}%"),
    )
    return int(rows[0]["read"]) if rows else None


def find(db: Database, account: str, run_ids: Iterable[str]) -> list[Run]:
    """Return the runs of an account with these ids, newest first."""
    wanted = list(run_ids)
    if not wanted:
        return []
    marks = ", ".join(f"${number + 2}" for number in range(len(wanted)))
    rows = db.rows(
        f"SELECT * FROM bunce_runs WHERE account = $1 AND run_id IN ({marks}) "  # noqa: S608
        "ORDER BY started_at DESC, pipeline_name",
        (account, *wanted),
    )
    return [_run(current(db, row)) for row in rows]


def rejects(runs: Iterable[Run]) -> dict[str, int]:
    """Count the rows rejected in all of `runs` by code, largest first."""
    codes: Counter[str] = Counter()
    for run in runs:
        codes.update(run.reject_codes)
    return dict(codes.most_common())


def _run(row: Mapping[str, Any]) -> Run:
    ended_at = row["ended_at"]
    return Run(
        started_at=datetime.fromisoformat(row["started_at"]),
        ended_at=None if ended_at is None else datetime.fromisoformat(ended_at),
        fates={fate: row[fate] for fate in FATES},
        reject_codes=json.loads(row["reject_codes"] or "{}"),
        mapping=json.loads(row["mapping"] or "{}"),
        warnings=json.loads(row["warnings"] or "{}"),
        rejected_values=json.loads(row["rejected_values"] or "{}"),
        **json.loads(row["value_fates"] or "{}"),
        **{name: row[name] for name in _COPIED},
    )


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value
