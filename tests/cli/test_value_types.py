"""The same values have the same text in Bunce, whichever source and column type they come from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dlt
import duckdb
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dlt.sources.sql_database import sql_table

from dlt_bunce import bunce_adapter, flush_and_run
from dlt_bunce.emulator import Emulator

from .conftest import Run
from .value_kinds import KINDS, Kind

COLUMNS = {
    f"{name} as {wanted}": (kind, wanted)
    for name, kind in KINDS.items()
    for wanted in kind.expected
}
PEOPLE = {
    "id": ["1", "2", "3"],
    "email": [f"p{n}@example.com" for n in range(3)],
    "first_name": ["Ada"] * 3,
    "last_name": ["Obi"] * 3,
    "phone_no": [f"+234803123456{n}" for n in range(3)],
}
EXPECTED = [
    {
        column: text
        for column, (kind, wanted) in COLUMNS.items()
        if (text := kind.expected[wanted][row]) is not None
    }
    for row in range(2)
]


def array(kind: Kind) -> pa.Array:
    values = [*(kind.cells or kind.values), None]
    if kind.arrow == pa.uuid():
        storage = pa.array([v and v.bytes for v in values], pa.binary(16))
        return pa.ExtensionArray.from_storage(kind.arrow, storage)
    return pa.array(values, kind.arrow)


def in_parquet(_url: str) -> list[str]:
    columns = {name: array(kind) for name, (kind, _) in COLUMNS.items()}
    pq.write_table(pa.table(PEOPLE | columns), "people.parquet")
    return ["people.parquet"]


def statements(types: dict[str, str]) -> list[str]:
    """The table in SQL, where each column has a type."""
    named = ", ".join(f'"{name}" {kind}' for name, kind in types.items())
    cells = [COLUMNS[name][0].sql(kind) for name, kind in types.items() if name in COLUMNS]
    rows = []
    for row in range(3):
        own = [f"'{values[row]}'" for values in PEOPLE.values()]
        rows.append([*own, *(column[row] if row < 2 else "NULL" for column in cells)])
    values = ", ".join(f"({', '.join(row)})" for row in rows)
    return [f"CREATE TABLE people ({named})", f"INSERT INTO people VALUES {values}"]


def in_postgres(url: str) -> list[str]:
    types = dict.fromkeys(PEOPLE, "text") | {n: kind.postgres for n, (kind, _) in COLUMNS.items()}
    with psycopg.connect(url) as link:
        for statement in statements(types):
            link.execute(statement)  # type: ignore[arg-type]
    return [url]


def in_duckdb(_url: str) -> list[str]:
    types = dict.fromkeys(PEOPLE, "VARCHAR") | {n: kind.duckdb for n, (kind, _) in COLUMNS.items()}
    with duckdb.connect("people.duckdb") as link:
        link.execute("SET TimeZone = 'Asia/Tokyo'")
        for statement in statements(types):
            link.execute(statement)
    return ["duckdb:///people.duckdb"]


def rows_in_dicts(_url: str) -> Any:
    columns = PEOPLE | {name: [*kind.values, None] for name, (kind, _) in COLUMNS.items()}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def from_sql_database(backend: str) -> Callable[[str], Any]:
    def read(url: str) -> Any:
        in_postgres(url)
        driver = url.replace("postgresql://", "postgresql+psycopg://")
        return sql_table(driver, table="people", backend=backend)  # type: ignore[arg-type]

    return read


FILES = {
    "parquet": (in_parquet, []),
    "postgres table": (in_postgres, ["--table", "people"]),
    "postgres query": (in_postgres, ["--query", "SELECT * FROM people"]),
    "duckdb": (in_duckdb, ["--table", "people"]),
}
DATA = {
    "dicts": rows_in_dicts,
    "sql_table": from_sql_database("sqlalchemy"),
    "sql_table with pyarrow": from_sql_database("pyarrow"),
}


@pytest.mark.parametrize("place", [*FILES, *DATA])
def test_values_of_every_type_have_the_same_text_from_every_source(
    run: Run, emulator: Emulator, request: pytest.FixtureRequest, place: str
) -> None:
    for column, (_, wanted) in COLUMNS.items():
        emulator.attributes.add(column, wanted)
    url = request.getfixturevalue("postgres_url") if "dicts" not in place else ""
    if place in FILES:
        make, options = FILES[place]
        names = [f"--attribute={column}={column}" for column in COLUMNS]
        done = run("load", *make(url), *options, *names, "--json")
        assert done.code == 0, done.errors
        counts = done.json
    else:
        pipeline = dlt.pipeline("crm", destination="bunce")
        data = bunce_adapter(DATA[place](url), attributes={column: column for column in COLUMNS})
        counts = flush_and_run(pipeline, data, table_name="people").as_dict()

    for number, expected in zip(PEOPLE["id"], [*EXPECTED, {}], strict=True):
        found = emulator.attributes.values_of(number)
        wrong = {c: found.get(c) for c in COLUMNS if found.get(c) != expected.get(c)}
        assert wrong == {}
    fates = counts["attributes"]
    assert (fates["read"], fates["written"]) == (3 * len(COLUMNS), sum(map(len, EXPECTED)))
    assert counts["created"] == 3
