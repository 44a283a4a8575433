"""Whoever asks to be forgotten is gone from the store's files and from what dlt still holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dlt
import pyarrow as pa
import pytest
from dlt.pipeline.exceptions import PipelineStepFailed

from dlt_bunce import bunce, bunce_adapter, flush_and_run
from dlt_bunce.emulator import Emulator
from dlt_bunce.store.database import Database

from .conftest import Run, people, write

MARK = "forgetme"
NOWHERE = "http://127.0.0.1:9/v1"


def marked(*numbers: int, **changes: Any) -> list[dict[str, Any]]:
    """Customers whose every value can be found again."""
    return [
        {
            "id": f"{MARK}-id-{n}",
            "email": f"{MARK}{n}@example.com",
            "first_name": f"{MARK}-first",
            "last_name": f"{MARK}-last",
            "mobile": f"+23481{n:08d}",
        }
        | changes
        for n in numbers
    ]


def load(rows: list[dict[str, Any]], kind: str = "arrow", **settings: Any) -> Any:
    data: Any = pa.Table.from_pylist(rows) if kind == "arrow" else rows
    pipeline = dlt.pipeline("crm", destination=bunce(**settings))
    customers = dlt.resource(data, name="customers", write_disposition="merge")
    return flush_and_run(pipeline, bunce_adapter(customers))


def found_in_files(text: str) -> list[str]:
    """Files below the working directory that hold the text, compressed ones apart."""
    return [str(f) for f in Path().rglob("*") if f.is_file() and text.encode() in f.read_bytes()]


@pytest.mark.parametrize("kind", ["arrow", "dicts"])
def test_nothing_of_a_customer_is_left(run: Run, emulator: Emulator, store: str, kind: str) -> None:
    rows = [*people(1), *marked(2), *marked(3, mobile="call me"), *people(4)]
    load([{**row, "id": str(row["id"])} for row in rows], kind)
    changed = [{**row, "id": str(row["id"]), "first_name": "New"} for row in rows]
    away = dlt.pipeline("crm", destination=bunce(base_url=NOWHERE))
    with pytest.raises(PipelineStepFailed):
        away.run(bunce_adapter(dlt.resource(changed, name="customers", write_disposition="merge")))
    ids = [f"{MARK}-id-2", f"{MARK}-id-3", "unknown"]

    unasked = run("erase", *ids)
    done = run("erase", *ids, "--yes", "--json").json
    again = run("erase", *ids, "--yes").output

    assert unasked.code == 2
    assert (done["ledger"], done["dead_letters"], done["package_rows"]) == (1, 1, 2)
    assert (done["nowhere"], done["not_searched"]) == (["unknown"], [])
    assert "0 customers in the ledger, 0 dead letters, and 0 rows" in again
    assert "Bunce still has these customers" in again
    with Database(store, read_only=True) as db:
        assert {"1", "4"} == {r["customer_id"] for r in db.rows("SELECT * FROM bunce_customers")}
    assert found_in_files(MARK) == []
    flushed = load([{**row, "id": str(row["id"])} for row in people(5)]).flushed
    assert (flushed.read, flushed.updated) == (2, 2)


def test_ids_come_from_a_file_too_and_have_the_form_of_the_ledger(
    run: Run, emulator: Emulator, store: str
) -> None:
    write(people(1, 2, 3), "a.parquet")
    run("load", "a.parquet")
    Path("ids.txt").write_text("\ufeff1\n 2 \n\n", "utf-8")

    assert run("erase", "--from-file", "ids.txt", "--yes", "--json").json["ledger"] == 2
    with Database(store, read_only=True) as db:
        assert [r["customer_id"] for r in db.rows("SELECT * FROM bunce_customers")] == ["3"]


def test_what_cannot_be_erased_is_told(run: Run, emulator: Emulator, store: str) -> None:
    write(people(1), "a.parquet")
    run("load", "a.parquet")
    with Database(store) as db:
        until = db.now_ms() + 60_000
        db.execute("UPDATE bunce_customers SET claim_batch = 'x', lease_until = $1", (until,))

    sending = run("erase", "1", "--yes")
    nobody = run("erase", "--yes")
    elsewhere = run("erase", "1", "--yes", "--account", "other")

    assert "is sending customers" in sending.errors
    assert "No customer ids were given" in nobody.errors
    assert "no account 'other'" in elsewhere.errors
    with Database(store, read_only=True) as db:
        assert len(db.rows("SELECT * FROM bunce_customers")) == 1
