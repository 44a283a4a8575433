"""A dead letter tells the file and line of its row, whatever becomes of the row afterwards."""

from __future__ import annotations

import gzip
import io
import json
import re
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import deltalake
import fastavro
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import ipc

from dlt_bunce.emulator import Emulator
from dlt_bunce.store.database import Database
from dlt_bunce.store.schema.migrations import MIGRATIONS

from .conftest import Run, people, write
from .spreadsheets import BAD, exported, loads, rows_of

HEADER = "id,email,first_name,last_name,mobile\n"
ids = iter(range(1, 1_000_000))
Lines = dict[str, list[Any]]


def good() -> str:
    return ",".join(f'"{cell}"' for cell in next_person().values()) + "\n"


def next_person(**changes: str) -> dict[str, str]:
    n = next(ids)
    person = {"id": str(n), "email": f"c{n}@example.com", "first_name": "Ada"}
    return person | {"last_name": "Obi", "mobile": f"+23481{n:08d}"} | changes


def bad(line: int) -> str:
    """A row that tells its own line."""
    return ",".join(next_person(email=f"{line} is bad").values()) + "\n"


def lines() -> str:
    """Rows with blank lines, cells with line breaks, and rows that cannot be read between them."""
    text = HEADER + good() + "\n" + good() + bad(5) + good().replace("Ada", "A\nd\r\na") + bad(9)
    return (
        text
        + f"# 10 is no row, {next(ids)}\n,,,,\n"
        + good().replace("Obi", 'O "" \n')
        + bad(14)
        + good()
    )


def zipped(name: str, content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, content)
    return out.getvalue()


def csv() -> Lines:
    files = {
        "plain.csv": lines().encode(),
        "blank.csv": b"\n\r\n" + lines().encode(),
        "bom.csv": lines().encode("utf-8-sig"),
        "sep.csv": b"sep=,\r\n" + lines().encode(),
        "windows.csv": lines().replace("Ada", "Zoë").encode("cp1252"),
        "wide.txt": lines().encode("utf-16"),
        "mac.csv": lines().replace("\r\n", "\n").replace("\n", "\r").encode(),
        "dos.csv": lines().replace("\r\n", "\n").replace("\n", "\r\n").encode(),
        "a.csv.gz": gzip.compress(lines().encode()),
        "z.csv.zip": zipped("deep/z.csv", lines().encode()),
    }
    for name, content in files.items():
        Path("in", name).write_bytes(content)
    shift = {"blank.csv": 2, "sep.csv": 1}
    return {
        name + ("/deep/z.csv" if name.endswith(".zip") else ""): [
            line + shift.get(name, 0) for line in (5, 9, 10, 14)
        ]
        for name in files
    }


