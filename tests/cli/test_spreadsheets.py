"""Dead letters to the business and back: exported, corrected in a spreadsheet, loaded again."""

from __future__ import annotations

import csv
import shlex
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dlt_bunce.emulator import Emulator
from dlt_bunce.model import REJECT_CODES
from dlt_bunce.store.database import Database

from .conftest import Done, Run, people, write

FRONT = [f"dead_letter_{name}" for name in ("id", "code", "field", "message", "remedy")]
DEVICES = [{"device_type": "ios", "device_token": "=1+1"}]
BAD = [
    *people(2, mobile="0803 000 0002", devices=DEVICES),
    *people(3, email="c1@example.com", devices=None),
    *people(4, first_name=None, devices=DEVICES),
]
Sheet = Callable[..., list[dict[str, str]]]


def rows_of(name: str = "rejected.csv", separator: str = ",") -> list[dict[str, str]]:
    """The cells of a spreadsheet as it opens the file."""
    with Path(name).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, delimiter=separator))


def save(
    rows: list[dict[str, str]], name: str = "rejected.csv", separator: str = ",", bom: bool = False
) -> None:
    """Writes the file as a spreadsheet saves it."""
    encoding = "utf-8-sig" if bom else "utf-8"
    with Path(name).open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=separator)
        writer.writeheader()
        writer.writerows(rows)


def exported(run: Run, *words: str) -> list[dict[str, str]]:
    """The open letters as a person opens them, in the order of the source's ids."""
    done = run("dead-letters", "export", "rejected.csv", "--overwrite", *words)
    assert (done.code, done.errors) == (0, "")
    return sorted(rows_of(), key=lambda row: row.get("id", ""))


def loads(run: Run, *words: str) -> Done:
    """Pastes the command that the export has printed."""
    done = run("dead-letters", "export", "other.csv", "--overwrite", "--json", "--status", "all")
    command = shlex.split(done.json["load"].replace("other.csv", "rejected.csv"))
    return run(*command[1:], *words)


def statuses(run: Run) -> dict[str, list[str]]:
    """The statuses of all letters, by the customer they were written for."""
    found: dict[str, list[str]] = {}
    for letter in run("dead-letters", "list", "--status", "all", "--json").json:
        found.setdefault(letter["customer_id"], []).append(letter["status"])
    return {customer: sorted(kinds) for customer, kinds in found.items()}


def renamed(rows: list[dict[str, Any]], **names: str) -> list[dict[str, Any]]:
    """The rows under other columns."""
    return [{names.get(column, column): v for column, v in row.items()} for row in rows]


def counts(done: Done, *names: str) -> tuple[int, ...]:
    assert done.code == 0, done.errors
    return tuple(done.json[name] for name in names)


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
    assert {"1", "2", "3"} == set(emulator.customers)
    assert emulator.customers["2"]["phone_no"] == "+2348030000002"
    (device,) = emulator.customers["2"]["devices"]
    assert DEVICES[0].items() <= device.items()


