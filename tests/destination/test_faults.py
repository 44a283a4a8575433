"""Whatever breaks: a clear error in bounded time, nothing lost, and the next run completes."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

import dlt
import pytest

from dlt_bunce import RunSummary
from dlt_bunce.emulator import Behavior, Emulator, Fault
from dlt_bunce.emulator.behavior import FaultKind
from dlt_bunce.errors import BunceError, CredentialsError, StoreError, UnavailableError
from dlt_bunce.operations.flush import flush_and_run
from dlt_bunce.store.database import Database

from .conftest import STORE, MakePipeline, customer

CALM = Behavior(rate_limit=0)
MAX_SECONDS = 45
"""Five tries with waits of up to 8 seconds together, once more for a look-up, and some reserve."""


@pytest.fixture(autouse=True)
def _one_try_by_dlt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dlt tries a job once; and a terminally failed one, if there were any, would go unseen."""
    monkeypatch.setenv("LOAD__RAISE_ON_MAX_RETRIES", "1")
    monkeypatch.setenv("LOAD__RAISE_ON_FAILED_JOBS", "false")


def load(pipeline: dlt.Pipeline, first: int, last: int) -> RunSummary:
    """Loads the customers of these numbers."""
    rows = [customer(n) for n in range(first, last)]
    return flush_and_run(pipeline, dlt.resource(rows, name="customers"))


def fails(kind: type[BunceError], pipeline: dlt.Pipeline, first: int, last: int) -> BunceError:
    """The error of a load that must fail, in time, with the rows kept."""
    started = time.monotonic()
    with pytest.raises(kind) as failure:
        load(pipeline, first, last)
    assert time.monotonic() - started < MAX_SECONDS
    assert failure.value.remedy
    return failure.value


def completes(make: MakePipeline, emulator: Emulator, **settings: object) -> None:
    """The next run loads what was left, and its own rows; nobody settled is sent again."""
    with Database(STORE, read_only=True) as db:
        settled = {
            row["customer_id"]
            for row in db.rows(
                "SELECT customer_id FROM bunce_customers WHERE fingerprint IS NOT NULL"
            )
        }
    sent = emulator.times_sent
    summary = load(make(**settings), 30, 40)

    assert summary.rejected + summary.deferred == 0
    assert {f"c{n}" for n in range(40)} == set(emulator.customers)
    assert {key: sent[key] for key in settled} == {k: emulator.times_sent[k] for k in settled}
    with Database(STORE, read_only=True) as db:
        assert db.rows("SELECT * FROM bunce_customers WHERE claim_batch IS NOT NULL") == []
        assert db.rows("SELECT * FROM bunce_dead_letters") == []
    assert not make().has_pending_data


@contextmanager
def once(emulator: Emulator, requests: int, act: Callable[[], None]) -> Iterator[None]:
    """Acts as soon as so many bulk requests have come."""

    def wait() -> None:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            if sum(r.call == "create" for r in emulator.requests) >= requests:
                act()
                return
            time.sleep(0.005)

    thread = threading.Thread(target=wait)
    thread.start()
    yield
    thread.join()


@pytest.mark.parametrize(
    "kind",
    [
        "error_before",
        "error_after",
        "error_midway",
        "drop_before",
        "drop_after",
        "drop_midway",
        "html_502",
        "html_502_after",
        "truncated",
        "cut_short",
        "rate_limited",
        "hang_before",
        "hang_after",
    ],
)
def test_a_fault_that_passes_is_got_over_within_the_run(
    make: MakePipeline, emulator: Emulator, kind: FaultKind
) -> None:
    load(make(batch_size=5, max_batch_size=5), 0, 10)
    fault = Fault(kind, on_request=2, seconds=0.4)
    emulator.behavior = replace(CALM, faults=(fault,))

    summary = load(make(batch_size=5, max_batch_size=5, timeout_s=0.3), 10, 30)

    assert (summary.read, summary.created) == (20, 20)
    completes(make, emulator)


@pytest.mark.parametrize("kind", ["error_before", "error_after", "drop_after", "html_502"])
def test_an_outage_ends_the_run_and_the_next_one_completes(
    make: MakePipeline, emulator: Emulator, kind: FaultKind
) -> None:
    load(make(batch_size=5, max_batch_size=5), 0, 10)
    faults = (
        Fault(kind, on_request=2, until_request=1_000),
        Fault("error_before", call="lookup", on_request=3, until_request=1_000),
    )
    emulator.behavior = replace(CALM, faults=faults)

    error = fails(UnavailableError, make(batch_size=5, max_batch_size=5), 10, 30)

    assert "Run again later" in str(error)
    assert make().has_pending_data
    emulator.behavior = CALM
    completes(make, emulator)


