"""100,000 customers from files, a quarter as many from databases, 1% of them invalid."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import duckdb
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dlt_bunce.emulator import Emulator
from dlt_bunce.store.database import Database

BAD: dict[str, dict[str, Any]] = {
    "missing_email": {"email": " "},
    "invalid_email": {"email": "nobody@@example.com"},
    "missing_first_name": {"first_name": None},
    "invalid_phone_no": {"phone_no": "call me"},
    "email_taken": {"email": "c5@example.com"},
}


def customers(count: int) -> tuple[pa.Table, dict[str, str]]:
    """Return the rows, and the reject code of each invalid row by id."""
    codes = list(BAD)
    expected = {}
    rows = []
    for n in range(count):
        row = {
            "id": n,
            "email": f"c{n}@example.com",
            "first_name": "Zoë",
            "last_name": "Ọlá",
            "phone_no": f"+23481{n:08d}",
            "devices": [{"device_type": "ios", "device_token": f"t{n}"}] if n % 3 else [],
            "updated_at": f"2026-11-01T00:00:{n % 60:02d}Z",
        }
        if n % 100 == 99:
            code = codes[n // 100 % len(codes)]
            row |= BAD[code]
            expected[str(n)] = code
        rows.append(row)
    return pa.Table.from_pylist(rows), expected


def into_parquet(table: pa.Table, _postgres_url: str) -> tuple[str, dict[str, str]]:
    pq.write_table(table, "customers.parquet", row_group_size=30_000)
    return "parquet_to_bunce", {"PIPELINES__PARQUET__LOCATION": "customers.parquet"}


def into_postgres(table: pa.Table, postgres_url: str) -> tuple[str, dict[str, str]]:
    with psycopg.connect(postgres_url) as connection, connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE customers (id bigint, email text, first_name text, last_name text, "
            "phone_no text, devices jsonb, updated_at timestamptz)"
        )
        with cursor.copy("COPY customers FROM STDIN") as copy:
            for row in table.to_pylist():
                copy.write_row([*(row | {"devices": json.dumps(row["devices"])}).values()])
    return "postgres_to_bunce", {
        "SOURCES__SQL_DATABASE__CREDENTIALS": postgres_url,
        "PIPELINES__POSTGRES__TABLE": "public.customers",
    }


def into_warehouse(table: pa.Table, _postgres_url: str) -> tuple[str, dict[str, str]]:
    with duckdb.connect("warehouse.duckdb") as warehouse:
        warehouse.register("exported", table)
        warehouse.execute("CREATE TABLE customers AS SELECT * FROM exported")
    return "warehouse_to_bunce", {
        "PIPELINES__WAREHOUSE__URL": "duckdb:///warehouse.duckdb",
        "PIPELINES__WAREHOUSE__TABLE": "customers",
    }


# 25,000 rows of a database take several chunks, too; what follows is the same for all sources
@pytest.mark.parametrize(
    ("kind", "count"), [(into_parquet, 100_000), (into_postgres, 25_000), (into_warehouse, 25_000)]
)
def test_every_valid_customer_is_sent_once_and_every_invalid_one_is_a_dead_letter(
    kind: Callable[[pa.Table, str], tuple[str, dict[str, str]]],
    count: int,
    run: Callable[..., Any],
    emulator: Emulator,
    postgres_url: str,
) -> None:
    table, expected = customers(count)
    name, settings = kind(table, postgres_url)
    settings |= {"DESTINATION__BUNCE__BATCH_SIZE": "1000"}

    first = run(name, **settings)
    assert (first.returncode, first.stderr) == (0, "")

    good = {str(n) for n in range(count)} - expected.keys()
    assert good == emulator.customers.keys()
    times_sent = emulator.times_sent
    assert {times_sent[customer_id] for customer_id in good} == {1}
    with Database("sqlite:///bunce.sqlite") as db:
        letters = db.rows("SELECT customer_id, code FROM bunce_dead_letters WHERE status = 'open'")
    assert expected == {letter["customer_id"]: letter["code"] for letter in letters}
    assert len(expected) == len(letters)

    creates = [request for request in emulator.requests if request.call == "create"]
    second = run(name, **settings)
    assert (second.returncode, second.stderr) == (0, "")
    assert creates == [request for request in emulator.requests if request.call == "create"]
