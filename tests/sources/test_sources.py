"""Customers from files and databases: the same content whatever the source, and clear refusals."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

import dlt
import duckdb
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import requests

from dlt_bunce import bunce, bunce_adapter
from dlt_bunce.emulator import Emulator
from dlt_bunce.operations.flush import flush_and_run
from dlt_bunce.sources import from_database, from_duckdb, from_parquet, from_sql
from dlt_bunce.store.database import Database

DEVICE = {"device_type": "ios", "device_token": "t1"}
TYPES = {
    "id": "uuid",
    "email": "text",
    "first_name": "text",
    "last_name": "text",
    "phone_no": "text",
    "devices": "jsonb",
    "updated_at": "timestamptz",
}
CUSTOMERS: list[dict[str, Any]] = [
    {
        "id": UUID(int=number),
        "email": f"  C{number}@Example.com ",
        "first_name": first_name,
        "last_name": "Ọlá",
        "phone_no": phone_no,
        "devices": devices,
        "updated_at": datetime(2026, 11, 1, 12, 30, number, 123_456, tzinfo=timezone.utc),
    }
    for number, (first_name, phone_no, devices) in enumerate(
        [
            ("Zoe\u0308", "+2348100000000", [DEVICE]),
            ("李雷", "+23481 0000 0001", []),
            ("👩‍🚀 Ada", None, None),
            ('"Quote\\', "+2348100000003", [DEVICE, {"device_type": "WEB", "device_token": "ü"}]),
            (None, "+2348100000004", [DEVICE]),
        ]
    )
]


def as_arrow(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist([row | {"id": str(row["id"])} for row in rows])


def from_dicts(_url: str) -> Any:
    return dlt.resource([dict(row) for row in CUSTOMERS], name="customers")


def from_files(_url: str) -> Any:
    pq.write_table(as_arrow(CUSTOMERS), "customers.parquet")
    return from_parquet("customers.parquet")


def fill_postgres(url: str, rows: list[dict[str, Any]] = CUSTOMERS) -> None:
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        columns = ", ".join(f"{name} {kind}" for name, kind in TYPES.items())
        cursor.execute(f"CREATE TABLE IF NOT EXISTS customers ({columns})")  # type: ignore[arg-type]
        for row in rows:
            devices = None if row["devices"] is None else json.dumps(row["devices"])
            cursor.execute(
                "INSERT INTO customers VALUES (%s, %s, %s, %s, %s, %s, %s)",
                [*(row | {"devices": devices}).values()],
            )


def from_postgres_table(url: str) -> Any:
    fill_postgres(url)
    return from_sql(url, table="public.customers")


def from_postgres_query(url: str) -> Any:
    fill_postgres(url)
    return from_sql(url, query="SELECT * FROM customers")


def fill_duckdb(rows: list[dict[str, Any]] = CUSTOMERS) -> str:
    with duckdb.connect("customers.duckdb") as warehouse:
        warehouse.register("given", as_arrow(rows))
        warehouse.execute(
            "CREATE TABLE customers AS SELECT * REPLACE (CAST(id AS UUID) AS id) FROM given"
        )
    return "customers.duckdb"


def from_warehouse(_url: str) -> Any:
    return from_duckdb(fill_duckdb(), table="customers")


def from_warehouse_json(_url: str) -> Any:
    return from_duckdb(
        fill_duckdb(),
        query="SELECT * REPLACE (CAST(to_json(devices) AS JSON) AS devices) FROM customers",
    )


@pytest.fixture
def wire(emulator: Emulator) -> Iterator[tuple[str, list[bytes]]]:
    """An address before the emulator, and the bodies of the bulk requests that went through it."""
    bodies: list[bytes] = []

    class Passing(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            bodies.append(body)
            self._answer(body)

        def do_GET(self) -> None:
            self._answer(None)

        def _answer(self, body: bytes | None) -> None:
            headers = {name: self.headers[name] for name in self.headers if name != "Host"}
            address = emulator.base_url.removesuffix("/v1") + self.path
            answer = requests.request(self.command, address, data=body, headers=headers, timeout=30)
            self.send_response(answer.status_code)
            self.send_header("Content-Type", answer.headers["Content-Type"])
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Passing)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1", bodies
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def make(emulator: Emulator) -> Callable[..., dlt.Pipeline]:
    """Makes a pipeline into the emulator."""

    def make(name: str = "crm", **settings: Any) -> dlt.Pipeline:
        settings = {"credentials": "sk_test_x", "base_url": emulator.base_url} | settings
        return dlt.pipeline(name, destination=bunce(requests_per_minute=0, **settings))

    return make


SOURCES = [
    from_dicts,
    from_files,
    from_postgres_table,
    from_postgres_query,
    from_warehouse,
    from_warehouse_json,
]


def test_the_same_customers_are_the_same_bytes_whatever_the_source(
    make: Callable[..., dlt.Pipeline],
    emulator: Emulator,
    wire: tuple[str, list[bytes]],
    postgres_url: str,
) -> None:
    base_url, bodies = wire
    sent, fingerprints = {}, {}
    for source in SOURCES:
        emulator.reset()
        bodies.clear()
        store = f"sqlite:///{source.__name__}.sqlite"
        with psycopg.connect(postgres_url) as connection:
            connection.execute("DROP TABLE IF EXISTS customers")
        Path("customers.duckdb").unlink(missing_ok=True)

        pipeline = make(source.__name__, base_url=base_url, store_url=store)
        summary = flush_and_run(pipeline, bunce_adapter(source(postgres_url), version="updated_at"))
        assert (summary.read, summary.created, summary.rejected) == (5, 3, 2), source.__name__

        sent[source.__name__] = list(bodies)
        with Database(store) as db:
            rows = db.rows("SELECT customer_id, fingerprint, version FROM bunce_customers")
        fingerprints[source.__name__] = {tuple(row.values()) for row in rows}

    assert dict.fromkeys(sent, sent["from_dicts"]) == sent
    assert dict.fromkeys(sent, fingerprints["from_dicts"]) == fingerprints


def ids(resource: Any) -> list[Any]:
    """The ids of a resource of Arrow tables, in order."""
    return [value for item in resource for value in item.column("id").to_pylist()]


def test_a_query_that_starts_with_nulls_and_whole_numbers_keeps_one_schema(
    postgres_url: str,
) -> None:
    with psycopg.connect(postgres_url) as connection:
        connection.execute(
            "CREATE TABLE customers AS SELECT n AS id, "
            "CASE WHEN n > 30000 THEN 'late' END AS note, "
            "CASE WHEN n > 30000 THEN n + 0.5 ELSE n::numeric END AS amount "
            "FROM generate_series(1, 40000) n"
        )

    tables = list(from_sql(postgres_url, query="SELECT * FROM customers ORDER BY id"))

    assert [table.num_rows for table in tables] == [20_000, 20_000]
    assert tables[0].schema == tables[1].schema
    assert Decimal("40000.5") == tables[1].column("amount").to_pylist()[-1]
    assert tables[1].column("note").to_pylist()[-1] == "late"


@pytest.mark.parametrize("text", ["12:30", " :x", "a::b", "100 %", "%(x)s", "\\:x"])
def test_a_query_reaches_the_database_as_it_was_written(postgres_url: str, text: str) -> None:
    query = f"SELECT 7::int AS id, '{text}' AS note; "

    [plain] = from_sql(postgres_url, query=query)

    assert [{"id": 7, "note": text}] == plain.to_pylist()


@pytest.mark.parametrize("kind", ["postgres", "postgres query", "duckdb", "duckdb query", "sqlite"])
def test_a_later_run_reads_what_has_the_newest_value_or_more_or_none(
    make: Callable[..., dlt.Pipeline], postgres_url: str, kind: str
) -> None:
    rows = [
        row | {"first_name": "Ada", "phone_no": f"+23481{n:08d}"} for n, row in enumerate(CUSTOMERS)
    ]
    undated = rows[0] | {"updated_at": None}

    def load() -> Any:
        given = (
            {"query": "SELECT * FROM customers -- all"}
            if kind.endswith("query")
            else {"table": "customers"}
        )
        if kind.startswith("duckdb"):
            resource = from_duckdb("customers.duckdb", incremental="updated_at", **given)
        elif kind == "sqlite":
            resource = from_database(
                "sqlite:///customers.sqlite", incremental="updated_at", **given
            )
        else:
            resource = from_sql(postgres_url, incremental="updated_at", **given)
        return flush_and_run(make(), bunce_adapter(resource))

    def fill(more: list[dict[str, Any]]) -> None:
        if kind.startswith("duckdb"):
            Path("customers.duckdb").unlink(missing_ok=True)
            fill_duckdb(more)
        elif kind == "sqlite":
            fill_sqlite(more)
        else:
            fill_postgres(postgres_url, more[-1:] if more is not first else more)

    first = [undated, rows[1], rows[2]]
    fill(first)
    assert load().created == 3
    fill([*first, rows[3]])
    second = load()
    assert (second.read, second.created, second.unchanged) == (3, 1, 2)
    third = load()
    assert (third.read, third.unchanged) == (2, 2)


def fill_sqlite(rows: list[dict[str, Any]]) -> None:
    import sqlalchemy as sa

    engine = sa.create_engine("sqlite:///customers.sqlite")
    columns = [sa.Column(name, sa.DateTime if name == "updated_at" else sa.Text) for name in TYPES]
    table = sa.Table("customers", sa.MetaData(), *columns)
    with engine.begin() as connection:
        table.drop(connection, checkfirst=True)
        table.create(connection)
        for row in rows:
            at = row["updated_at"]
            plain = {
                "id": str(row["id"]),
                "devices": json.dumps(row["devices"]),
                "updated_at": at and at.replace(tzinfo=None),
            }
            connection.execute(table.insert().values(row | plain))
    engine.dispose()
