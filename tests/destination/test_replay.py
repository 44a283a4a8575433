"""Replaying dead letters: what passes today arrives, and nothing newer is overwritten."""

from __future__ import annotations

import sqlite3
from datetime import date, time
from decimal import Decimal

import dlt
import pyarrow as pa
import pytest

from dlt_bunce import bunce_adapter, run_summary
from dlt_bunce.emulator import Behavior, Emulator
from dlt_bunce.errors import CredentialsError, MappingError, StoreError
from dlt_bunce.store.database import Database
from dlt_bunce.store.letters.selection import Selection

from .conftest import STORE, MakePipeline, customer, letters, replayed


def test_rules_of_today_decide(make: MakePipeline, emulator: Emulator) -> None:
    make().run([customer(1), customer(2, phone_no="0803 000 0000")], table_name="customers")

    still = replayed(emulator).summary
    done = replayed(emulator, settings={"default_region": "NG"}).summary

    assert (still.read, still.rejected + still.held, still.created) == (1, 1, 0)
    assert (done.read, done.created) == (1, 1)
    assert emulator.customers["c2"]["phone_no"] == "+2348030000000"
    assert letters() == [("c2", "invalid_phone_no", "resolved")]


def test_each_table_of_a_run_is_replayed_as_it_was_read(
    make: MakePipeline, emulator: Emulator
) -> None:
    emulator.behavior = Behavior(rate_limit=0, refused_email_domain="bad.example")
    named = dlt.resource([customer(1, email="c1@bad.example")], name="a", write_disposition="merge")
    row = customer(2, uid="u2", mail="u2@bad.example", email="c2@bad.example")
    mapped = dlt.resource([row], name="b", write_disposition="append")
    tables = [bunce_adapter(named), bunce_adapter(mapped, customer_id="uid", email="mail")]
    make().run(tables)
    emulator.behavior = Behavior(rate_limit=0)

    done = replayed(emulator).summary

    assert done.created == 2
    assert {who: found["email"] for who, found in emulator.customers.items()} == {
        "c1": "c1@bad.example",
        "u2": "u2@bad.example",
    }
    with Database(STORE) as db:
        runs = db.rows("SELECT disposition FROM bunce_runs WHERE run_id LIKE 'replay%'")
    assert sorted(run["disposition"] for run in runs) == ["append", "merge"]


def test_what_the_table_itself_was_given_outranks_what_is_configured_as_in_a_load(
    make: MakePipeline, emulator: Emulator
) -> None:
    emulator.behavior = Behavior(rate_limit=0, refused_email_domain="bad.example")
    configured = {"mapping": {"email": "backup", "phone_no": "tel"}}
    row = customer(1, mail="m@bad.example", backup="b@example.com", tel="+2348100000009")
    make(**configured).run(bunce_adapter([row], email="mail"), table_name="customers")
    still_bad = replayed(emulator, settings=configured).summary
    emulator.behavior = Behavior(rate_limit=0)

    # the letter is now that of a replay
    done = replayed(emulator, settings=configured).summary

    assert (still_bad.rejected, done.created) == (1, 1)
    assert emulator.customers["c1"]["email"] == "m@bad.example"
    assert emulator.customers["c1"]["phone_no"] == "+2348100000009"


def test_what_its_type_has_kept_out_is_no_text_to_a_replay(
    make: MakePipeline, emulator: Emulator
) -> None:
    values = {
        "customer_id": pa.scalar(date(2024, 1, 2)),
        "first_name": pa.scalar(time(10, 30)),
        "last_name": pa.scalar(Decimal("12.00"), pa.decimal128(10, 2)),
        "email": pa.scalar(2**64 - 1, pa.uint64()),
    }
    loads = [(make("text"), pa.Table.from_pylist([customer(1, phone_no="0803 000 0000")]))]
    for number, (name, value) in enumerate(values.items(), start=2):
        row = pa.Table.from_pylist([customer(number)])
        column = pa.array([value.as_py()], value.type)
        loads.append((make(name), row.set_column(row.column_names.index(name), name, column)))
    for pipeline, table in loads:
        pipeline.run(table, table_name="customers")
    before = letters("customer_id, code, status")

    done = replayed(emulator, settings={"default_region": "NG"}).summary
    for pipeline, table in loads[1:]:
        pipeline.run(table, table_name="customers")

    assert (done.created, list(emulator.customers)) == (1, ["c1"])
    assert letters("customer_id, code, status") == [
        (who, code, "resolved" if who == "c1" else "open") for who, code, _ in before
    ]
    assert {run_summary(pipeline).held for pipeline, _ in loads[1:]} == {1}


