"""dlt's own state: schemas, incremental cursors, and which loads are complete.

A state row takes effect only once its load is complete: dlt loads it as a separate job, which may
run before the jobs with the rows that its cursor covers.
"""

from __future__ import annotations

from typing import Any

from dlt_bunce.store.database import Database, utc_now


def put_state(db: Database, row: dict[str, Any], account: str) -> None:
    """Store one row of dlt's state table; running the same job again changes nothing."""
    db.execute(
        "INSERT INTO bunce_dlt_state (pipeline_name, load_id, version, engine_version, state, "
        "created_at, version_hash, account) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) "
        "ON CONFLICT (pipeline_name, load_id) DO UPDATE SET version = excluded.version, "
        "engine_version = excluded.engine_version, state = excluded.state, "
        "version_hash = excluded.version_hash, account = excluded.account",
        (
            row["pipeline_name"],
            row["_dlt_load_id"],
            int(row["version"]),
            int(row["engine_version"]),
            row["state"],
            str(row["created_at"]),
            row["version_hash"],
            account,
        ),
    )


def latest_state(db: Database, pipeline_name: str, account: str) -> dict[str, Any] | None:
    """Return the state of the pipeline's load into an account that completed last.

    If two loads ran at once, the one that completed later wins: all rows before its cursor are
    settled, and what the other load read beyond it is read again and found unchanged.
    """
    rows = db.rows(
        "SELECT s.* FROM bunce_dlt_state AS s JOIN bunce_dlt_loads AS l ON l.load_id = s.load_id "
        "WHERE s.pipeline_name = $1 AND s.account = $2 "
        "ORDER BY COALESCE(l.number, 0) DESC, s.load_id DESC LIMIT 1",
        (pipeline_name, account),
    )
    return rows[0] if rows else None


def is_in_effect(db: Database, pipeline_name: str, account: str, version_hash: str) -> bool:
    """Return whether a load into the account that brought this state is complete."""
    rows = db.rows(
        "SELECT 1 AS n FROM bunce_dlt_state AS s "
        "JOIN bunce_dlt_loads AS l ON l.load_id = s.load_id "
        "WHERE s.pipeline_name = $1 AND s.account = $2 AND s.version_hash = $3 LIMIT 1",
        (pipeline_name, account, version_hash),
    )
    return bool(rows)


def put_load(db: Database, load_id: str, schema_name: str, version_hash: str) -> None:
    """Mark a load as complete, so that its state takes effect. Call it inside a transaction."""
    db.execute(
        "INSERT INTO bunce_dlt_loads "
        "(load_id, schema_name, schema_version_hash, inserted_at, number) "
        "SELECT $1, $2, $3, $4, COALESCE(MAX(number), 0) + 1 FROM bunce_dlt_loads WHERE true "
        "ON CONFLICT (load_id, schema_name) DO NOTHING",
        (load_id, schema_name, version_hash, utc_now()),
    )


def put_schema(db: Database, row: dict[str, Any]) -> None:
    """Store one version of a dlt schema."""
    db.execute(
        "INSERT INTO bunce_dlt_version (version_hash, schema_name, version, engine_version, "
        "inserted_at, schema_json) VALUES ($1, $2, $3, $4, $5, $6) "
        "ON CONFLICT (version_hash) DO NOTHING",
        (
            row["version_hash"],
            row["schema_name"],
            row["version"],
            row["engine_version"],
            utc_now(),
            row["schema"],
        ),
    )


def latest_schema(
    db: Database, *, schema_name: str | None = None, version_hash: str | None = None
) -> dict[str, Any] | None:
    """Return the newest stored version of a schema, by name or by hash."""
    rows = db.rows(
        "SELECT * FROM bunce_dlt_version WHERE (CAST($1 AS TEXT) IS NULL OR schema_name = $1) "
        "AND (CAST($2 AS TEXT) IS NULL OR version_hash = $2) ORDER BY inserted_at DESC LIMIT 1",
        (schema_name, version_hash),
    )
    return rows[0] if rows else None
