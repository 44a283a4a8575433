"""What a load leaves on disk: no copy of the source, and nothing that others may read."""

from __future__ import annotations

import os
from pathlib import Path

import dlt
import pytest

from dlt_bunce import bunce_adapter, flush_and_run
from dlt_bunce.emulator import Emulator
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
    assert {} != emulator.customers
    assert [] == [file for file in left if file.suffix in {".parquet", ".jsonl", ".gz"}]
    assert [] == [file for file in left if b"marked-secret" in file.read_bytes()]
    assert 0o700 == Path(pipeline.working_dir).stat().st_mode & 0o777


def test_the_files_can_be_kept(make: MakePipeline, emulator: Emulator) -> None:
    pipeline = make(keep_completed_jobs=True)
    flush_and_run(pipeline, dlt.resource([customer(1)], name="customers"))

    kept = Path(pipeline.working_dir).glob("load/loaded/*/completed_jobs/customers.*")
    assert 1 == len(list(kept))


def test_the_store_is_for_its_user_alone(make: MakePipeline, emulator: Emulator) -> None:
    pipeline = make(store_url="sqlite:///deep/er/bunce.sqlite")
    flush_and_run(pipeline, dlt.resource([customer(1, phone_no="bad")], name="customers"))

    assert {0o600} == {file.stat().st_mode & 0o777 for file in Path("deep/er").iterdir()}


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
