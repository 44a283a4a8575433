"""A clock that was three hours ahead once decides nothing afterwards."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from dlt_bunce import flush_and_run
from dlt_bunce.emulator import Emulator
from dlt_bunce.store.database import Database

from .conftest import STORE, MakePipeline, customer, letters
from .test_replay import replayed

BAD = "0803 000 0000"
Warned = Callable[[], list[dict[str, Any]]]


def load(make: MakePipeline, *rows: dict[str, Any]) -> Any:
    return flush_and_run(make(), list(rows), table_name="customers")


def put_ahead() -> None:
    """Moves every mark of the store to what a clock that was ahead would have written."""
    ahead = (datetime.now(timezone.utc) + timedelta(hours=3)).isoformat(timespec="microseconds")
    with closing(sqlite3.connect("bunce.sqlite")) as store, store:
        for table, column in (
            ("bunce_customers", "delivered_at"),
            ("bunce_dead_letters", "last_seen_at"),
            ("bunce_dead_letters", "first_seen_at"),
            ("bunce_runs", "started_at"),
            ("bunce_runs", "ended_at"),
        ):
            store.execute(f"UPDATE {table} SET {column} = ? WHERE {column} IS NOT NULL", (ahead,))


def reopen() -> None:
    """As a letter that is replayed while the load that closes it has not come so far."""
    with closing(sqlite3.connect("bunce.sqlite")) as store, store:
        store.execute("UPDATE bunce_dead_letters SET status = 'open'")


def test_a_letter_of_that_time_is_replayed_and_closed(
    make: MakePipeline, emulator: Emulator
) -> None:
    load(make, customer(1, phone_no=BAD))
    put_ahead()

    done = replayed(emulator, settings={"default_region": "NG"}).summary

    assert done.created == 1
    assert letters() == [("c1", "invalid_phone_no", "resolved")]


def test_a_letter_of_that_time_does_not_overwrite_what_came_later(
    make: MakePipeline, emulator: Emulator
) -> None:
    load(make, customer(1, first_name="Old", phone_no=BAD))
    put_ahead()
    load(make, customer(1, first_name="New"))
    reopen()

    done = replayed(emulator, settings={"default_region": "NG"}).summary

    assert (done.superseded, done.updated) == (1, 0)
    assert emulator.customers["c1"]["first_name"] == "New"


def test_a_letter_of_today_overwrites_what_came_at_that_time(
    make: MakePipeline, emulator: Emulator
) -> None:
    load(make, customer(1, first_name="Old"))
    put_ahead()
    load(make, customer(1, first_name="New", phone_no=BAD))

    done = replayed(emulator, settings={"default_region": "NG"}).summary

    assert (done.superseded, done.updated) == (0, 1)
    assert emulator.customers["c1"]["first_name"] == "New"


def test_the_newest_run_is_the_one_that_began_last(make: MakePipeline, emulator: Emulator) -> None:
    load(make, customer(1))
    put_ahead()
    load(make, customer(1), customer(2))

    with Database(STORE, read_only=True) as db:
        from dlt_bunce.store.runs.runs import summaries

        assert [run.read for run in summaries(db, "default")] == [2, 1]


@pytest.mark.parametrize("mark", ["bunce_customers", "bunce_leases"])
@pytest.mark.parametrize("ahead", [timedelta(hours=3), timedelta(minutes=10)])
def test_a_lease_of_that_time_has_ended_and_that_is_said(
    make: MakePipeline, emulator: Emulator, warned: Warned, ahead: timedelta, mark: str
) -> None:
    load(make, customer(1))
    until = int((datetime.now(timezone.utc) + ahead).timestamp() * 1000)
    with closing(sqlite3.connect("bunce.sqlite")) as store, store:
        store.execute(
            "UPDATE bunce_customers SET fingerprint = NULL, fate = NULL, claim_batch = 'theirs', "
            "claim_owner = 'them', lease_until = ?",
            (until if mark == "bunce_customers" else 0,),
        )
        if mark == "bunce_leases":
            store.execute("INSERT INTO bunce_leases VALUES ('theirs', ?)", (until,))

    done = load(make, customer(1))
    said = [event["rows"] for event in warned() if event["event"] == "lease.brought_back"]

    assert said == [1]
    # in doubt, so that it was looked up and found
    assert (done.adopted + done.created, done.deferred) == (1, 0)
    assert emulator.times_sent["c1"] == 1


def test_a_run_that_was_killed_at_that_time_is_not_running(
    make: MakePipeline, emulator: Emulator
) -> None:
    from dlt_bunce.store.runs.runs import summaries

    load(make, customer(1))
    states = []
    for minutes in (-60, -1, 1, 180):
        seen = datetime.now(timezone.utc) + timedelta(minutes=minutes)
        with closing(sqlite3.connect("bunce.sqlite")) as store, store:
            store.execute(
                "UPDATE bunce_runs SET state = 'running', process = '1@elsewhere', seen_at = ?",
                (seen.isoformat(timespec="microseconds"),),
            )
        with Database(STORE, read_only=True) as db:
            states += [run.state for run in summaries(db, "default")]

    assert states == ["interrupted", "running", "running", "interrupted"]
