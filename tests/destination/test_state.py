"""dlt's state in the store: cursors and schemas outlive working folders, workers, and machines."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import dlt
import pytest

from dlt_bunce.emulator import Behavior, Emulator, Fault
from dlt_bunce.errors import ConfigurationError, UnavailableError
from dlt_bunce.operations.adopt import adopt
from dlt_bunce.operations.flush import flush_and_run
from dlt_bunce.store.database import Database

from .conftest import MakePipeline, customer


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A store_url of each engine."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'bunce.sqlite'}"
    return str(request.getfixturevalue("postgres_store"))


def people(last: int, seen: list[int] | None = None) -> Any:
    """Customers up to that number, of whom dlt takes those that are new by its cursor."""

    @dlt.resource(name="customers", primary_key="customer_id")
    def customers(
        position: dlt.sources.incremental[int] = dlt.sources.incremental("position"),
    ) -> Iterator[dict[str, Any]]:
        if seen is not None:
            seen.append(position.last_value or 0)
        for n in range(1, last + 1):
            yield customer(n, position=n)

    return customers


def drop(pipeline: dlt.Pipeline) -> None:
    pipeline.drop()


def empty_folder(pipeline: dlt.Pipeline) -> None:
    shutil.rmtree(pipeline.pipelines_dir)


def program_sync(pipeline: dlt.Pipeline) -> None:
    """`dlt pipeline … sync`, in a program of its own, after the loss of the folder."""
    shutil.rmtree(pipeline.pipelines_dir)
    dlt_ = Path(sys.executable).with_name("dlt")
    done = subprocess.run(
        [dlt_, "pipeline", "crm", "sync", "--destination", "bunce"],
        input="y\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("lose", [drop, empty_folder, program_sync])
def test_the_cursor_survives(
    make: MakePipeline,
    emulator: Emulator,
    store: str,
    lose: Callable[[dlt.Pipeline], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DESTINATION__BUNCE__STORE_URL", store)
    monkeypatch.setenv("DESTINATION__BUNCE__BASE_URL", emulator.base_url)
    monkeypatch.setenv("DESTINATION__BUNCE__CREDENTIALS__API_KEY", "sk_test_marked")
    pipeline = make()
    flush_and_run(pipeline, people(3))
    columns = set(pipeline.default_schema.tables["customers"]["columns"])
    lose(pipeline)

    seen: list[int] = []
    again = make()
    again.sync_destination()
    assert columns == set(again.default_schema.tables["customers"]["columns"])
    summary = flush_and_run(again, people(5, seen))

    assert seen == [3]
    assert summary.created == 2
    assert set(emulator.times_sent.values()) == {1}


@pytest.mark.parametrize("go_on", ["from the start", "after adopting"])
def test_a_cursor_never_goes_on_beside_an_empty_ledger(
    make: MakePipeline, emulator: Emulator, store: str, go_on: str
) -> None:
    flush_and_run(make(store_url="sqlite:///before.sqlite"), people(3))
    elsewhere = {"store_url": store}
    if go_on == "from the start":
        elsewhere["account"] = "elsewhere"

    for _ in range(2):
        with pytest.raises(
            ConfigurationError, match="rows before the cursor would never be loaded"
        ):
            flush_and_run(make(**elsewhere), people(5))

    assert sum(request.method == "POST" for request in emulator.requests) == 1
    if go_on == "from the start":
        make(**elsewhere).drop()
    else:
        with make(**elsewhere).destination_client() as client:
            adopt(client)  # type: ignore[arg-type]
    summary = flush_and_run(make(**elsewhere), people(5))
    assert summary.created == 2, summary
    assert {f"c{n}" for n in range(1, 6)} == set(emulator.customers)


@pytest.mark.parametrize("how", ["flush_and_run", "run"])
@pytest.mark.parametrize("lost", ["another account", "the ledger, and another load ran"])
def test_a_cursor_without_a_run_of_its_pipeline_in_this_ledger_is_refused(
    make: MakePipeline, emulator: Emulator, how: str, lost: str
) -> None:
    flush_and_run(make(), people(3))
    settings: dict[str, Any] = {"account": "second"}
    if lost != "another account":
        settings = {"store_url": "sqlite:///new.sqlite"}
    flush_and_run(make("other", **settings), people(1))

    pipeline = make(**settings)
    run = pipeline.run if how == "run" else partial(flush_and_run, pipeline)
    with pytest.raises(Exception, match="has no completed run of it"):
        run(people(5), write_disposition="merge")
    make(**settings).drop()
    flush_and_run(make(**settings), people(5))

    with Database(settings.get("store_url", "sqlite:///bunce.sqlite")) as db:
        known = db.rows(
            "SELECT customer_id FROM bunce_customers WHERE account = $1 AND delivered_at "
            "IS NOT NULL",
            (settings.get("account", "default"),),
        )
    assert {f"c{n}" for n in range(1, 6)} == {row["customer_id"] for row in known}


def test_a_first_run_that_failed_is_taken_up_by_a_plain_run(
    make: MakePipeline, emulator: Emulator
) -> None:
    with pytest.raises(Exception):  # noqa: B017, PT011, whatever dlt makes of it
        make(base_url="http://127.0.0.1:9/v1").run(people(3), write_disposition="merge")

    make().run(people(3), write_disposition="merge")

    assert set(emulator.customers) == {"c1", "c2", "c3"}


def test_a_new_machine_takes_up_the_cursor(
    make: MakePipeline, emulator: Emulator, postgres_store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    flush_and_run(make(store_url=postgres_store), people(3))
    monkeypatch.setenv("DLT_DATA_DIR", str(Path("elsewhere").absolute()))
    monkeypatch.chdir(Path.cwd().parent)

    seen: list[int] = []
    assert flush_and_run(make(store_url=postgres_store), people(4, seen)).created == 1

    assert seen == [3]


def test_a_cursor_is_never_ahead_of_rows_that_are_not_settled(
    make: MakePipeline, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOAD__RAISE_ON_MAX_RETRIES", "1")
    pipeline = make()
    flush_and_run(pipeline, people(3))
    gone = Fault("error_before", on_request=1, until_request=1_000)
    emulator.behavior = Behavior(rate_limit=0, faults=(gone,))
    with pytest.raises(UnavailableError):
        flush_and_run(pipeline, people(6))
    # the worker goes, and with it the package that was kept
    shutil.rmtree(pipeline.pipelines_dir)
    emulator.behavior = Behavior(rate_limit=0)

    seen: list[int] = []
    summary = flush_and_run(make(), people(6, seen))

    assert seen == [3]
    assert summary.created == 3
    assert {f"c{n}" for n in range(1, 7)} == set(emulator.customers)