def test_a_spreadsheet_has_the_columns_of_the_source_behind_what_is_wrong(run: Run) -> None:
    write([*people(1, devices=None), *BAD])
    run("load", "customers.parquet")

    rows = exported(run)

    assert [*FRONT, *BAD[0]] == list(rows[0])
    assert (
        rows[0]["dead_letter_code"],
        rows[0]["dead_letter_field"],
    ) == ("invalid_phone_no", "phone_no")
    assert REJECT_CODES["invalid_phone_no"].remedy == rows[0]["dead_letter_remedy"]
    assert rows[0]["mobile"] == "'0803 000 0002", "a spreadsheet would drop the zero"
    assert (rows[0]["id"], rows[0]["updated_at"], rows[0]["first_name"]) == ("2", "10", "Zoë")
    assert rows[0]["devices"] == '[{"device_type": "ios", "device_token": "=1+1"}]'
    assert (rows[1]["devices"], rows[2]["first_name"]) == ("", "")
    assert Path("rejected.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    assert stat.S_IMODE(Path("rejected.csv").stat().st_mode) == 0o600


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
    assert {"1", "5", "7"} == set(emulator.customers)
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
    assert {"1", "5"} == set(emulator.customers)


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


@pytest.mark.usefixtures("store")
def test_a_correction_never_overwrites_what_was_accepted_since(
    run: Run, emulator: Emulator
) -> None:
    write([*people(1), *people(2, mobile="?", first_name="Old")])
    run("load", "customers.parquet")
    (row,) = exported(run)
    write(people(2, first_name="New"))
    run("load", "customers.parquet")

    save([row | {"mobile": "'+2348100000002"}])
    dry = run("load", "rejected.csv", "--dry-run", "--json")
    done = run("load", "rejected.csv", "--json")
    told = run("load", "rejected.csv")
    kept = emulator.customers["2"]["first_name"]
    save([row | {"mobile": "'+2348100000002", "dead_letter_id": ""}])
    forced = run("load", "rejected.csv", "--json")

    assert counts(dry, "read", "superseded") == (1, 1)
    assert counts(done, "read", "superseded", "bulk_requests") == (1, 1, 0)
    assert "To send such a row anyway, clear its dead_letter_id cell." in " ".join(
        told.output.split()
    )
    assert kept == "New"
    assert counts(forced, "read", "updated") == (1, 1)
    assert emulator.customers["2"]["first_name"] == "Old"


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


def test_the_command_to_paste_names_the_mapping_of_the_run(run: Run, emulator: Emulator) -> None:
    write(renamed([*people(1), *people(2, mobile="?")], mobile="cell no", email="mail2"))
    mapping = ("--map", "phone_no=cell no", "--map", "email=mail2")
    assert run("load", "customers.parquet", *mapping, "--version-column", "updated_at").code == 0

    told = run("dead-letters", "export", "rejected.csv")
    save([row | {"cell no": "'+2348100000002"} for row in rows_of()])
    command = shlex.split(told.output.splitlines()[-1])
    done = run(*command[1:], "--json")

    assert command == [
        *("dlt-bunce", "load", "rejected.csv", "--map", "email=mail2"),
        *("--map", "phone_no=cell no", "--version-column", "updated_at"),
    ]
    assert counts(done, "read", "created") == (1, 1)
    assert {"1", "2"} == set(emulator.customers)


def test_runs_with_several_mappings_make_one_file_under_the_names_of_the_fields(
    run: Run, emulator: Emulator
) -> None:
    write(renamed(people(1, 2, mobile="?"), mobile="a", email="mail"), "one.parquet")
    write(renamed(people(3, mobile="?", phone_no="a note"), mobile="b"), "two.parquet")
    run("load", "one.parquet", "--map", "phone_no=a")
    run("load", "two.parquet", "--map", "phone_no=b")

    told = run("dead-letters", "export", "rejected.csv")
    rows = rows_of()
    fields = {"customer_id", "email", "first_name", "last_name", "phone_no"}
    assert {*FRONT, *fields, "updated_at", "source_phone_no"} == set(rows[0])
    assert "so the columns are named after Bunce's fields" in told.output
    assert "  dlt-bunce load rejected.csv\n" in told.output
    save([row | {"phone_no": f"'+2348100000{row['customer_id']:0>3}"} for row in rows])
    done = run("load", "rejected.csv", "--json")

    assert counts(done, "read", "created") == (3, 3)
    assert statuses(run) == {"1": ["resolved"], "2": ["resolved"], "3": ["resolved"]}


def test_letters_without_their_rows_are_left_out_and_said_to_be(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    write([*people(1), *people(2, mobile="?")])
    monkeypatch.setenv("DESTINATION__BUNCE__DEAD_LETTER_ROWS", "keys")
    run("load", "customers.parquet")

    told = run("dead-letters", "export", "rejected.csv")
    figures = run("dead-letters", "export", "other.csv", "--json").json

    assert "Left out 1 dead letter without a stored row" in told.output
    assert tuple(figures[n] for n in ("dead_letters", "without_row", "load")) == (0, 1, None)


def test_an_export_that_nobody_corrected_sends_nothing(run: Run, emulator: Emulator) -> None:
    """Whatever the types of the source were: as text, no bad value may pass for a good one."""
    rows = people(1, 2, mobile="?")
    good = pa.Table.from_pylist(people(9))
    pq.write_table(pa.Table.from_pylist(rows), "bad.parquet")
    floats = pa.Table.from_pylist(people(1, 2))
    ids = pa.array([2.0**53 + 2, 1.5])
    pq.write_table(floats.set_column(0, "id", ids), "floats.parquet")
    numbers = pa.Table.from_pylist(people(3, 4))
    names = numbers.schema.get_field_index("first_name")
    pq.write_table(numbers.set_column(names, "first_name", pa.array([1, 2])), "numbers.parquet")
    pq.write_table(good, "good.parquet")
    for name in ("good", "bad", "floats", "numbers"):
        assert run("load", f"{name}.parquet").code == 0

    assert len(exported(run)) == 6
    done = loads(run, "--json")

    assert counts(done, "read", "bulk_requests") == (6, 0)
    assert done.json["held"] + done.json["rejected"] == 6
    assert {"9"} == set(emulator.customers)