def json_lines() -> Lines:
    rows = [next_person(), next_person(), next_person(email="3 is bad"), next_person()]
    Path("in/list.json").write_text(json.dumps([*rows, ["no object"]], indent=2))
    for name in ("lines.jsonl", "lines.json.gz"):
        rows = [next_person(), next_person(email="bad"), next_person()]
        text = "\n\n".join(map(json.dumps, rows)) + f"\n[{next(ids)}]\n"
        content = text.encode()
        Path("in", name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    return {"list.json": [3, 5], "lines.jsonl": [3, 6], "lines.json.gz": [3, 6]}


def parquet() -> Lines:
    pq.write_table(table(), "in/a.parquet", row_group_size=2)
    pq.write_table(table().select(["mobile", "id", "email", "last_name", "first_name"]), "in/b.pq")
    return {"a.parquet": [5, 9], "b.pq": [5, 9]}


def table() -> pa.Table:
    return pa.Table.from_pylist(
        [next_person(**({"email": "bad"} if n in {5, 9} else {})) for n in range(1, 11)]
    )


def arrow() -> Lines:
    rows = table()
    with ipc.new_file("in/a.arrow", rows.schema) as writer:
        writer.write_table(rows, max_chunksize=3)
    return {"a.arrow": [5, 9]}


def avro() -> Lines:
    fields = [{"name": name, "type": "string"} for name in table().column_names]
    with Path("in/a.avro").open("wb") as file:
        schema: Any = {"type": "record", "name": "people", "fields": fields}
        fastavro.writer(file, schema, table().to_pylist())
    return {"a.avro": [5, 9]}


def excel() -> Lines:
    book = openpyxl.Workbook()
    book.active.cell(3, 1, "")
    rows = table().to_pylist()
    book.active.append(list(rows[0]))
    for row in rows:
        book.active.append(list(row.values()))
        book.active.append([None] * (row["email"] == "bad"))
    book.save("in/a.xlsx")
    return {"a.xlsx": [n for n, cells in enumerate(book.active.values, 1) if cells[1] == "bad"]}


def delta() -> Lines:
    deltalake.write_deltalake("in", table())
    return {"": [None, None]}


FORMATS: dict[str, Callable[[], Lines]] = {
    made.__name__: made for made in (csv, json_lines, parquet, arrow, avro, excel, delta)
}


def places(run: Run, *words: str) -> list[tuple[str, int | None]]:
    listed = run("dead-letters", "list", "--json", "--status", "all", *words)
    assert listed.code == 0, listed.errors
    return sorted(((row["source"], row["source_line"]) for row in listed.json), key=str)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_letter_tells_the_file_and_the_line(run: Run, kind: str) -> None:
    Path("in").mkdir()
    expected = FORMATS[kind]()
    location = "in" if kind == "delta" else "in/*"

    loaded = run("load", location, "--json")

    assert loaded.code == 0, loaded.errors
    told = [(f"in/{file}".rstrip("/"), n) for file, found in expected.items() for n in found]
    assert places(run) == sorted(told, key=str)
    assert run("dead-letters", "export", "rows.jsonl").code == 0
    assert "_dlt_bunce" not in Path("rows.jsonl").read_text("utf-8") + loaded.output


def test_the_place_is_shown_wherever_a_letter_is(run: Run, store: str) -> None:
    Path("crm").mkdir()
    Path("crm/people.csv").write_text(HEADER + good() + "\n" + bad(4))
    checked = run("check", "crm/people.csv", "--json")
    text = run("check", "crm/people.csv").output
    assert run("load", "crm/people.csv").code == 0

    [listed] = run("dead-letters", "list", "--json").json
    shown = run("dead-letters", "show", listed["id"], "--json").json
    in_text = run("dead-letters", "show", listed["id"]).output
    [row] = exported(run)

    assert [found["first"] for found in checked.json["rejected"]] == ["crm/people.csv:4"]
    assert "_dlt" not in checked.output
    assert "crm/people.csv:4" in text
    assert (listed["source"], listed["source_line"]) == ("crm/people.csv", 4)
    assert (shown["source"], shown["source_line"]) == ("crm/people.csv", 4)
    assert "crm/people.csv:4" in run("dead-letters", "list").output
    assert 'source         "crm/people.csv"' in in_text
    assert list(shown["source_row"]) == HEADER.strip().split(",")
    assert row["dead_letter_source"] == "crm/people.csv:4"
    with Database(store, read_only=True) as db:
        assert db.rows("SELECT source, source_line FROM bunce_dead_letters") == [
            {"source": "crm/people.csv", "source_line": 4}
        ]


@pytest.mark.usefixtures("store")
def test_a_row_that_comes_again_keeps_or_changes_its_place(run: Run, emulator: Emulator) -> None:
    write([*people(1), *BAD])
    Path("taken.csv").write_text(HEADER + "9,c1@example.com,Ada,Obi,+2348100000009\n")
    assert run("load", "customers.parquet").code == 0
    assert run("load", "taken.csv").code == 0
    first = [("customers.parquet", 2), ("customers.parquet", 3), ("customers.parquet", 4)]
    assert places(run) == [*first, ("taken.csv", 2)]

    # sent again as they are
    assert run("dead-letters", "replay", "--all").code == 0
    assert places(run) == [*first, ("taken.csv", 2)]

    # held in another file
    write([*people(5, 6), *BAD], "later.parquet")
    assert run("load", "later.parquet").code == 0
    assert places(run) == [*first, ("taken.csv", 2)]

    # corrected in a spreadsheet, of which one row is still bad
    rows = exported(run, "--code", "invalid_phone_no")
    assert list(rows_of()[0])[:7][-1] == "id"
    Path("rejected.csv").write_text(
        Path("rejected.csv").read_text("utf-8").replace("0803 000 0002", "0803 000 2222")
    )
    assert rows
    assert loads(run).code == 0
    assert places(run, "--status", "open") == [*first[1:], ("rejected.csv", 2), ("taken.csv", 2)]
    assert "_dlt" not in str(emulator.customers)


def test_rows_without_a_file_tell_their_table(run: Run) -> None:
    columns = HEADER.strip()
    with sqlite3.connect("crm.sqlite") as db:
        db.execute(f"CREATE TABLE people ({columns})")
        db.execute("INSERT INTO people VALUES (1, 'bad', 'A', 'B', '+2348031234567')")
    url = "sqlite:///crm.sqlite"

    assert run("load", url, "--table", "people").code == 0
    assert places(run) == [("people", None)]
    query = f"SELECT '7' || id AS id, {columns.removeprefix('id,')} FROM people"
    assert run("load", url, "--query", query).code == 0
    assert places(run) == [("people", None), ("query", None)]


def test_letters_of_an_older_store_have_no_place_and_get_one(run: Run) -> None:
    write([*people(1), *BAD])
    assert run("load", "customers.parquet").code == 0
    number = next(n for n, steps in enumerate(MIGRATIONS) if "source_line" in str(steps))
    with sqlite3.connect("bunce.sqlite") as db:
        later = str(MIGRATIONS[number:])
        made = set(re.findall(r"CREATE INDEX (\w+)", later))
        for created in made - set(re.findall(r"DROP INDEX (\w+)", later)):
            db.execute(f"DROP INDEX {created}")
        for added in re.findall(r"ALTER TABLE (\w+) ADD COLUMN (\w+)", later):
            db.execute("ALTER TABLE {} DROP COLUMN {}".format(*added))
        for created in re.findall(r"CREATE TABLE (\w+)", later):
            db.execute(f"DROP TABLE {created}")
        db.execute("UPDATE bunce_schema SET version = ?", (number,))

    assert "The next load creates or upgrades it." in run("dead-letters", "list").errors
    write([*people(1), *BAD[1:], *people(2, mobile="0803 000 3")])
    assert run("load", "customers.parquet").code == 0
    assert run("dead-letters", "replay", "--all").code == 0
    assert places(run) == [("customers.parquet", 4), *[(None, None)] * 3]
    assert {row["dead_letter_source"] for row in exported(run)} == {"", "customers.parquet:4"}