def test_a_bunce_that_hangs_ends_the_run_and_the_next_one_completes(
    make: MakePipeline, emulator: Emulator
) -> None:
    load(make(batch_size=5, max_batch_size=5), 0, 10)
    hang = Fault("hang_after", call="any", on_request=3, until_request=1_000, seconds=1.0)
    emulator.behavior = replace(CALM, faults=(hang,))

    fails(UnavailableError, make(batch_size=5, max_batch_size=5, timeout_s=0.2), 10, 30)

    emulator.behavior = CALM
    completes(make, emulator)


def test_a_bunce_that_goes_away_in_the_middle_ends_the_run_and_the_next_one_completes(
    make: MakePipeline,
) -> None:
    with Emulator(replace(CALM, latency_ms=300)) as emulator:
        settings = {"base_url": emulator.base_url, "concurrency": 1, "max_concurrency": 1}
        load(make(**settings), 0, 10)
        small = {"batch_size": 5, "max_batch_size": 5}
        with once(emulator, 3, lambda: emulator.__exit__(None, None, None)):
            fails(UnavailableError, make(**settings, **small), 10, 30)

        with emulator:
            completes(make, emulator, **settings)


def test_a_host_that_is_not_known_stops_the_run_before_a_row_is_extracted(
    make: MakePipeline, emulator: Emulator
) -> None:
    load(make(), 0, 10)

    fails(UnavailableError, make(base_url="https://bunce.invalid/v1"), 10, 30)

    assert not make().has_pending_data
    load(make(), 10, 30)
    completes(make, emulator)


def test_a_key_that_is_revoked_in_the_middle_ends_the_run_and_the_next_one_completes(
    make: MakePipeline, emulator: Emulator
) -> None:
    load(make(), 0, 10)
    emulator.behavior = replace(CALM, latency_ms=20)

    def revoke() -> None:
        emulator.behavior = replace(CALM, api_keys=("another",))

    with once(emulator, 3, revoke):
        settings = {"batch_size": 5, "max_batch_size": 5, "concurrency": 1, "max_concurrency": 1}
        fails(CredentialsError, make(**settings), 10, 30)

    assert make().has_pending_data
    emulator.behavior = CALM
    completes(make, emulator)


def test_past_the_limit_everybody_waits_as_told(make: MakePipeline, emulator: Emulator) -> None:
    load(make(), 0, 10)
    emulator.behavior = Behavior(rate_limit=6, rate_window_seconds=1.0, block_seconds=1.0)

    summary = load(make(batch_size=2, max_batch_size=2), 10, 30)

    assert summary.created == 20
    assert 429 in {record.status for record in emulator.requests}
    emulator.behavior = CALM
    completes(make, emulator)


HOLD = """
import sqlite3, time
connection = sqlite3.connect("bunce.sqlite")
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
time.sleep(1.5)
"""


def test_a_store_that_another_program_holds_is_waited_for(
    make: MakePipeline, emulator: Emulator
) -> None:
    load(make(), 0, 10)
    # a process of its own: locks of two SQLite libraries in one process do not see each other
    command = [sys.executable, "-c", HOLD]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        started = time.monotonic()

        assert load(make(), 10, 30).created == 20

        assert holder.poll() is not None or time.monotonic() - started > 1
    completes(make, emulator)


def test_a_store_of_a_newer_version_stops_the_run_before_a_row_is_sent(
    make: MakePipeline, emulator: Emulator
) -> None:
    load(make(), 0, 10)
    change_version(+1)
    sent = emulator.times_sent

    error = fails(StoreError, make(), 10, 30)

    assert "pip install --upgrade ." in str(error)
    assert sent == emulator.times_sent
    change_version(-1)
    load(make(), 10, 30)
    completes(make, emulator)


def change_version(by: int) -> None:
    with closing(sqlite3.connect("bunce.sqlite")) as connection:
        connection.execute(f"UPDATE bunce_schema SET version = version + {by}")
        connection.commit()


def test_a_postgres_store_that_may_only_be_read_stops_the_run_before_a_row_is_sent(
    make: MakePipeline, emulator: Emulator, postgres_store: str, postgres_url: str
) -> None:
    import psycopg

    store = f"{postgres_url}&schema=bunce"
    load(make(store_url=store), 0, 10)
    sent = emulator.times_sent
    name = psycopg.conninfo.conninfo_to_dict(postgres_url)["dbname"]
    for read_only in ("on", "off"):
        writing = "-c default_transaction_read_only=off"
        with psycopg.connect(postgres_url, autocommit=True, options=writing) as admin:
            admin.execute(
                f'ALTER DATABASE "{name}" SET default_transaction_read_only = {read_only}'  # type: ignore[arg-type]
            )
        if read_only == "on":
            error = fails(StoreError, make(store_url=store), 10, 30)
            assert "it is read-only" in str(error)
            assert sent == emulator.times_sent
    summary = load(make(store_url=store), 10, 30)
    # the store was found read-only before a row was read, so nothing is left over
    assert (summary.flushed, summary.created) == (None, 20)
