"""What counts as a file of customers, in which order files are read, and what none is."""

from __future__ import annotations

import re
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.conftest import Bucket

from dlt_bunce.emulator import Emulator

from .conftest import Run, people, write

ROW = "{n},c{n}@example.com,Ada,{name},+23481{n:08d}\n"
HEADER = "id,email,first_name,last_name,mobile\n"


def csv(path: str, *numbers: int, name: str = "Obi", header: str = HEADER) -> None:
    """A file of customers as text."""
    Path(path).parent.mkdir(exist_ok=True)
    Path(path).write_text(header + "".join(ROW.format(n=n, name=name) for n in numbers), "utf-8")


def parquet(path: str, *numbers: int, **changes: Any) -> None:
    Path(path).parent.mkdir(exist_ok=True)
    write(people(*numbers, **changes), path)


@pytest.mark.parametrize("name", ["a.parquet", "a.PARQUET", "a.pq", "part-0000", "deep/b.parq"])
def test_parquet_files_are_known_by_their_usual_names(
    run: Run, emulator: Emulator, name: str
) -> None:
    Path("lake/deep").mkdir(parents=True)
    parquet(f"lake/{name}", 1)
    for ignored in ("_SUCCESS", ".hidden.parquet", "a.parquet.crc", "empty.parquet"):
        Path("lake", ignored).write_bytes(b"" if ignored == "empty.parquet" else b"no Parquet")

    assert run("load", "lake").code == 0
    assert set(emulator.customers) == {"1"}


@pytest.mark.parametrize("source", ["lake", "lake/", "lake/*.parquet", "lake/missing.parquet"])
def test_no_file_is_no_success(run: Run, emulator: Emulator, source: str) -> None:
    Path("lake").mkdir()
    Path("lake/_SUCCESS").touch()
    Path("lake/notes.txt").write_text("nothing", "utf-8")

    done = run("load", source)

    assert done.code == 2
    assert re.search("No (customer )?file ", done.errors)
    assert ("_SUCCESS, notes.txt" in done.errors) is (source in {"lake", "lake/"})


def test_of_two_versions_the_later_file_has_the_newer(run: Run, emulator: Emulator) -> None:
    # written the other way round, as a disk may list them
    csv("days/2026-11-02.csv", 1, name="New")
    csv("days/2026-11-01.csv", 1, name="Old")

    assert run("load", "days").code == 0
    assert emulator.customers["1"]["last_name"] == "New"


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("header", ["", "id,email,first,last,mobile\n"])
def test_a_part_with_another_header_is_refused_by_name_and_without_values(
    run: Run, emulator: Emulator, first: bool, header: str
) -> None:
    csv("parts/b.csv", 1, 2)
    csv(f"parts/{'a' if first else 'c'}.csv", 7, name="Marked", header=header)

    done = run("load", "parts")

    assert (done.code, dict(emulator.customers)) == (2, {})
    assert f"{'a' if first else 'c'}.csv" in done.errors
    assert "Marked" not in done.errors
    assert "c7@" not in done.errors


@pytest.mark.parametrize("store", ["sqlite", "postgres"])
def test_two_columns_of_one_name_are_refused(
    run: Run,
    emulator: Emulator,
    store: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script = (
        "CREATE TABLE people (id int, email text, first_name text, last_name text, phone text);"
        "CREATE TABLE accounts (id int, person int, email text);"
        "INSERT INTO people VALUES (1, 'a@example.com', 'A', 'B', '+2348012345678');"
        "INSERT INTO accounts VALUES (900, 1, 'billing@example.com');"
    )
    if store == "sqlite":
        with closing(sqlite3.connect("crm.db")) as database:
            database.executescript(script)
        url = "sqlite:///crm.db"
    else:
        url = request.getfixturevalue("postgres_url")
        with psycopg.connect(url) as link:
            link.execute(script)
    monkeypatch.setenv("CRM_URL", url)
    query = "SELECT * FROM people JOIN accounts ON person = people.id"

    done = run("load", "env:CRM_URL", "--query", query)

    assert (done.code, dict(emulator.customers)) == (2, {})
    assert "two columns named 'id'" in done.errors
    assert "AS other_id" in done.errors


def test_a_folder_is_read_whichever_way_it_is_written(run: Run, emulator: Emulator) -> None:
    parquet("lake/a.parquet", 1)
    shutil.copy("lake/a.parquet", "single")

    assert [run("load", source).code for source in ("lake", "lake/", "single")] == [0, 0, 0]
    assert dict(emulator.times_sent) == {"1": 1}


def test_no_remote_file_is_no_success_either(run: Run, emulator: Emulator, s3: Bucket) -> None:
    csv("a.csv", 1)
    s3.put("a.csv", "lake/csvs/a.csv")

    nothing = run("load", f"s3://{s3.name}/lake/nothing/")
    found = run("load", f"s3://{s3.name}/lake/csvs/")

    assert "No file found" in nothing.errors
    assert nothing.code == 2
    assert (found.code, set(emulator.customers)) == (0, {"1"})


@pytest.mark.parametrize("name", ["a.parquet", "a.PARQUET", "part-0000"])
def test_a_remote_folder_needs_no_slash_and_its_files_no_ending(
    run: Run, emulator: Emulator, s3: Bucket, name: str
) -> None:
    parquet("data", 1)
    Path("mark").touch()
    s3.put("data", f"lake/hive/day=1/{name}")
    s3.put("mark", "lake/hive/_SUCCESS")
    s3.put("mark", "lake/hive/day=1/empty.parquet")

    assert run("load", f"s3://{s3.name}/lake/hive").code == 0
    assert set(emulator.customers) == {"1"}


@pytest.mark.parametrize(
    ("marker", "kind", "library", "extra"),
    [
        ("_delta_log/00000000000000000000.json", "a Delta table", "deltalake", "delta"),
        ("metadata/v1.metadata.json", "an Iceberg table", "pyiceberg", "iceberg"),
    ],
)
def test_tables_whose_files_hold_deleted_rows_are_refused_by_name(
    run: Run,
    emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    marker: str,
    kind: str,
    library: str,
    extra: str,
) -> None:
    Path("lake", marker).parent.mkdir(parents=True)
    Path("lake", marker).write_text("{}")
    write(people(1), "lake/part-0.parquet")
    for module in (library, "pyiceberg.table"):
        monkeypatch.setitem(sys.modules, module, None)  # as if it were not installed

    missing, part = run("load", "lake"), run("load", "lake/*.parquet")

    deleted = "its Parquet files also contain rows that were deleted."
    assert (missing.code, part.code) == (2, 2)
    assert f"lake is {kind}; {deleted} To read it, run pip install" in missing.errors
    assert f"'dlt-bunce[{extra}]'" in missing.errors
    assert f"lake/*.parquet is a part of {kind}: {deleted} Load the whole" in part.errors
    assert emulator.customers == {}
