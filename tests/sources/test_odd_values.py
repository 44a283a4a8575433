"""Values as databases really have them: where nobody mapped their column, they stop no load."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dlt
import duckdb
import pytest
from tests.databases import database

from dlt_bunce import bunce, bunce_adapter, flush_and_run
from dlt_bunce.emulator import Emulator
from dlt_bunce.model import RunSummary
from dlt_bunce.sources import duckdb_files, from_database, sql

# by type: what comes first, and what comes then
POSTGRES = {
    "inet": ("'10.0.0.1'", "'::1/64'"),
    "macaddr": ("'08:00:2b:01:02:03'", "null"),
    "interval": ("'1 day'", "'-178000000 years'"),
    "int4range": ("'[1,5)'", "'empty'"),
    "daterange": ("'[2020-01-01,2021-01-01)'", "'[2020-01-01,infinity)'"),
    "tstzrange": ("'[2020-01-01,)'", "'[-infinity,infinity]'"),
    "money": ("'12.50'", "'-$1,000.00'"),
    "date": ("'2026-01-01'", "'infinity'"),
    "date ": ("'0044-03-15 BC'", "'12000-01-01'"),
    "timestamp": ("'2026-01-01'", "'-infinity'"),
    "timestamptz": ("'2026-01-01'", "'0044-03-15 BC'"),
    "time": ("'12:00'", "'24:00'"),
    "timetz": ("'12:00+02'", "'24:00-15:59'"),
    "numeric": ("1", "12345678901234567890123456789012345678901234567890"),
    "numeric ": ("'NaN'", "'Infinity'"),
    "numeric  ": ("0.000000000000000000000000000000000001", "'NaN'"),
    "float8": ("1.5", "'NaN'"),
    "bytea": (r"'\xff'", "'text'"),
    "uuid": ("gen_random_uuid()", "null"),
    "jsonb": ("""'{"a": 1}'""", "'[1, null]'"),
    "json": ("'1'", """'"text"'"""),
    "int[]": ("'{1,2}'", "'{{1},{null}}'"),
    "date[]": ("'{2026-01-01}'", "'{infinity}'"),
    "bit(3)": ("'101'", "null"),
    "point": ("'1,2'", "null"),
    "tsvector": ("'a b'", "''"),
    'oid, x "char"': ("1, 'x'", "null, null"),
    "boolean": ("true", "null"),
}
MYSQL = {
    "date": ("'2026-01-01'", "'0000-00-00'"),
    "date ": ("'2026-00-00'", "'9999-12-31'"),
    "datetime": ("'2026-01-01'", "'0000-00-00 00:00:00'"),
    "bigint unsigned": ("1", "18446744073709551615"),
    "decimal(65,30)": ("1", "12345678901234567890123456789012345.123456789012345678901234567890"),
    "bit(8)": ("b'101'", "null"),
    "enum('a', 'b')": ("'a'", "''"),
    "set('a', 'b')": ("'a'", "'a,b'"),
    "time": ("'12:00'", "'838:59:59'"),
    "time ": ("'-12:00'", "'24:00'"),
    "year": ("2026", "0"),
    "point": ("POINT(1, 2)", "null"),
    "blob": ("x'ff'", "'text'"),
    "binary(16)": ("x'00112233445566778899aabbccddeeff'", "'text'"),
    "json": ("'[1]'", "'{}'"),
    "tinyint(1)": ("1", "2"),
    "uuid": ("'123e4567-e89b-12d3-a456-426655440000'", "null"),
    "inet6": ("'::1'", "null"),
    "double": ("1.5", "1e300"),
}
SQLITE = {
    "INTEGER": ("1", "'text'"),
    "BIGINT": ("'text'", "1e30"),
    "DATETIME": ("'2026-01-01 12:30:05'", "'yesterday'"),
    "TIMESTAMP": ("''", "17"),
    "DATE": ("'2026-01-01'", "'28/11/2026'"),
    "TIME": ("'12:00'", "'noon'"),
    "BOOLEAN": ("1", "'yes'"),
    "NUMERIC": ("1.5", "'abc'"),
    "REAL": ("1.5", "x'ff'"),
    "TEXT": ("'text'", "x'ff'"),
    "BLOB": ("x'ff'", "'text'"),
    "JSON": ("'[1]'", "'not json'"),
    "UUID": ("'123e4567-e89b-12d3-a456-426655440000'", "'x'"),
    "FLOAT": ("'NaN'", "1"),
    "": ("1", "2.5"),
}
LARGEST = "340282366920938463463374607431768211455"
DUCKDB = {
    "hugeint": ("1", "170141183460469231731687303715884105727"),
    "uhugeint": ("1", LARGEST),
    "bit": ("'101'", "null"),
    "interval": ("'1 day'", "'-100 years'"),
    "enum('b', 'a')": ("'b'", "'a'"),
    "struct(a int, b varchar[])": ("{'a': 1, 'b': ['x']}", "null"),
    "map(varchar, int)": ("map {'a': 1}", "map {}"),
    "union(n int, s varchar)": ("1", "'x'"),
    "date": ("'2026-01-01'", "'infinity'"),
    "date ": ("'0044-03-15 (BC)'", "'12000-01-01'"),
    "timestamp": ("'2026-01-01'", "'-infinity'"),
    "timestamptz": ("'2026-01-01'", "'infinity'"),
    "timestamp_ns": ("'2026-01-01 00:00:00.123456789'", "null"),
    "time": ("'12:00'", "'24:00'"),
    "timetz": ("'12:00:00+02'", "null"),
    "decimal(38,37)": ("1", "-9.9999999999999999999999999999999999999"),
    "double": ("1.5", "'nan'"),
    "blob": (r"'\xFF'", "'text'"),
    "uuid": ("uuid()", "null"),
    "json": ("'[1]'", "'{}'"),
    "int[3]": ("[1, 2, 3]", "null"),
}
KINDS = {"postgres": POSTGRES, "mysql": MYSQL, "sqlite": SQLITE, "duckdb": DUCKDB}
OWN = "id int, email varchar(50), first_name varchar(50), last_name varchar(50), phone varchar(50)"


def make(kind: str, fixture: Callable[[str], str]) -> str:
    """The URL of a database with a table of two rows, that has a column of every type."""
    columns = [f"odd_{n} {name}" for n, name in enumerate(KINDS[kind])]
    statements = [f"CREATE TABLE people ({OWN}, {', '.join(columns)})"]
    for n in (0, 1):
        values = ", ".join(pair[n] for pair in KINDS[kind].values())
        own = f"{n}, 'c{n}@x.com', 'Ada', 'Obi', '+234803123456{n}'"
        statements.append(f"INSERT INTO people VALUES ({own}, {values})")
    if kind == "mysql":
        statements.insert(0, "SET SESSION sql_mode = ''")
    return database(kind, fixture, statements)


@pytest.mark.parametrize("part", [1, 20_000])
@pytest.mark.parametrize("door", ["table", "query"])
@pytest.mark.parametrize("kind", KINDS)
def test_odd_values_that_nobody_mapped_stop_no_load(
    emulator: Emulator,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    door: str,
    part: int,
) -> None:
    for module in (sql, duckdb_files):
        monkeypatch.setattr(module, "ROWS", part)  # so that what is odd comes first, or later
    url = make(kind, request.getfixturevalue)
    given: dict[str, Any] = {"table": "people"}
    if door == "query":
        given = {"query": "SELECT * FROM people ORDER BY id"}
    destination = bunce("sk_test_x", base_url=emulator.base_url, requests_per_minute=0)

    summary = flush_and_run(
        dlt.pipeline("crm", destination=destination),
        bunce_adapter(from_database(url, **given), customer_id="id"),
    )

    assert (summary.read, summary.created) == (2, 2)
    assert {sent["email"] for sent in emulator.customers.values()} == {"c0@x.com", "c1@x.com"}


def test_duckdbs_largest_numbers_are_ids_without_a_sign(emulator: Emulator, tmp_path: Path) -> None:
    path = tmp_path / "crm.duckdb"
    with duckdb.connect(str(path)) as db:
        db.execute(f"CREATE TABLE people ({OWN}, key uhugeint)")
        for n, key in enumerate(["7", LARGEST]):
            own = f"{n}, 'c{n}@x.com', 'Ada', 'Obi', '+234803123456{n}'"
            db.execute(f"INSERT INTO people VALUES ({own}, {key})")
    destination = bunce("sk_test_x", base_url=emulator.base_url, requests_per_minute=0)

    people = from_database(f"duckdb:///{path}", table="people")
    flush_and_run(
        dlt.pipeline("crm", destination=destination), bunce_adapter(people, customer_id="key")
    )

    assert set(emulator.customers) == {"7", LARGEST}


@pytest.mark.parametrize(
    ("data_type", "paid"), [("timestamp", "2026-01-01T00:00:00Z"), ("text", "2026-01-01")]
)
def test_an_infinite_date_is_one_rejected_value_until_it_is_corrected(
    emulator: Emulator, tmp_path: Path, data_type: str, paid: str
) -> None:
    path = tmp_path / "crm.duckdb"
    columns = "paid date, visits date[], changed date"
    with duckdb.connect(str(path)) as db:
        db.execute(f"CREATE TABLE people ({OWN}, {columns})")
        for n, day in enumerate(["2026-01-01", "infinity"]):
            own = f"{n}, 'c{n}@x.com', 'Ada', 'Obi', '+234803123456{n}'"
            db.execute(f"INSERT INTO people VALUES ({own}, '{day}', ['{day}'], '{day}')")
    emulator.attributes.add("Paid", data_type)
    emulator.attributes.add("Visits", "text")
    destination = bunce("sk_test_x", base_url=emulator.base_url, requests_per_minute=0)
    pipeline = dlt.pipeline("crm", destination=destination)

    def load() -> RunSummary:
        people = from_database(f"duckdb:///{path}", table="people")
        attributes = {"paid": "Paid", "visits": "Visits"}
        options: Any = {"customer_id": "id", "version": "changed", "attributes": attributes}
        return flush_and_run(pipeline, bunce_adapter(people, **options))

    done = load()
    with duckdb.connect(str(path)) as db:
        db.execute("UPDATE people SET paid = '2026-01-01', visits = ['2026-01-01'] WHERE id = 1")
    corrected = load()

    assert (done.created, done.rejected) == (2, 0)
    assert done.rejected_values == {
        "Paid": {f"invalid_{data_type}": 1},
        "Visits": {"invalid_text": 1},
    }
    assert (corrected.attributes["written"], corrected.rejected_values) == (2, {})
    sent = {"Paid": paid, "Visits": '["2026-01-01"]'}
    assert [emulator.attributes.values_of(n) for n in "01"] == [sent, sent]
