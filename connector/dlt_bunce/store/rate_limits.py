"""The request limit shared by all loads from one address: one row per scope."""

from __future__ import annotations

from dataclasses import dataclass

from dlt_bunce.store.database import Database

_LESS = 0.8
"""The factor applied to the share each time that Bunce answers that the limit was exceeded."""
_LEAST = 0.2
"""The smallest share."""
_RECOVERY_MS = 3_000_000
"""How long the share takes to grow from 0 to 1; a fifth of it takes ten minutes."""
_SAME_INCIDENT_MS = 30_000
"""Refusals this close together count as one."""

MAX_AHEAD_MS = 900_000
"""Neither queued requests nor a response from Bunce delay the next request longer than this: a time
further ahead was written by a clock that was fast.
"""

# The share in use now: it grows back steadily after `limited_at`, up to 1. If the clock is set
# back, the share stays as it is until that time comes again.
_SHARE = f"""CASE WHEN {{now}} < b.limited_at THEN b.share
  WHEN b.share + ({{now}} - b.limited_at) / {_RECOVERY_MS:.1f} >= 1 THEN 1.0
  ELSE b.share + ({{now}} - b.limited_at) / {_RECOVERY_MS:.1f} END"""

# Reserve requests at an even pace: each is due one interval after the previous one, or now if that
# is later.
_RESERVE = f"""
INSERT INTO bunce_budgets AS b (scope, due_at, paused_until, share, limited_at)
VALUES ($1, {{now}} + CAST($2 AS BIGINT), 0, 1.0, 0)
ON CONFLICT (scope) DO UPDATE SET
  due_at = CASE WHEN b.due_at > {{now}} THEN b.due_at ELSE {{now}} END
    + CAST(CAST($2 AS BIGINT) / ({_SHARE}) AS BIGINT)
RETURNING due_at, paused_until, {_SHARE.replace("b.", "")} AS share, {{now}} AS now
"""  # noqa: S608, constants only

# Pause the scope and reduce its share, once per incident.
_PAUSE = f"""
UPDATE bunce_budgets AS b SET
  share = CASE WHEN b.limited_at > {{now}} - {_SAME_INCIDENT_MS} THEN b.share
    WHEN ({_SHARE}) * {_LESS} < {_LEAST} THEN {_LEAST} ELSE ({_SHARE}) * {_LESS} END,
  paused_until = CASE WHEN b.paused_until > {{now}} + CAST($2 AS BIGINT) THEN b.paused_until
    ELSE {{now}} + CAST($2 AS BIGINT) END,
  due_at = CASE WHEN b.due_at > {{now}} + CAST($3 AS BIGINT) THEN b.due_at
    ELSE {{now}} + CAST($3 AS BIGINT) END,
  limited_at = {{now}}
WHERE scope = $1
"""  # noqa: S608
# Reset times that lie too far ahead.
_BRING_BACK = f"""
UPDATE bunce_budgets AS b SET
  due_at = CASE WHEN b.due_at > {{now}} + {MAX_AHEAD_MS} THEN {{now}} ELSE b.due_at END,
  paused_until = CASE WHEN b.paused_until > {{now}} + {MAX_AHEAD_MS} THEN 0
    ELSE b.paused_until END,
  limited_at = CASE WHEN b.limited_at > {{now}} THEN {{now}} ELSE b.limited_at END
WHERE scope = $1
  AND (b.due_at > {{now}} + {MAX_AHEAD_MS} OR b.paused_until > {{now}} + {MAX_AHEAD_MS})
RETURNING scope
"""  # noqa: S608
# Return the share of the limit in use and the milliseconds left of a pause.
_STATE = f"""
SELECT {_SHARE} AS share, b.paused_until - {{now}} AS pause FROM bunce_budgets AS b WHERE scope = $1
"""  # noqa: S608
# Return whether a scope is paused.
_PAUSED = "SELECT paused_until > {now} AS paused FROM bunce_budgets WHERE scope = $1"


@dataclass(frozen=True)
class Reserved:
    """Reserved requests: the first may leave after `wait_ms`, each next one `interval_ms` later."""

    wait_ms: float
    interval_ms: float
    paused: bool


def reserve(
    db: Database, scope: str, *, interval_ms: float, slots: int, burst: int, now: str | None = None
) -> Reserved:
    """Reserve the next `slots` requests of a scope, in one statement that needs no other lock.

    `interval_ms` is the time between two requests at the full limit; after everyone has been idle,
    up to `burst` requests may leave at once. `now` replaces the database's clock, for a simulation.
    """
    sql = _RESERVE.format(now=now or db.now)
    (row,) = db.rows(sql, (scope, round(interval_ms * slots)))
    interval = interval_ms / row["share"]
    first = row["due_at"] - interval * slots - interval * (burst - 1)
    start = max(row["now"], first, row["paused_until"])
    return Reserved(start - row["now"], interval, row["paused_until"] > row["now"])


def pause(
    db: Database,
    scope: str,
    *,
    wait_ms: float,
    interval_ms: float,
    burst: int,
    now: str | None = None,
) -> None:
    """Pause the whole scope for `wait_ms`, without a burst afterwards, and reduce its share."""
    sql = _PAUSE.format(now=now or db.now)
    db.execute(sql, (scope, round(wait_ms), round(wait_ms + interval_ms * (burst - 1))))


def bring_back(db: Database, scope: str, *, now: str | None = None) -> bool:
    """Reset times that lie too far ahead to be right; return whether there were any."""
    return bool(db.rows(_BRING_BACK.format(now=now or db.now), (scope,)))


def is_paused(db: Database, scope: str, *, now: str | None = None) -> bool:
    """Return whether the scope is paused."""
    rows = db.rows(_PAUSED.format(now=now or db.now), (scope,))
    return any(row["paused"] for row in rows)


def share_of(db: Database, scope: str) -> tuple[float, float]:
    """Return the share of the limit in use now, and the seconds left of a pause."""
    rows = db.rows(_STATE.format(now=db.now), (scope,))
    return (rows[0]["share"], max(0.0, rows[0]["pause"] / 1000)) if rows else (1.0, 0.0)
