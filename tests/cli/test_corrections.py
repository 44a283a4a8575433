"""Rows that were corrected in a spreadsheet and loaded again close their dead letters."""

from __future__ import annotations

import openpyxl
import pytest

from dlt_bunce.emulator import Emulator
from dlt_bunce.store.database import Database

from .conftest import Run, people, write
from .spreadsheets import (
    BAD,
    DEVICES,
    counts,
    exported,
    loads,
    save,
    statuses,
)


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("spreadsheet", ["comma", "semicolon with a byte order mark"])
def test_corrected_rows_arrive_and_close_their_letters(
    spreadsheet: str, run: Run, emulator: Emulator
) -> None:
    write([*people(1, devices=None), *BAD])
    assert run("load", "customers.parquet").code == 0

    rows = exported(run)
    rows[0]["mobile"] = "'+2348030000002"
    rows[1]["email"] = "c3@example.com"
    save(
        rows,
        **({} if spreadsheet == "comma" else {"separator": ";", "bom": True}),
    )
    shown = run("dead-letters", "export", "x.csv")
    first = run("load", "rejected.csv", "--json")
    again = run("load", "rejected.csv", "--json")

    assert "  dlt-bunce load x.csv\n" in shown.output
    assert counts(first, "read", "created", "held") == (3, 2, 1)
    assert counts(again, "read", "unchanged", "held", "bulk_requests") == (3, 2, 1, 0)
    assert statuses(run) == {"2": ["resolved"], "3": ["resolved"], "4": ["open"]}
    assert set(emulator.customers) == {"1", "2", "3"}
    assert emulator.customers["2"]["phone_no"] == "+2348030000002"
    (device,) = emulator.customers["2"]["devices"]
    assert DEVICES[0].items() <= device.items()


def test_a_file_that_was_saved_as_a_workbook_is_read_as_the_export(
    run: Run, emulator: Emulator
) -> None:
    emulator.attributes.add("Code", "text")
    own = {"code": "008", "updated_at": "2026-11-01"}
    write([*people(1, **own), *people(2, mobile="?", **own)])
    feeds = ("--version-column", "updated_at", "--attribute", "code=Code")
    run("load", "customers.parquet", *feeds)

    (row,) = exported(run)
    workbook = openpyxl.Workbook()
    for cells in (row.keys(), (row | {"mobile": "'+2348100000002"}).values()):
        workbook.active.append(list(cells))
    workbook.save("rejected.xlsx")
    done = run("load", "rejected.xlsx", *feeds, "--json")

    assert row["updated_at"] == "'2026-11-01"
    assert counts(done, "read", "created") == (1, 1)
    assert emulator.customers["2"]["phone_no"] == "+2348100000002"
    assert emulator.attributes.values_of("2") == {"Code": "008"}
    assert statuses(run) == {"2": ["resolved"]}


@pytest.mark.usefixtures("store")
def test_a_letter_without_an_id_or_with_another_is_closed_by_its_row(
    run: Run, emulator: Emulator
) -> None:
    write([*people(1), *people(5, id=None), *people(6, mobile="?")])
    run("load", "customers.parquet")

    rows = exported(run)
    rows[0]["id"] = "5"
    rows[1] |= {"id": "7", "mobile": "'+2348100000007"}
    save(rows)
    done = run("load", "rejected.csv", "--json")
    source = run("load", "customers.parquet", "--json")

    assert counts(done, "read", "created") == (2, 2)
    assert set(emulator.customers) == {"1", "5", "7"}
    assert counts(source, "unchanged", "rejected") == (1, 2), "the source is not corrected yet"
    assert statuses(run) == {None: ["open"], "6": ["open"]}


@pytest.mark.usefixtures("store")
def test_a_letter_that_was_left_open_by_a_kill_is_closed_by_the_same_file(
    run: Run, store: str, emulator: Emulator
) -> None:
    write([*people(1), *people(5, id=None)])
    run("load", "customers.parquet")
    save([exported(run)[0] | {"id": "5"}])
    run("load", "rejected.csv")
    with Database(store) as db:  # as it is between the row's settlement and its letter's
        db.execute("UPDATE bunce_dead_letters SET status = 'open', resolved_at = NULL")

    again = run("load", "rejected.csv", "--json")

    assert counts(again, "read", "unchanged", "bulk_requests") == (1, 1, 0)
    assert statuses(run) == {None: ["resolved"]}
    assert emulator.times_sent == {"1": 1, "5": 1}


@pytest.mark.usefixtures("store")
def test_a_row_that_is_rejected_again_leaves_one_open_letter(run: Run, emulator: Emulator) -> None:
    write([*people(1), *people(5, id=None, mobile="?")])
    run("load", "customers.parquet")

    rows = exported(run)
    save([rows[0] | {"id": "5", "mobile": "??"}])
    still = run("load", "rejected.csv", "--json")
    between = statuses(run)
    save([rows[0] | {"id": "5", "mobile": "'+2348100000005"}])
    done = run("load", "rejected.csv", "--json")

    assert counts(still, "read", "rejected") == (1, 1)
    assert between == {None: ["superseded"], "5": ["open"]}
    assert counts(done, "read", "created") == (1, 1)
    assert statuses(run) == {None: ["superseded"], "5": ["resolved"]}
    assert set(emulator.customers) == {"1", "5"}


@pytest.mark.usefixtures("store")
def test_what_bunce_refuses_again_leaves_one_open_letter(run: Run, emulator: Emulator) -> None:
    write([*people(1), *people(5, id=None)])
    run("load", "customers.parquet")

    save([exported(run)[0] | {"id": "5", "email": "c1@example.com"}])
    refused = run("load", "rejected.csv", "--json")

    assert refused.json["reject_codes"] == {"email_taken": 1}
    assert statuses(run) == {None: ["superseded"], "5": ["open"]}
    (letter,) = run("dead-letters", "list", "--json").json
    row = run("dead-letters", "show", letter["id"], "--json").json["source_row"]
    assert "dead_letter_id" not in row
    save([exported(run)[0] | {"email": "c5@example.com"}])
    assert counts(run("load", "rejected.csv", "--json"), "read", "created") == (1, 1)
    assert statuses(run) == {None: ["superseded"], "5": ["resolved"]}


def test_an_older_version_than_bunce_has_is_not_sent(run: Run, emulator: Emulator) -> None:
    versioned = ("--version-column", "updated_at")
    write([*people(1), *people(1, id=None, email="other@example.com")])
    run("load", "customers.parquet", *versioned)
    write(people(1, updated_at=11, first_name="New"))
    run("load", "customers.parquet", *versioned)

    rows = exported(run)
    save([rows[0] | {"id": "1"}])
    done = loads(run, "--json")

    assert counts(done, "read", "superseded") == (1, 1)
    assert emulator.customers["1"]["first_name"] == "New"
    assert statuses(run) == {None: ["superseded"]}
