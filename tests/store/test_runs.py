"""Counts of runs: each row once, however often its chunk is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dlt_bunce.model import FATES, Traffic
from dlt_bunce.store.database import Database
from dlt_bunce.store.runs import mappings, run_chunks, runs

Make = Callable[..., Any]


def finish(ledger_helper: Any, state: str = "completed") -> None:
    load_file = ledger_helper.load_file
    runs.finish(
        ledger_helper.db, load_file.run_id, load_file.pipeline_name, load_file.account, state
    )


def test_counts_of_a_chunk_are_replaced_whole_when_it_is_read_again(ledger_helper: Make) -> None:
    first = ledger_helper()
    run_chunks.put_chunk(first.db, first.load_file, 0, 10, {"created": 3, "held": 7}, {"odd": 2})
    run_chunks.put_chunk(
        first.db, first.load_file, 1, 5, {"unchanged": 5}, {"odd": 1, "mostly_superseded": 5}
    )
    run_chunks.put_chunk(first.db, first.load_file, 0, 9, {"created": 4}, {"odd": 4})

    assert first.counts() == {"read": 14, "created": 4, "unchanged": 5, "deferred": 5}
    # five of fourteen rows are not most of them
    assert runs.finish(first.db, first.load_file.run_id, "crm", "default", "completed") == {
        "odd": 5
    }


def test_traffic_adds_up_and_the_slowest_response_is_kept(ledger_helper: Make) -> None:
    first = ledger_helper()
    runs.add_traffic(first.db, first.load_file, Traffic(3, 2, 1, 1, 100, 0.5, 1.5, 0.9))
    runs.add_traffic(first.db, first.load_file, Traffic(2, 1, 1, 0, 50, 0.25, 0.5, 0.4))

    row = first.db.rows("SELECT * FROM bunce_runs")[0]
    assert tuple(
        row[c] for c in ("requests", "bulk_requests", "lookups", "retries", "bytes_sent")
    ) == (5, 3, 2, 1, 150)
    assert tuple(row[c] for c in ("wait_seconds", "answer_seconds", "slowest_answer_seconds")) == (
        0.75,
        2.0,
        0.9,
    )


def test_a_finished_run_has_the_sum_of_its_chunks_and_its_rejects_by_code(
    ledger_helper: Make,
) -> None:
    first = ledger_helper()
    first.claim(("a", "a1"), bad=[("x", "bad"), ("y", "bad2")], superseded=1)
    first.settle("created", ("a", "a1"))
    first.load("rejected", ("b", "b1"), chunk=1)
    first.claim(("c", "c1"), chunk=2)
    finish(first)

    [summary] = runs.summaries(first.db, "default")

    expected = {"created": 1, "superseded": 1, "rejected": 3, "deferred": 1}
    assert dict.fromkeys(FATES, 0) | expected == summary.fates
    assert summary.read == 6
    assert dict(summary.reject_codes) == {"invalid_email": 2, "refused": 1}
    assert (
        summary.state,
        summary.disposition,
        summary.pipeline_name,
    ) == ("completed", "merge", "crm")
    summary.raise_if_unbalanced()


def test_a_run_without_any_job_is_written_when_it_ends(db: Database) -> None:
    runs.finish(db, "empty", "crm", "default", "completed")

    [summary] = runs.summaries(db, "default")
    assert (summary.run_id, summary.read, summary.state) == ("empty", 0, "completed")


def test_a_retried_run_is_running_again_and_keeps_its_start(ledger_helper: Make) -> None:
    first = ledger_helper()
    finish(first, "failed")
    started = first.db.rows("SELECT started_at FROM bunce_runs")

    again = ledger_helper()

    assert again.db.rows("SELECT state, ended_at FROM bunce_runs") == [
        {"state": "running", "ended_at": None}
    ]
    assert started == again.db.rows("SELECT started_at FROM bunce_runs")


def test_the_mapping_that_a_run_used_last_is_kept_for_replays(ledger_helper: Make) -> None:
    first = ledger_helper()
    assert mappings.mapping_of(first.db, "first", "crm", "customers") == {}

    runs.begin(first.db, first.load_file, {"email": "mail"})

    assert mappings.mapping_of(first.db, "first", "crm", "customers") == {"email": "mail"}
    assert mappings.mapping_of(first.db, "unknown", "crm", "customers") == {}


@pytest.fixture
def history(ledger_helper: Make) -> Database:
    """Thirty runs; those with odd numbers belong to another account."""
    for number in range(30):
        made = ledger_helper(f"run{number:02}", account="other" if number % 2 else "default")
        made.db.execute(
            "UPDATE bunce_runs SET started_at = $1 WHERE run_id = $2",
            (f"2025-01-{number + 1:02}T00:00:00+00:00", made.load_file.run_id),
        )
    db: Database = made.db
    return db


def names(db: Database, **filters: Any) -> list[str | None]:
    return [summary.run_id for summary in runs.summaries(db, "default", **filters)]


def test_runs_are_listed_newest_first_up_to_the_limit(history: Database) -> None:
    assert names(history, limit=3) == ["run28", "run26", "run24"]
    assert len(names(history)) == 15


def test_runs_are_found_by_id_and_by_pipeline(history: Database) -> None:
    assert names(history, run_ids=["run02", "run04", "run05", "no"]) == ["run04", "run02"]
    assert names(history, run_ids={"run00"}, limit=1) == ["run00"]
    assert names(history, run_ids=[]) == []
    assert names(history, pipeline_name="crm", limit=1) == ["run28"]
    assert names(history, pipeline_name="another") == []


def test_a_long_history_of_finished_and_unfinished_runs_is_read_whole(db: Database) -> None:
    for number in range(1100):
        db.execute(
            "INSERT INTO bunce_runs (run_id, pipeline_name, account, state, started_at, ended_at) "
            "VALUES ($1, 'crm', 'default', 'completed', $2, $3)",
            (
                f"{number:04}",
                f"2025-01-01T00:00:{number // 1000:02}.{number % 1000:03}000+00:00",
                None if number else "2025-01-01T00:01:00+00:00",
            ),
        )

    assert len(names(db, limit=2000)) == 1100