def test_what_was_accepted_since_is_never_overwritten(
    make: MakePipeline, emulator: Emulator
) -> None:
    pipeline = make()
    pipeline.run(
        [customer(1), customer(2, first_name="Old", phone_no="0803 000 0000")],
        table_name="customers",
    )
    with Database(STORE) as db:
        letter = db.rows("SELECT id FROM bunce_dead_letters")[0]["id"]
    pipeline.run([customer(2, first_name="New")], table_name="customers")
    with Database(STORE) as db:
        db.execute("UPDATE bunce_dead_letters SET status = 'open' WHERE id = $1", (letter,))

    done = replayed(emulator, settings={"default_region": "NG"}).summary

    assert (done.read, done.superseded, done.bulk_requests) == (1, 1, 0)
    assert emulator.customers["c2"]["first_name"] == "New"
    assert letters() == [("c2", "invalid_phone_no", "superseded")]


def test_only_the_chosen_letters_are_sent(make: MakePipeline, emulator: Emulator) -> None:
    make().run(
        [customer(1), customer(2, phone_no="0803 000 0000"), customer(3, email="bad")],
        table_name="customers",
    )

    done = replayed(
        emulator, selection=Selection(codes=["invalid_phone_no"]), settings={"default_region": "NG"}
    )

    assert done.summary.read == 1
    assert letters("customer_id, status") == [("c2", "resolved"), ("c3", "open")]


def test_letters_of_many_pages_are_all_sent_once(make: MakePipeline, emulator: Emulator) -> None:
    rows = [customer(n, phone_no=f"0803 000 {n:04d}") for n in range(1, 60)]
    make().run([customer(0), *rows], table_name="customers")

    done = replayed(emulator, portion=7, settings={"default_region": "NG"})

    assert (done.summary.read, done.summary.created) == (59, 59)
    assert {f"c{n}": 1 for n in range(60)} == emulator.times_sent


def test_a_letter_without_its_row_is_left_alone(make: MakePipeline, emulator: Emulator) -> None:
    make(dead_letter_rows="keys").run(
        [customer(1), customer(2, phone_no="bad")], table_name="customers"
    )

    done = replayed(emulator)

    assert (done.summary.read, done.without_row) == (0, 1)
    assert letters() == [("c2", "invalid_phone_no", "open")]


def test_a_replay_that_fails_leaves_the_letters_open(
    make: MakePipeline, emulator: Emulator
) -> None:
    row = bunce_adapter([customer(1), customer(2, phone_no="0803 000 0000")], version=None)
    make().run(row, table_name="customers")
    emulator.behavior = Behavior(rate_limit=0, api_keys=("sk_test_other",))

    with pytest.raises(CredentialsError):
        replayed(emulator, settings={"default_region": "NG"})
    emulator.behavior = Behavior(rate_limit=0)
    before = letters()
    replayed(emulator, settings={"default_region": "NG"})

    assert before == [("c2", "invalid_phone_no", "open")]
    assert letters() == [("c2", "invalid_phone_no", "resolved")]


def test_a_letter_whose_replay_failed_is_closed_once_its_row_is_good_again(
    make: MakePipeline, emulator: Emulator
) -> None:
    pipeline, good = make(), [customer(1), customer(2)]
    pipeline.run(bunce_adapter(good), table_name="customers")
    bad = [customer(1, first_name="Bad", phone_no="0803 000 0000")]
    pipeline.run(bunce_adapter(bad), table_name="customers")
    with pytest.raises(MappingError):
        replayed(emulator, settings={"attributes": {"last_name": "Nobody has this"}})

    # as Bunce has them
    pipeline.run(bunce_adapter(good), table_name="customers")

    assert letters() == [("c1", "invalid_phone_no", "resolved")]
    assert replayed(emulator, settings={"default_region": "NG"}).summary.read == 0
    assert emulator.customers["c1"]["first_name"] == "Ada"


def test_replays_are_one_at_a_time(make: MakePipeline, emulator: Emulator) -> None:
    make().run([customer(1), customer(2, phone_no="bad")], table_name="customers")
    lock = sqlite3.connect("bunce.sqlite-replay", isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(StoreError, match="Another replay is running"):
            replayed(emulator)
    finally:
        lock.close()

    assert replayed(emulator).summary.read == 1
