"""How a source is divided into shards: decided once, by the first process to load it."""

from __future__ import annotations

from collections.abc import Callable

from dlt_bunce.store.database import Database, utc_now

_KEY = "account = $1 AND plan = $2 AND source = $3"


def first(db: Database, account: str, plan: str, source: str, make: Callable[[], str]) -> str:
    """Return the marks of the first process; `make` may take long and blocks no other process."""
    key = (account, plan, source)
    find = f"SELECT marks FROM bunce_shard_plans WHERE {_KEY}"  # noqa: S608, constants only
    rows = db.rows(find, key)
    if not rows:
        db.execute(
            "INSERT INTO bunce_shard_plans (account, plan, source, marks, made_at) "
            "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (account, plan, source) DO NOTHING",
            (*key, make(), utc_now()),
        )
        rows = db.rows(find, key)
    return str(rows[0]["marks"])


def extended(
    db: Database, account: str, plan: str, source: str, extend: Callable[[str | None], str]
) -> str:
    """Return the marks after `extend` has added to them; no other process can add meanwhile."""
    key = (account, plan, source)
    with db.transaction():
        # this locks the row whether or not it existed
        (row,) = db.rows(
            "INSERT INTO bunce_shard_plans (account, plan, source, made_at) "
            "VALUES ($1, $2, $3, $4) ON CONFLICT (account, plan, source) "
            "DO UPDATE SET plan = excluded.plan RETURNING marks",
            (*key, utc_now()),
        )
        marks = extend(row["marks"])
        db.execute(f"UPDATE bunce_shard_plans SET marks = $4 WHERE {_KEY}", (*key, marks))  # noqa: S608
    return marks
