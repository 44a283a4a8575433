"""dlt's own state: a cursor takes effect once the rows that it covers are settled."""

from __future__ import annotations

from typing import Any

from dlt_bunce.store import dlt_state
from dlt_bunce.store.database import Database


def put(
    db: Database,
    load_id: str,
    version: int,
    state: str,
    pipeline: str = "crm",
    account: str = "default",
) -> None:
    """Store one row of state as dlt loads it."""
    dlt_state.put_state(
        db,
        {
            "pipeline_name": pipeline,
            "_dlt_load_id": load_id,
            "version": version,
            "engine_version": 4,
            "state": state,
            "created_at": "2025-01-01T00:00:00+00:00",
            "version_hash": f"hash of {state}",
        },
        account,
    )


def newest(db: Database, pipeline: str = "crm", account: str = "default") -> str | None:
    row = dlt_state.latest_state(db, pipeline, account)
    return None if row is None else row["state"]


def schema(version_hash: str, **changes: Any) -> dict[str, Any]:
    row = {"version_hash": version_hash, "schema_name": "crm", "version": 1, "engine_version": 11}
    return row | {"schema": "{}"} | changes


def test_a_state_takes_effect_once_its_load_is_complete(db: Database) -> None:
    put(db, "1700000001.1", 1, "one")
    assert newest(db) is None

    dlt_state.put_load(db, "1700000001.1", "crm", "hash")
    put(db, "1700000002.1", 2, "two")
    assert newest(db) == "one"

    dlt_state.put_load(db, "1700000002.1", "crm", "hash")
    assert newest(db) == "two"


def test_a_state_is_in_effect_for_its_pipeline_and_account_once_its_load_is_complete(
    db: Database,
) -> None:
    put(db, "1700000001.1", 1, "one")
    put(db, "1700000002.1", 2, "two")
    before = dlt_state.is_in_effect(db, "crm", "default", "hash of one")
    dlt_state.put_load(db, "1700000001.1", "crm", "hash")

    found = [
        dlt_state.is_in_effect(db, *which)
        for which in (
            ("crm", "default", "hash of one"),
            ("crm", "default", "hash of two"),
            ("other", "default", "hash of one"),
            ("crm", "second", "hash of one"),
        )
    ]

    assert (before, found) == (False, [True, False, False, False])


def test_the_state_of_the_newest_load_wins_even_when_versions_restarted(db: Database) -> None:
    for load_id, version, state in (
        ("1700000001.1", 41, "before the local state was dropped"),
        ("1700000002.1", 1, "after"),
    ):
        put(db, load_id, version, state)
        dlt_state.put_load(db, load_id, "crm", "hash")

    assert newest(db) == "after"


def test_of_two_concurrent_runs_the_one_that_completed_last_wins(db: Database) -> None:
    # the clock of the first machine is ahead
    put(db, "1900000000.1", 2, "of the first")
    put(db, "1700000002.1", 2, "of the second")
    dlt_state.put_load(db, "1900000000.1", "crm", "hash")
    assert newest(db) == "of the first"

    dlt_state.put_load(db, "1700000002.1", "crm", "hash")
    assert newest(db) == "of the second"


def test_accounts_have_separate_states(db: Database) -> None:
    put(db, "1700000001.1", 1, "mine")
    put(db, "1700000002.1", 1, "theirs", account="second")
    for load_id in ("1700000001.1", "1700000002.1"):
        dlt_state.put_load(db, load_id, "crm", "hash")

    assert (newest(db), newest(db, account="second")) == ("mine", "theirs")
    assert newest(db, account="third") is None


def test_pipelines_have_separate_states(db: Database) -> None:
    put(db, "1700000001.1", 1, "mine")
    put(db, "1700000002.1", 9, "other", pipeline="other")
    for load_id in ("1700000001.1", "1700000002.1"):
        dlt_state.put_load(db, load_id, "crm", "hash")

    assert newest(db) == "mine"
    assert newest(db, "other") == "other"
    assert newest(db, "unknown") is None


def test_a_retried_state_job_changes_nothing(db: Database) -> None:
    for _ in range(2):
        put(db, "1700000001.1", 1, "one")
        dlt_state.put_load(db, "1700000001.1", "crm", "hash")

    assert newest(db) == "one"
    assert db.rows("SELECT COUNT(*) AS n FROM bunce_dlt_state") == [{"n": 1}]
    assert db.rows("SELECT COUNT(*) AS n FROM bunce_dlt_loads") == [{"n": 1}]


def test_a_load_of_two_schemas_is_complete_with_the_first(db: Database) -> None:
    put(db, "1700000001.1", 1, "one")
    dlt_state.put_load(db, "1700000001.1", "crm", "hash")
    dlt_state.put_load(db, "1700000001.1", "other", "hash")

    assert newest(db) == "one"


def test_the_newest_schema_is_found_by_name_by_hash_or_without_either(db: Database) -> None:
    dlt_state.put_schema(db, schema("first"))
    dlt_state.put_schema(db, schema("second", version=2))
    dlt_state.put_schema(db, schema("other", schema_name="other"))
    dlt_state.put_schema(db, schema("first", version=9))

    def found(**by: str) -> tuple[Any, ...] | None:
        row = dlt_state.latest_schema(db, **by)
        return None if row is None else (row["version_hash"], row["version"])

    assert found(schema_name="crm") == ("second", 2)
    assert found(version_hash="first") == ("first", 1)
    assert found() == ("other", 1)
    assert found(version_hash="no") is None
    assert found(schema_name="no") is None
