"""What costs by the night stays cheap after many of them: counted in statements and requests."""

from __future__ import annotations

import sqlite3
from typing import Any

import pyarrow as pa

from dlt_bunce import run_summary
from dlt_bunce.emulator import Emulator
from dlt_bunce.store.database import Database
from dlt_bunce.store.letters.dead_letter_query import pages, tables
from dlt_bunce.store.letters.dead_letters import discard
from dlt_bunce.store.letters.selection import Selection

from .conftest import STORE, MakePipeline, customer, letters, replayed

FILE = STORE.removeprefix("sqlite:///")


class Counted(Database):
    """A connection that counts its queries."""

    queries = 0

    def query(self, *args: Any, **named: Any) -> pa.Table:
        self.queries += 1
        return super().query(*args, **named)


def runs(make: MakePipeline, *nights: list[dict[str, Any]]) -> list[Any]:
    """Load the rows of every night; return the summaries."""
    found = []
    for rows in nights:
        pipeline = make()
        pipeline.run(rows, table_name="customers")
        found.append(run_summary(pipeline))
    return found


def test_dead_letters_of_many_runs_are_replayed_as_one(
    make: MakePipeline, emulator: Emulator
) -> None:
    nights = [[customer(n, phone_no=f"0803 000 {n:04d}")] for n in range(1, 7)]
    runs(make, *nights)
    emulator.requests.clear()

    done = replayed(emulator, settings={"default_region": "NG"}).summary

    assert (done.read, done.created, done.bulk_requests) == (6, 6, 1)
    with Database(STORE) as db:
        written = db.rows("SELECT run_id, read FROM bunce_runs WHERE run_id LIKE 'replay-%'")
    assert [row["read"] for row in written] == [6]


def test_dead_letters_of_many_pipelines_are_replayed_as_one_and_stay_those_of_their_pipelines(
    make: MakePipeline, emulator: Emulator
) -> None:
    # files with a date in their names have a pipeline each
    for n in range(1, 7):
        row = customer(n, phone_no=f"0803 000 {n:04d}", mail=f"c{n}@example.com")
        del row["email"]
        make(f"crm_{n}", mapping={"email": "mail"}).run([row], table_name="customers")
    emulator.seed([{"customer_id": "other", "email": "c6@example.com"}])
    emulator.requests.clear()

    done = replayed(emulator, settings={"default_region": "NG"}).summary

    assert (done.read, done.created, done.rejected) == (6, 5, 1)
    assert max(request.rows for request in emulator.requests) == 6
    with Database(STORE) as db:
        written = db.rows("SELECT run_id, read FROM bunce_runs WHERE run_id LIKE 'replay-%'")
        [left] = db.rows("SELECT * FROM bunce_dead_letters WHERE status = 'open'")
    assert [row["read"] for row in written] == [6]
    assert (left["code"], left["pipeline_name"]) == ("email_taken", "crm_6")
    emulator.seed([{"customer_id": "other", "email": "moved@example.com"}])
    # a letter of a replay is found with the mapping of that replay
    assert replayed(emulator, settings={"default_region": "NG"}).summary.created == 1


def test_runs_that_mapped_differently_are_replayed_apart(
    make: MakePipeline, emulator: Emulator
) -> None:
    runs(make, [customer(1, phone_no="0803 000 0001")])
    other = {("mobile" if k == "phone_no" else k): v for k, v in customer(2).items()}
    make("other", mapping={"phone_no": "mobile"}).run(
        [other | {"mobile": "0803 000 0002"}], table_name="customers"
    )

    done = replayed(emulator, settings={"default_region": "NG"}).summary

    assert (done.read, done.created) == (2, 2)
    assert {status for (status,) in letters("status")} == {"resolved"}


def test_a_row_held_again_writes_nothing(make: MakePipeline) -> None:
    bad = [customer(n, phone_no="letters") for n in range(30)]
    runs(make, bad)
    with sqlite3.connect(FILE) as link:
        link.executescript(
            "CREATE TABLE writes (what TEXT);"
            "CREATE TRIGGER letters_written AFTER UPDATE ON bunce_dead_letters "
            "BEGIN INSERT INTO writes VALUES ('letter'); END;"
            "CREATE TRIGGER customers_written AFTER UPDATE ON bunce_customers "
            "BEGIN INSERT INTO writes VALUES ('customer'); END;"
        )

    [again] = runs(make, bad)

    assert (again.read, again.held, again.rejected) == (30, 30, 0)
    with sqlite3.connect(FILE) as link:
        assert link.execute("SELECT COUNT(*) FROM writes").fetchone() == (0,)


def test_a_held_row_still_takes_the_place_of_a_later_dead_letter(make: MakePipeline) -> None:
    runs(make, [customer(1, phone_no="letters")])
    with Database(STORE) as db:
        assert discard(db, "default", Selection()) == 1
    runs(make, [customer(1, phone_no="12")])

    [again] = runs(make, [customer(1, phone_no="letters")])

    assert again.held == 1
    assert sorted(letters("message, status")) == [
        ("no country code and no default_region: 2 characters, 2 digits, 0 letters", "superseded"),
        ("no digits: 7 characters, 0 digits, 7 letters", "discarded"),
    ]


def test_a_page_costs_one_statement_however_many_dead_letters_there_are(
    make: MakePipeline,
) -> None:
    runs(make, [customer(n, phone_no="letters") for n in range(50)])

    with Counted(STORE, read_only=True) as db:
        before = db.queries
        chosen = Selection(codes=["invalid_phone_no"])
        found = [letter for page in pages(db, "default", chosen, size=10) for letter in page]
        assert db.queries - before == 6
        before = db.queries
        [table] = tables(db, "default", chosen)
        assert db.queries - before == 2
    ids = [letter["id"] for letter in found]
    assert ids == sorted(set(ids)) == table.column("id").to_pylist()
    assert len(ids) == 50
