"""What a load leaves on disk: no copy of the source, and nothing that others may read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import dlt
import pytest

from dlt_bunce import bunce_adapter, flush_and_run
from dlt_bunce.emulator import Emulator
from dlt_bunce.errors import ConfigurationError
from dlt_bunce.store.database import Database, utc_days_ago

from .conftest import STORE, MakePipeline, customer, letters


@pytest.mark.parametrize("how", ["flush_and_run", "run"])
def test_no_row_stays_in_the_working_folder(
    make: MakePipeline, emulator: Emulator, how: str
) -> None:
    pipeline = make()
    data = bunce_adapter(dlt.resource([customer(1, note="marked-secret")], name="customers"))
    if how == "run":
        pipeline.run(data, write_disposition="merge")
    else:
        flush_and_run(pipeline, data)

    left = [file for file in Path(pipeline.working_dir).rglob("*") if file.is_file()]
    assert emulator.customers != {}
    assert [file for file in left if file.suffix in {".parquet", ".jsonl", ".gz"}] == []
    assert [file for file in left if b"marked-secret" in file.read_bytes()] == []
    assert Path(pipeline.working_dir).stat().st_mode & 0o777 == 0o700


def test_the_files_can_be_kept(make: MakePipeline, emulator: Emulator) -> None:
    pipeline = make(keep_completed_jobs=True)
    flush_and_run(pipeline, dlt.resource([customer(1)], name="customers"))

    kept = Path(pipeline.working_dir).glob("load/loaded/*/completed_jobs/customers.*")
    assert len(list(kept)) == 1


def test_a_run_leaves_alone_what_earlier_runs_have_emptied(
    make: MakePipeline, emulator: Emulator
) -> None:
    def load(number: int) -> dict[Path, int]:
        flush_and_run(make(), dlt.resource([customer(number)], name="customers"))
        found = Path(make().working_dir).glob("load/loaded/*/completed_jobs")
        return {folder: folder.stat().st_mtime_ns for folder in found}

    first, second = load(1), load(2)

    assert (len(first), len(second)) == (1, 2)
    assert first.items() < second.items()


def test_the_store_is_for_its_user_alone(make: MakePipeline, emulator: Emulator) -> None:
    pipeline = make(store_url="sqlite:///deep/er/bunce.sqlite")
    flush_and_run(pipeline, dlt.resource([customer(1, phone_no="bad")], name="customers"))

    def modes() -> dict[str, int]:
        return {file.name: file.stat().st_mode & 0o777 for file in Path("deep/er").iterdir()}

    assert {*modes().values()} == {0o600}
    with Database("sqlite:///deep/er/bunce.sqlite") as db, db.alone("replay"):
        db.execute("DELETE FROM bunce_dead_letters")
        open_now = modes()
    assert {"bunce.sqlite", "bunce.sqlite-wal", "bunce.sqlite-shm"} < {*open_now}
    assert {*open_now.values()} == {0o600}


@pytest.mark.parametrize("days", [None, 30])
def test_old_rows_are_forgotten_where_that_is_asked_for(
    make: MakePipeline, emulator: Emulator, days: int | None
) -> None:
    rows = [customer(n, phone_no="bad") for n in range(1, 6)]
    flush_and_run(make(), rows, table_name="customers")
    with Database(STORE) as db:
        for number, status, age in (
            (1, "resolved", 40),
            (2, "superseded", 40),
            (3, "discarded", 40),
            (4, "resolved", 20),
        ):
            db.execute(
                "UPDATE bunce_dead_letters SET status = $1, resolved_at = $2 "
                "WHERE customer_id = $3",
                (status, utc_days_ago(age), f"c{number}"),
            )
    kept = Path(make().working_dir).with_name("crm.given_up")
    for name, age in (("old", 40), ("new", 20)):
        (kept / name).mkdir(parents=True)
        at = (kept / name).stat().st_mtime - age * 86_400
        os.utime(kept / name, (at, at))

    flush_and_run(make(retention_days=days), [customer(9)], table_name="customers")

    held = {found[0] for found in letters("customer_id, source_row") if found[1] is not None}
    assert {f"c{n}" for n in ([4, 5] if days else range(1, 6))} == held
    assert (3 if days else 5) == len(letters())
    assert ({"new"} if days else {"old", "new"}) == {folder.name for folder in kept.iterdir()}


def test_old_runs_and_loaded_packages_go_and_what_later_runs_rest_on_stays(
    make: MakePipeline, emulator: Emulator, store: str
) -> None:
    settings: dict[str, Any] = {"store_url": store, "keep_completed_jobs": True}
    for number in (1, 2, 3):
        pipeline = make(**settings)
        flush_and_run(pipeline, [customer(number)], table_name="customers")
    flush_and_run(make("bad", **settings), [customer(4, phone_no="x")], table_name="customers")
    packages = sorted(Path(pipeline.working_dir).glob("load/loaded/*"))
    with Database(store) as db:
        db.execute("UPDATE bunce_runs SET ended_at = $1", (utc_days_ago(40),))
    for package in packages:
        at = package.stat().st_mtime - 40 * 86_400
        os.utime(package, (at, at))

    summary = flush_and_run(
        make(**settings, retention_days=30, min_rows_share_of_last=0.5),
        [customer(9)],
        table_name="customers",
    )

    left = Path(pipeline.working_dir).glob("load/loaded/*")
    assert [package for package in packages if package in left] == []
    with Database(store, read_only=True) as db:
        names = [row["pipeline_name"] for row in db.rows("SELECT * FROM bunce_runs")]
        chunks = {row["run_id"] for row in db.rows("SELECT * FROM bunce_run_chunks")}
    # the run that a letter came from, and the newest of each pipeline
    assert sorted(names) == ["bad", "crm"]
    assert (2, summary.run_id in chunks) == (len(chunks), True)


def test_what_a_run_forgets_is_overwritten(make: MakePipeline, emulator: Emulator) -> None:
    bad = customer(1, phone_no="marked-secret")
    flush_and_run(make(), [bad, customer(2)], table_name="customers")
    flush_and_run(make(), [customer(1)], table_name="customers")
    with Database(STORE) as db:
        db.execute("UPDATE bunce_dead_letters SET resolved_at = $1", (utc_days_ago(40),))
    assert b"marked-secret" in b"".join(f.read_bytes() for f in Path().glob("bunce.sqlite*"))

    flush_and_run(make(retention_days=30), [customer(3)], table_name="customers")

    left = [f for f in Path().glob("bunce.sqlite*") if b"marked-secret" in f.read_bytes()]
    assert left == []


def test_a_retention_that_is_no_number_of_days_is_refused(make: MakePipeline) -> None:
    for wrong in (-1, "ninety", 0.5):
        with pytest.raises(ConfigurationError, match="retention_days is"):
            flush_and_run(make(retention_days=wrong), [customer(1)], table_name="customers")


def test_a_retention_that_no_calendar_reaches_keeps_everything(
    make: MakePipeline, emulator: Emulator
) -> None:
    rows = [customer(1), customer(2, email="bad")]

    done = flush_and_run(make(retention_days=999_999), rows, table_name="customers")

    assert (done.state, len(letters())) == ("completed", 1)
