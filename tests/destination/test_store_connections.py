"""How a run uses a store that it must connect to: seldom, and whatever becomes of a connection."""

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

OTHERS = """SELECT {} FROM pg_stat_activity
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

    assert sessions(admin) - before in range(1, 8)
    assert run_summary(pipeline).unchanged == len(ROWS)
    until = time.monotonic() + 10
    while admin.execute(OTHERS.format("COUNT(*)")).fetchone() != (0,):
        # a session ends a moment after its client has closed it
        assert time.monotonic() < until


def test_no_session_is_idle_while_customers_are_sent(
    make: MakePipeline,
    emulator: Emulator,
    postgres_store: str,
    admin: psycopg.Connection[Any],
    load: Callable[[dlt.Pipeline, Any], Any],
) -> None:
    pipeline, counts = make(store_url=postgres_store), list[int]()
    pipeline.destination.run_context.on_progress.append(  # type: ignore[union-attr]
        lambda _: counts.extend(admin.execute(OTHERS.format("COUNT(*)")).fetchone() or ())
    )

    load(pipeline, bunce_adapter(dlt.resource(ROWS, name="customers")))

    assert len(emulator.customers) == len(ROWS)
    # that of the file; another may take a moment to end
    assert min(counts) == 1


def test_a_server_that_ends_all_sessions_while_rows_are_read_is_connected_to_again(
    make: MakePipeline,
    emulator: Emulator,
    postgres_store: str,
    admin: psycopg.Connection[Any],
    load: Callable[[dlt.Pipeline, Any], Any],
) -> None:
    pipeline, ended = make(store_url=postgres_store), list[int]()

    @dlt.resource(name="customers")
    def read() -> Iterator[list[dict[str, Any]]]:
        yield ROWS[:3]
        found = admin.execute(OTHERS.format("pg_terminate_backend(pid)")).fetchall()
        ended.append(len(found))
        yield ROWS[3:]

    load(pipeline, bunce_adapter(dlt.resource(ROWS[:1], name="customers")))
    pipeline.drop()  # what is known of it has to come from the store

    load(pipeline, bunce_adapter(read))

    assert ended == [1]
    summary = run_summary(pipeline)
    assert (summary.state, summary.read, summary.created) == ("completed", 5, 4)
    assert {row["customer_id"]: 1 for row in ROWS} == emulator.times_sent


def test_no_file_of_a_store_is_open_while_rows_are_read(
    make: MakePipeline, load: Callable[[dlt.Pipeline, Any], Any]
) -> None:
    # a process that the resource forks would take over its locks, and a copy lack what is not in it
    pipeline, opened = make(), list[list[str]]()

    @dlt.resource(name="customers")
    def read() -> Iterator[list[dict[str, Any]]]:
        yield ROWS[:3]
        names = [Path(file.path).name for file in psutil.Process().open_files()]
        opened.append([name for name in names if name.startswith("bunce.sqlite")])
        yield ROWS[3:]

    load(pipeline, bunce_adapter(read))
    load(pipeline, bunce_adapter(read))

    assert opened == [[], []]
    assert run_summary(pipeline).unchanged == len(ROWS)
