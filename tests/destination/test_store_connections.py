"""How often a run connects to its store, and when it is connected."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dlt
import psutil
import psycopg
import pytest

from dlt_bunce import bunce_adapter, flush_and_run, run_summary
from dlt_bunce.emulator import Emulator

from .conftest import MakePipeline, customer

OTHERS = """SELECT COUNT(*) FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend'
    AND pid <> pg_backend_pid()"""
ROWS = [customer(n) for n in range(5)]


def with_dlt(pipeline: dlt.Pipeline, data: Any) -> None:
    pipeline.run(data, write_disposition="merge")


@pytest.fixture(params=[with_dlt, flush_and_run])
def load(request: pytest.FixtureRequest) -> Callable[[dlt.Pipeline, Any], Any]:
    """Loads data either way."""
    load: Callable[[dlt.Pipeline, Any], Any] = request.param
    return load


@pytest.fixture
def admin(postgres_store: str) -> Iterator[psycopg.Connection[Any]]:
    url = postgres_store.partition("schema=")[0].rstrip("?&")
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


def sessions(admin: psycopg.Connection[Any]) -> int:
    """How many sessions the database has had."""
    found = admin.execute(
        "SELECT sessions FROM pg_stat_database WHERE datname = current_database()"
    ).fetchone()
    return int(found[0]) if found else 0


def wait_for_none(admin: psycopg.Connection[Any]) -> None:
    """Wait until there is no other session: one ends a moment after its client has closed it."""
    until = time.monotonic() + 10
    while admin.execute(OTHERS).fetchone() != (0,):
        assert time.monotonic() < until


def test_a_run_connects_a_few_times_and_leaves_no_session_behind(
    make: MakePipeline,
    postgres_store: str,
    admin: psycopg.Connection[Any],
    load: Callable[[dlt.Pipeline, Any], Any],
) -> None:
    pipeline = make(store_url=postgres_store)
    load(pipeline, bunce_adapter(dlt.resource(ROWS, name="customers")))
    before = sessions(admin)

    load(pipeline, bunce_adapter(dlt.resource(ROWS, name="customers")))

    assert sessions(admin) - before in range(1, 10)
    assert run_summary(pipeline).unchanged == len(ROWS)
    wait_for_none(admin)


def test_no_session_is_idle_while_rows_are_read_or_customers_are_sent(
    make: MakePipeline,
    emulator: Emulator,
    postgres_store: str,
    admin: psycopg.Connection[Any],
    load: Callable[[dlt.Pipeline, Any], Any],
) -> None:
    pipeline, counts = make(store_url=postgres_store), list[int]()
    pipeline.destination.run_context.on_progress.append(  # type: ignore[union-attr]
        lambda _: counts.extend(admin.execute(OTHERS).fetchone() or ())
    )

    @dlt.resource(name="customers")
    def read() -> Iterator[list[dict[str, Any]]]:
        wait_for_none(admin)
        yield ROWS

    load(pipeline, bunce_adapter(read))
    load(pipeline, bunce_adapter(read))

    assert len(emulator.customers) == len(ROWS)
    # that of the file; another may take a moment to end
    assert min(counts) == 1


def test_no_file_of_a_store_is_open_while_code_of_others_runs(
    make: MakePipeline, load: Callable[[dlt.Pipeline, Any], Any]
) -> None:
    # a process that it forks would take over the locks, and a copy lack what is in the log
    opened = list[list[str]]()

    def note(*_: Any) -> None:
        names = [Path(file.path).name for file in psutil.Process().open_files()]
        opened.append([name for name in names if name.startswith("bunce.sqlite")])

    pipeline = make(on_run_end=note)

    @dlt.resource(name="customers")
    def read() -> Iterator[list[dict[str, Any]]]:
        yield ROWS[:3]
        note()
        yield ROWS[3:]

    load(pipeline, bunce_adapter(read))
    load(pipeline, bunce_adapter(read))

    assert opened == [[]] * 4
    assert run_summary(pipeline).unchanged == len(ROWS)
