"""Newest wins, whatever the version column becomes; what is odd about a run is said."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from tests.cli.conftest import Run, program, run, write

from dlt_bunce.emulator import Emulator
from dlt_bunce.errors import MappingError, bunce_error
from dlt_bunce.store.database import Database
from dlt_bunce.store.version_medians import forget

from .conftest import STORE, MakePipeline, customer
from .test_mappings import DOORS, KINDS, load
from .test_updates import bulk

LATELY = datetime(2026, 1, 5, 9, 30, tzinfo=timezone.utc)
SECONDS = int(LATELY.timestamp())
__all__ = ["program", "run"]


def versioned(version: Any, *numbers: int, **changes: Any) -> list[dict[str, Any]]:
    return [customer(n, changed=version, **changes) for n in numbers or (1, 2)]


@pytest.mark.parametrize("how", DOORS)
@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("arrow", LATELY, SECONDS + 60),
        ("arrow", LATELY, SECONDS * 1000 + 60_000),
        ("arrow", SECONDS * 1000, SECONDS + 60),
        ("arrow", LATELY, 8),
        ("arrow", LATELY.isoformat(), SECONDS + 60),
        ("dicts", SECONDS * 1000, SECONDS + 60),
        ("dicts", SECONDS, 8),
    ],
)
def test_times_that_become_smaller_numbers_are_refused_before_anything_is_sent(
    make: MakePipeline, emulator: Emulator, how: str, kind: str, before: Any, after: Any
) -> None:
    load(make(), how, kind, versioned(before), version="changed")
    sent = len(bulk(emulator))

    with pytest.raises(Exception) as caught:  # noqa: PT011, dlt's own around ours in a plain run
        load(make(), how, kind, versioned(after, first_name="New"), version="changed")
    error = bunce_error(caught.value)
    again = load(make(), how, kind, versioned(before, first_name="Newer"), version="changed")

    assert isinstance(error, MappingError)
    assert "'changed' held" in str(error)
    assert "forget-versions" in error.remedy
    assert sent + 1 == len(bulk(emulator))
    assert (again.updated, again.superseded) == (2, 0)


@pytest.mark.parametrize("how", DOORS)
def test_counters_and_old_times_are_taken_as_they_come(
    make: MakePipeline, emulator: Emulator, how: str
) -> None:
    load(make(), how, "arrow", versioned(9_000_000, 1), version="changed")
    counted = load(make(), how, "arrow", versioned(3, 2), version="changed")
    assert (counted.created, counted.warnings) == (1, {})

    elsewhere = make(name="times")
    load(elsewhere, how, "arrow", versioned(LATELY, 3), version="changed")
    old = datetime(1999, 5, 1, tzinfo=timezone.utc)
    aged = load(elsewhere, how, "arrow", versioned(old, 4), version="changed")
    assert (aged.created, aged.warnings) == (1, {})


def test_forgotten_versions_let_the_new_count_begin(make: MakePipeline, emulator: Emulator) -> None:
    load(make(), "flush_and_run", "arrow", versioned(LATELY), version="changed")
    with Database(STORE) as db, db.transaction():
        assert forget(db, "default") == 2

    newer = [*versioned(SECONDS + 60, 1, first_name="New"), *versioned(SECONDS + 60, 2)]
    done = load(make(), "flush_and_run", "arrow", newer, version="changed")

    assert (done.updated, done.unchanged, done.superseded) == (1, 1, 0)
    assert emulator.customers["c1"]["first_name"] == "New"


@pytest.mark.parametrize("kind", KINDS)
def test_a_null_version_is_newer_and_erases_no_version(
    make: MakePipeline, emulator: Emulator, kind: str
) -> None:
    load(make(), "flush_and_run", kind, versioned(20), version="changed")
    rows = [*versioned(None, 1, first_name="Null"), *versioned(21, 2)]
    nulled = load(make(), "flush_and_run", kind, rows, version="changed")
    rows = versioned(19, 1, 2, first_name="Old")
    older = load(make(), "flush_and_run", kind, rows, version="changed")

    assert nulled.updated == 1
    assert older.superseded == 2
    assert emulator.customers["c1"]["first_name"] == "Null"


def test_a_version_in_the_far_future_warns(make: MakePipeline, emulator: Emulator) -> None:
    far = datetime(9999, 12, 31, tzinfo=timezone.utc)
    rows = [*versioned(LATELY, 1, 2, 3), *versioned(far, 4)]

    done = load(make(), "flush_and_run", "arrow", rows, version="changed")

    assert (done.created, done.warnings) == (4, {"version_in_future": 1})


def test_a_run_that_is_older_than_the_ledger_warns(make: MakePipeline, emulator: Emulator) -> None:
    load(make(), "flush_and_run", "arrow", versioned(20, 1, 2, 3), version="changed")
    rows = [*versioned(9, 1, 2, first_name="Old"), *versioned(21, 3)]

    done = load(make(), "flush_and_run", "arrow", rows, version="changed")

    assert (done.superseded, done.warnings) == (2, {"mostly_superseded": 2})


def test_changes_that_append_leaves_out_warn_everywhere(
    run: Run, program: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNTIME__LOG_LEVEL", "WARNING")
    rows = [{"customer_id": n, **_contact(n)} for n in range(3)]
    write(rows, "a.parquet")
    run("load", "a.parquet")
    write([{**row, "first_name": "New"} for row in rows], "a.parquet")

    checked = run("check", "a.parquet", "--disposition", "append", "--json").json
    told = program("load", "a.parquet", "--disposition", "append")
    status = run("status", "--json").json

    assert "skipped_changes" in told.output
    assert 'write_disposition="merge"' in told.output
    assert '"event": "run.warnings"' in told.errors
    assert status["runs"][0]["warnings"] == {"skipped_changes": 3}
    assert checked["summary"]["warnings"] == {"skipped_changes": 3}


def _contact(number: int) -> dict[str, str]:
    return {
        "email": f"c{number}@example.com",
        "first_name": "Ada",
        "last_name": "Obi",
        "phone_no": f"+23481{number:08d}",
    }
