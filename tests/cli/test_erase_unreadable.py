"""What the user of `erase` cannot read is not taken for empty."""

from __future__ import annotations

import tempfile
from pathlib import Path

import dlt
import pyarrow as pa
from tests.permissions import forbidden

from dlt_bunce import bunce, bunce_adapter, flush_and_run
from dlt_bunce.emulator import Emulator
from dlt_bunce.store.database import Database

from .conftest import Run, people


def test_a_folder_or_file_that_this_user_cannot_read_is_named_and_nothing_is_erased(
    run: Run, emulator: Emulator
) -> None:
    rows = [row | {"id": str(row["id"])} for row in people(1, 2)]
    pipeline = dlt.pipeline("crm", destination=bunce())
    flush_and_run(pipeline, bunce_adapter(dlt.resource(rows, name="customers")))
    pipeline.extract(bunce_adapter(dlt.resource(rows, name="customers")))
    table = pa.Table.from_pylist(rows)
    pipeline.extract(bunce_adapter(dlt.resource(table, name="customers")))
    folder = Path(pipeline.working_dir)
    pending = sorted(folder.glob("normalize/extracted/*/new_jobs/customers.*"))
    before = [path.read_bytes() for path in pending]

    for path in (folder.parent, folder, pending[0].parent, *pending):
        with forbidden(path):
            refused = run("erase", "1", "--yes")
        assert (refused.code, refused.output) == (2, "")
        assert f"{path.absolute()}" in refused.errors
        assert "this user may not read it. Nothing was erased." in refused.errors

    assert {path.suffix for path in pending} == {".gz", ".parquet"}
    assert before == [path.read_bytes() for path in pending]
    with Database("sqlite:///bunce.sqlite", read_only=True) as db:
        assert len(db.rows("SELECT * FROM bunce_customers")) == 2


def test_a_stranger_s_temporary_folder_is_named_and_stands_in_nobody_s_way(
    run: Run, emulator: Emulator
) -> None:
    pipeline = dlt.pipeline("crm", destination=bunce())
    rows = [row | {"id": str(row["id"])} for row in people(1)]
    flush_and_run(pipeline, bunce_adapter(dlt.resource(rows, name="customers")))
    theirs = Path(tempfile.mkdtemp(prefix="dlt-bunce-"))

    with forbidden(theirs):
        done = run("erase", "1", "--yes", "--json").json
        told = run("erase", "1", "--yes").output

    assert (done["ledger"], done["not_searched"]) == (1, [str(theirs)])
    assert f"they are another user's or their customers cannot be identified: {theirs}" in told
