"""What a load leaves on disk: no copy of the source, and nothing that others may read."""

from __future__ import annotations

from pathlib import Path

import dlt
import pytest

from dlt_bunce import bunce_adapter, flush_and_run
from dlt_bunce.emulator import Emulator

from .conftest import MakePipeline, customer


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
