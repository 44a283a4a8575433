"""Rows of a person that wait in dlt's folders go, and everybody else's arrive as before."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dlt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dlt.pipeline.exceptions import PipelineStepFailed

from dlt_bunce import bunce, bunce_adapter, flush_and_run
from dlt_bunce.destination.folder.run_lock import run_lock
from dlt_bunce.emulator import Behavior, Emulator, Fault
from dlt_bunce.errors import BunceError
from dlt_bunce.store.database import Database

from .conftest import Run, people

GONE = Fault("error_before", call="create", on_request=1, until_request=99, status=401)
MARK = b"forget.me@example.com"
NAME = "forgetme"
NOWHERE = "http://127.0.0.1:9/v1"


def rows(**of_first: Any) -> list[dict[str, Any]]:
    """Three customers under `key`; `customer_id` is a foreign key that leads to somebody else."""
    return [
        {
            "key": f"k{n}",
            "customer_id": "k1" if n == 2 else "k9",
            "email": "forget.me@example.com" if n == 1 else f"c{n}@example.com",
            "first_name": "Ada",
            "last_name": "Obi",
            "phone_no": f"+23481{n:08d}",
        }
        | (of_first if n == 1 else {})
        for n in (1, 2, 3)
    ]


def resource(kind: str, **of_first: Any) -> Any:
    found = rows(**of_first)
    data = pa.Table.from_pylist(found) if kind == "arrow" else found
    customers = dlt.resource(data, name="customers", write_disposition="merge")
    return bunce_adapter(customers, customer_id="key")


def pipeline(**settings: Any) -> dlt.Pipeline:
    folder = settings.pop("pipelines_dir", None)
    return dlt.pipeline("crm", pipelines_dir=folder, destination=bunce(**settings))


def files_with(text: bytes, folder: Path = Path()) -> list[Path]:
    """Files that hold the text, whether or not they are compressed or Parquet."""
    from dlt.common.storages import FileStorage

    found = []
    for file in folder.rglob("*"):
        if not file.is_file():
            continue
        if file.suffix == ".parquet":
            content = str(pq.read_table(file).to_pylist()).encode()
        else:
            with FileStorage.open_zipsafe_ro(str(file), mode="rb") as opened:
                content = opened.read()
        if text in content:
            found.append(file)
    return found


STAGES: dict[str, Callable[[dlt.Pipeline], Any]] = {
    "extracted": lambda _: None,
    "normalized": lambda pipeline: pipeline.normalize(),
}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("kind", ["arrow", "dicts"])
def test_pending_rows_go_by_the_columns_that_their_package_names(
    run: Run, emulator: Emulator, kind: str, stage: str
) -> None:
    flush_and_run(pipeline(), resource(kind, email="first@example.com"))
    waiting = pipeline()
    waiting.extract(resource(kind))
    STAGES[stage](waiting)
    assert files_with(MARK) != []

    done = run("erase", "k1", "--yes", "--json").json

    assert (done["ledger"], done["package_rows"]) == (1, 1)
    assert files_with(MARK) == []
    summary = flush_and_run(pipeline(), resource(kind))
    assert summary.flushed is not None
    assert (summary.flushed.read, summary.flushed.unchanged) == (2, 2)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("kind", ["arrow", "dicts"])
def test_a_package_of_nobody_else_stands_in_nobodys_way(
    run: Run, emulator: Emulator, kind: str, stage: str
) -> None:
    flush_and_run(pipeline(), resource(kind))
    waiting = pipeline()
    found = rows(last_name="Eze")[:1]
    only: Any = pa.Table.from_pylist(found) if kind == "arrow" else found
    customer = dlt.resource(only, name="customers", write_disposition="merge")
    waiting.extract(bunce_adapter(customer, customer_id="key"))
    STAGES[stage](waiting)
    folders = {path.parent for path in Path().rglob("*_jobs/*")}

    assert run("erase", "k1", "--yes", "--json").json["package_rows"] == 1

    assert folders == {path.parent for path in Path().rglob("*_jobs/*")}
    summary = flush_and_run(pipeline(), resource(kind))
    # Bunce still has these customers, and so they are found there
    assert {k: n for k, n in summary.fates.items() if n} == {"unchanged": 2, "adopted": 1}
    assert not pipeline().has_pending_data


def test_a_package_that_is_loaded_in_part_is_refused_and_nothing_is_erased(
    run: Run, emulator: Emulator
) -> None:
    emulator.behavior = Behavior(rate_limit=0, faults=(GONE,))
    with pytest.raises(BunceError):
        flush_and_run(pipeline(), resource("arrow"))
    emulator.behavior = Behavior(rate_limit=0)

    refused = run("erase", "k1", "--yes")
    flushed = flush_and_run(pipeline(), resource("arrow")).flushed
    done = run("erase", "k1", "--yes", "--json").json

    assert (refused.code, refused.output) == (2, "")
    assert (
        "of pipeline 'crm' contains rows of these customers and is partly loaded" in refused.errors
    )
    assert "Run the pipeline again" in refused.errors
    assert flushed is not None
    assert flushed.created == 3
    assert (done["ledger"], done["package_rows"]) == (1, 0)


def test_rows_that_were_given_up_go_by_the_mapping_that_they_came_with(
    run: Run, emulator: Emulator
) -> None:
    flush_and_run(pipeline(), resource("arrow", email="first@example.com"))
    incomplete: Iterator[Any] = iter([row | {"stamp": "yesterday"} for row in rows()])
    customers = dlt.resource(incomplete, name="customers", write_disposition="merge")
    with pytest.raises(BunceError, match="dlt-bunce load"):
        flush_and_run(pipeline(), bunce_adapter(customers, customer_id="key", version="stamp"))
    assert files_with(MARK) != []

    done = run("erase", "k1", "--yes", "--json").json

    assert done["package_rows"] == 1
    assert files_with(MARK) == []
    (kept,) = Path(pipeline().pipelines_dir).glob("crm.given_up/*/*.parquet")
    assert pq.read_table(kept).column("key").to_pylist() == ["k2", "k3"]


def test_kept_files_of_loaded_packages_are_cleaned(run: Run, emulator: Emulator) -> None:
    flush_and_run(pipeline(keep_completed_jobs=True), resource("dicts"))
    assert files_with(MARK) != []

    assert run("erase", "k1", "--yes", "--json").json["package_rows"] == 1
    assert files_with(MARK) == []


def test_what_a_killed_run_of_an_engine_has_left_goes_too(run: Run, emulator: Emulator) -> None:
    flush_and_run(pipeline(), resource("arrow", email="first@example.com"))
    pipeline(pipelines_dir=tempfile.mkdtemp(prefix="dlt-bunce-")).extract(resource("arrow"))

    assert run("erase", "k1", "--yes", "--json").json["package_rows"] == 1
    assert files_with(MARK) == []


def test_the_rows_of_another_account_stay(run: Run, emulator: Emulator) -> None:
    flush_and_run(pipeline(), resource("arrow"))
    emulator.reset()
    theirs = dlt.pipeline("theirs", destination=bunce(account="second"))
    flush_and_run(theirs, resource("arrow"))
    theirs.extract(resource("arrow", last_name="Eze"))

    done = run("erase", "k1", "--yes", "--json").json

    assert (done["ledger"], done["package_rows"], done["not_searched"]) == (1, 0, [])
    assert files_with(b"Eze") != []


def test_a_folder_that_tells_nothing_is_named_and_a_column_can_be(
    run: Run, emulator: Emulator
) -> None:
    flush_and_run(pipeline(), resource("arrow", email="first@example.com"))
    dlt.pipeline("unknown", destination=bunce()).extract(resource("arrow"))
    Path(pipeline().pipelines_dir, ".unknown.store").unlink()  # as a killed run leaves it
    kept = Path(pipeline().pipelines_dir, "crm.given_up", "17")
    kept.mkdir(parents=True)
    pq.write_table(
        pa.table({"number": ["k1", "k2"], "id": ["a", "b"], "user_id": ["a", "b"]}),
        kept / "customers.parquet",
    )

    refused = run("erase", "k1", "--yes")
    done = run("erase", "k1", "--yes", "--json", "--map", "customer_id=number").json

    assert refused.code == 2
    assert "Pass --map customer_id=COLUMN" in refused.errors
    assert (done["ledger"], done["package_rows"]) == (1, 1)
    assert [Path(folder).name for folder in done["not_searched"]] == ["unknown"]


def test_a_running_load_is_waited_for_and_then_refused(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    flush_and_run(pipeline(), resource("arrow"))
    monkeypatch.setenv("DESTINATION__BUNCE__WAIT_FOR_RUN", "0.1")
    held, done = threading.Event(), threading.Event()

    def load() -> None:
        with run_lock(Path(pipeline().working_dir)):
            held.set()
            done.wait(60)

    running = threading.Thread(target=load)
    running.start()
    held.wait(60)
    refused = run("erase", "k1", "--yes")
    done.set()
    running.join()

    assert refused.code == 1
    assert "Another run of 'crm' is in progress" in refused.errors
    assert run("erase", "k1", "--yes", "--json").json["ledger"] == 1


def marked(*numbers: int, **changes: Any) -> list[dict[str, Any]]:
    """Customers whose every value can be found again."""
    return [
        {
            "id": f"{NAME}-id-{n}",
            "email": f"{NAME}{n}@example.com",
            "first_name": f"{NAME}-first",
            "last_name": f"{NAME}-last",
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
    ids = [f"{NAME}-id-2", f"{NAME}-id-3", "unknown"]

    unasked = run("erase", *ids)
    done = run("erase", *ids, "--yes", "--json").json
    again = run("erase", *ids, "--yes").output

    assert unasked.code == 2
    assert (done["ledger"], done["dead_letters"], done["package_rows"]) == (1, 1, 2)
    assert (done["nowhere"], done["not_searched"]) == (["unknown"], [])
    assert "0 customers in the ledger, 0 dead letters, and 0 rows" in again
    assert "Bunce still has these customers" in again
    with Database(store, read_only=True) as db:
        assert {r["customer_id"] for r in db.rows("SELECT * FROM bunce_customers")} == {"1", "4"}
    assert found_in_files(NAME) == []
    flushed = load([{**row, "id": str(row["id"])} for row in people(5)]).flushed
    assert (flushed.read, flushed.updated) == (2, 2)
