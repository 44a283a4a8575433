"""No rows is not a success: what a location holds is told, and a load of nothing is warned of."""

from __future__ import annotations

import gzip
import sqlite3
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pydantic
import pytest

from dlt_bunce import RunSummary, bunce, flush_and_run
from dlt_bunce.emulator import Emulator
from dlt_bunce.errors import SourceError, TooFewRowsError
from dlt_bunce.sources import from_csv, from_parquet, open_source

from .conftest import Run, people, write


def put(name: str, content: bytes | list[dict[str, Any]]) -> None:
    """A file in the working directory."""
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        pq.write_table(pa.Table.from_pylist(content), path)


@pytest.fixture(params=["local", "remote"])
def place(request: pytest.FixtureRequest) -> Any:
    """Copies a folder to where it shall lie, and returns the beginning of its location."""
    if request.param == "local":
        return lambda: ""
    s3 = request.getfixturevalue("s3")

    def upload() -> str:
        for file in Path().rglob("*"):
            if file.is_file():
                s3.put(file, str(file))
        return f"s3://{s3.name}/"

    return upload


def ids(resource: Any) -> list[str]:
    return [str(v) for table in resource for v in table.column("id").to_pylist()]


LOCATIONS = ["lake", "lake/", "lake/*", "lake/**/*"]


@pytest.mark.parametrize("location", LOCATIONS)
def test_every_file_with_customers_is_read_in_the_order_of_names(place: Any, location: str) -> None:
    names = ["2026-11-03.PARQUET", "2026-11-01.parquet", "2026-11-02.pq", "part-0000", "x.parq"]
    for name in names:
        put(f"lake/{name}", [{"id": name}])
    for name in ("_SUCCESS", ".hidden.parquet", ".part-0000.crc", "_temporary/0/part-1.parquet"):
        put(f"lake/{name}", b"no data")
    put("lake/nothing.parquet", b"")

    assert sorted(names) == ids(open_source(place() + location))


@pytest.mark.parametrize("location", ["lake", "lake/", "lake/*.csv*"])
def test_files_of_days_are_read_in_the_order_of_the_days(place: Any, location: str) -> None:
    for day in (3, 1, 2):
        put(f"lake/2026-11-0{day}.csv", f"id,email\n{day},a@x.com\n".encode())
    put("lake/2026-11-04.csv.gz", gzip.compress(b"email,id\na@x.com,4\n"))

    assert ids(open_source(place() + location)) == ["1", "2", "3", "4"]


@pytest.mark.parametrize(
    ("files", "location", "told"),
    [
        ([], "lake/", "No file found"),
        (["lake/a.yaml", "lake/b.txt"], "lake/", "It contains: a.yaml, b.txt."),
        (["lake/a.yaml"], "lake", "It contains: a.yaml."),
        (["lake/_SUCCESS", "lake/.x.parquet"], "lake/", "_SUCCESS"),
        (["lake/a.csv"], "lake/*.parquet", "No file found"),
        (["lake/a.yaml"], "lake/*", "a.yaml is not known by its name"),
        (["lake/a.yaml"], "lake/a.yaml", "a.yaml is not known by its name"),
        ([f"lake/{n}.log" for n in range(9)], "lake/", "4.log, and 4 more."),
    ],
)
def test_where_no_file_is_found_what_lies_there_is_told(
    run: Run, place: Any, files: list[str], location: str, told: str
) -> None:
    for file in files:
        put(file, b"marked")

    done = run("load", place() + location)

    assert (done.code, done.output) == (2, "")
    assert told in done.errors
    assert "marked" not in done.errors


def test_a_folder_of_the_other_kind_is_named_with_its_files(place: Any) -> None:
    put("c/a.csv", b"id\n1\n")
    put("p/a.parquet", [{"id": "1"}])
    start = place()

    with pytest.raises(SourceError, match=r"No Parquet file with data found in .*c.*: a\.csv"):
        list(open_source_of(from_parquet, f"{start}c"))
    with pytest.raises(SourceError, match=r"No CSV file with data found in .*p.*: a\.parquet"):
        list(open_source_of(from_csv, f"{start}p"))


def open_source_of(reader: Any, location: str) -> Any:
    """Raises the SourceError behind what dlt raises."""
    from dlt_bunce.errors import bunce_error

    try:
        yield from reader(location)
    except Exception as error:  # noqa: BLE001, the cause matters
        raise bunce_error(error) or error from None


HEADER = b"id,email,first_name,last_name,mobile\n"


