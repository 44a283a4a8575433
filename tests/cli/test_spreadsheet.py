"""`dlt-bunce dead-letters export` writes what a spreadsheet opens and a load takes back."""

from __future__ import annotations

import json
import shlex
import stat
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dlt_bunce.emulator import Emulator
from dlt_bunce.reject_codes import REJECT_CODES

from .conftest import Run, people, write
from .spreadsheets import (
    BAD,
    FRONT,
    counts,
    exported,
    loads,
    renamed,
    rows_of,
    save,
    statuses,
)


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
    assert rows[0]["devices"] == '[{"device_token": "=1+1", "device_type": "ios"}]'
    assert (rows[1]["devices"], rows[2]["first_name"]) == ("", "")
    assert Path("rejected.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    assert stat.S_IMODE(Path("rejected.csv").stat().st_mode) == 0o600


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
    assert set(emulator.customers) == {"1", "2"}


@pytest.mark.parametrize("ending", ["parquet", "jsonl"])
def test_an_export_for_programs_is_told_from_customers(ending: str, run: Run) -> None:
    write([*people(1), *BAD])
    run("load", "customers.parquet")
    run("dead-letters", "export", f"letters.{ending}")

    refused = run("load", f"letters.{ending}")

    assert refused.code == 2
    assert "These rows are dead letters as the store keeps them" in refused.errors
    assert "dead-letters replay" in refused.errors
    assert "--map" not in refused.errors


def test_the_command_to_paste_names_the_paths_of_the_run(run: Run, emulator: Emulator) -> None:
    rows = [
        {"id": n, "first_name": "Zoë", "last_name": "Obi", "more": {"at": 10, "who": contact}}
        for n, contact in [(1, {"mail": "c1@example.com"}), (2, {"mail": "nobody"})]
    ]
    Path("people.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    paths = ("--map", "email=more.who.mail", "--default", "phone_no=+2348100000001")
    assert run("load", "people.jsonl", *paths, "--version-column", "more.at").code == 0

    told = run("dead-letters", "export", "rejected.csv")
    save([row | {"more": row["more"].replace("nobody", "c2@example.com")} for row in rows_of()])
    command = shlex.split(told.output.splitlines()[-1])
    done = run(*command[1:], *paths[2:], "--json")

    assert command[3:] == [*paths[:2], "--version-column", "more.at"]
    assert counts(done, "read", "created") == (1, 1)


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
    assert set(emulator.customers) == {"9"}