def row(number: int) -> bytes:
    return f"{number},c{number}@example.com,Marked,Marked,+23481{number:08d}\n".encode()


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        (HEADER + row(1), row(2), "The first row of b.csv is not a header"),
        (row(1) + row(3), HEADER + row(2), "The first row of a.csv is not a header"),
        (
            HEADER + row(1),
            b"Marked,Other\nMarked,Other\n",
            "b.csv and a.csv have different columns",
        ),
        (
            b"Marked,Other\nMarked,Other\n",
            HEADER + row(1),
            "b.csv and a.csv have different columns",
        ),
        (
            HEADER + row(1),
            HEADER.replace(b"mobile", b"phone") + row(2),
            "b.csv and a.csv have different columns",
        ),
        (HEADER + row(1), b"id\n2\n", "b.csv and a.csv have different columns: 1 and 5, with 1"),
    ],
)
def test_a_part_with_another_header_is_refused_by_name_before_anything_is_sent(
    run: Run, emulator: Emulator, place: Any, first: bytes, second: bytes, told: str
) -> None:
    put("lake/a.csv", first)
    put("lake/b.csv", second)

    done = run("load", place() + "lake/")

    assert (done.code, done.output) == (2, "")
    assert told in done.errors
    assert "arked" not in done.errors
    assert "@" not in done.errors
    assert emulator.customers == {}


def test_a_file_without_a_header_tells_no_value(run: Run) -> None:
    put("a.csv", row(1))

    for command in ("load", "check"):
        done = run(command, "a.csv")
        assert (done.code, done.output) == (2, "")
        assert "The first row of a.csv is not a header" in done.errors
        assert "arked" not in done.errors


def test_an_unusual_name_beside_usual_ones_is_a_header(run: Run) -> None:
    put("a.csv", b"id,email,first_name,last_name,mobile,2026-11-01\n" + row(1)[:-1] + b",5\n")

    assert run("load", "a.csv", "--json").json["created"] == 1


def test_an_empty_table_is_warned_of_and_fails_where_it_is_asked_to(
    run: Run, emulator: Emulator
) -> None:
    link = sqlite3.connect("s.sqlite")
    link.execute("CREATE TABLE people (id, email, first_name, last_name, mobile)")
    link.close()
    words = ("sqlite:///s.sqlite", "--table", "people")
    [warning] = run("check", *words, "--json").json["warnings"]
    assert warning["code"] == "no_rows"
    done = run("load", *words, "--json")
    assert (done.code, done.json["warnings"]) == (0, {"no_rows": 0})
    assert "row-level security" in run("load", *words).output
    failed = run("load", *words, "--min-rows", "1")
    assert failed.code == 3
    assert "0 rows were read (threshold: 1 row)" in failed.errors


def test_fewer_rows_than_the_setting_fail_after_they_are_loaded(emulator: Emulator) -> None:
    import dlt

    destination = bunce("sk_test_x", base_url=emulator.base_url, min_rows=3)
    pipeline = dlt.pipeline("crm", destination=destination)

    with pytest.raises(TooFewRowsError, match="2 rows were read"):
        flush_and_run(pipeline, dlt.resource(people(1, 2), name="customers"))
    assert len(emulator.customers) == 2
    assert flush_and_run(pipeline, dlt.resource(people(1, 2, 3), name="customers")).read == 3


def test_enough_rows_pass(run: Run) -> None:
    done = run("load", write(people(1, 2)), "--min-rows", "2", "--json")

    assert (done.code, done.json["warnings"]) == (0, {})


@pytest.mark.parametrize("kept", [1, 0])
def test_rows_that_a_contract_discards_are_told(emulator: Emulator, kept: int) -> None:
    import dlt

    pipeline = dlt.pipeline("crm", destination=bunce("sk_test_x", base_url=emulator.base_url))
    flush_and_run(pipeline, people(1, 2), table_name="customers")
    rows = [*people(3, 4)[:kept], *people(5, another=1)]

    summary = flush_and_run(
        pipeline, rows, table_name="customers", schema_contract={"columns": "discard_row"}
    )

    assert (kept, {"discarded_rows": 1}) == (summary.read, dict(summary.warnings))


class _Customer(pydantic.BaseModel, extra="allow"):
    visits: int


@pytest.mark.parametrize("kind", ["arrow", "model"])
def test_rows_that_are_discarded_while_they_are_extracted_are_told(
    emulator: Emulator, kind: str
) -> None:
    import dlt

    pipeline = dlt.pipeline("crm", destination=bunce("sk_test_x", base_url=emulator.base_url))
    known, odd = people(1, 2, visits=7), people(3, visits="seven")
    if kind == "arrow":
        odd = people(3, another=1)
        known, odd = [pa.Table.from_pylist(known)], [pa.Table.from_pylist(odd)]
    given: dict[str, Any] = {
        "arrow": {"schema_contract": {"columns": "discard_row"}},
        "model": {"columns": _Customer, "schema_contract": {"data_type": "discard_row"}},
    }[kind]

    def load(rows: list[Any], limit: int | None = None) -> RunSummary:
        customers = dlt.resource(rows, name="customers", **given).add_limit(limit)
        return flush_and_run(pipeline, customers)

    assert (load(known).read, load([*known, *odd]).warnings) == (2, {"discarded_rows": 1})
    assert load([*known, *odd], limit=1).warnings == {}
