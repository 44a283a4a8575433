"""The same rows give the same customers, wherever they are kept."""

from __future__ import annotations

import csv
import json
import sqlite3
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import dlt
import duckdb
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.mysql import mysql_execute

from dlt_bunce import bunce_adapter, flush_and_run
from dlt_bunce.emulator import Emulator

from .conftest import Run

MAPPING = {"customer_id": "id", "email": "contact.email", "phone_no": "contact.phones.0"}
FIELDS = ("email", "first_name", "last_name", "phone_no")
LAST = 'O\'Brien, "Jr"'
TOKEN = "t" * 20
EXPECTED = {
    "007": ["p007@example.com", "Zoë", LAST, "+2348031234567", [TOKEN]],
    "7": ["p7@example.com", "Ọlá", LAST, "+2348031234568", []],
    "8": ["p8@example.com", "Ada", LAST, "+14155552671", [TOKEN]],
    "9007199254740993": ["p9007199254740993@example.com", "李", LAST, "+2348031234569", [TOKEN]],
    "ab": ["pab@example.com", "Renée", LAST, "+4915112345678", [TOKEN]],
    "9": ["p9@example.com", "New", LAST, "+2348031234571", [TOKEN]],
}
COLUMNS = ("id", "first_name", "last_name", "contact", "devices", "changed", "note")


def person(number: str, first: str | None, phone: str, **more: Any) -> dict[str, Any]:
    """A row, as Python has it."""
    return {
        "id": number,
        "first_name": first,
        "last_name": 'O\'Brien, "Jr"',
        "contact": {"email": f"P{number.strip()}@Example.com", "phones": [phone, "+1"]},
        "devices": [{"device_type": "ios", "device_token": TOKEN}],
        "changed": datetime.fromisoformat("2026-11-28T07:30:05.250000"),
        "note": None,
    } | more


ROWS = [
    person("007", "Zoë", "+234 803 123 4567"),
    person("7", "Ọlá", "+2348031234568", devices=None),
    person(" 8 ", "  Ada\u00a0", "+14155552671", note="line\nbreak"),
    person("9007199254740993", "李", "+2348031234569"),
    person("a\u200bb", "Renée", "+4915112345678"),
    person("5", None, "+2348031234570"),
    person("6", "Eve", "call me"),
    person("9", "Old", "+2348031234571", changed=datetime.fromisoformat("2026-11-28T07:30:05")),
    person("9", "New", "+2348031234571"),
    person("9", "Older", "+2348031234571", changed=datetime.fromisoformat("2026-11-27T00:00:00")),
]
WIDTHS = "id VARCHAR(80), first_name VARCHAR(80), last_name VARCHAR(80)"


def flat(row: dict[str, Any], *, text: bool = False) -> tuple[Any, ...]:
    """With nested values as JSON; with everything as text on demand."""
    cells = [json.dumps(v) if isinstance(v, (dict, list)) else v for v in row.values()]
    return tuple(str(c) if text and c is not None else c for c in cells)


def in_parquet(_url: Callable[[str], str]) -> list[str]:
    pq.write_table(pa.Table.from_pylist(ROWS), "people.parquet")
    return ["people.parquet"]


def in_csv(_url: Callable[[str], str]) -> list[str]:
    with Path("people.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(flat(row) for row in ROWS)
    return ["people.csv"]


def in_sqlite(_url: Callable[[str], str]) -> list[str]:
    link = sqlite3.connect("people.sqlite")
    link.execute(
        f"CREATE TABLE people ({WIDTHS}, contact JSON, devices JSON, changed DATETIME, note)"
    )
    values = [flat(row, text=True) for row in ROWS]
    link.executemany("INSERT INTO people VALUES (?, ?, ?, ?, ?, ?, ?)", values)
    link.commit()
    link.close()
    return ["sqlite:///people.sqlite"]


def in_duckdb(_url: Callable[[str], str]) -> list[str]:
    with duckdb.connect("people.duckdb") as link:
        link.register("rows", pa.Table.from_pylist(ROWS))
        link.execute("CREATE TABLE people AS SELECT * FROM rows")
    return ["duckdb:///people.duckdb"]


def in_postgres(url: Callable[[str], str]) -> list[str]:
    with psycopg.connect(url("postgres_url")) as link, link.cursor() as cursor:
        columns = f"{WIDTHS}, contact JSONB, devices JSON, changed TIMESTAMP, note TEXT"
        cursor.execute(f"CREATE TABLE people ({columns})")
        values = [flat(row) for row in ROWS]
        cursor.executemany("INSERT INTO people VALUES (%s, %s, %s, %s, %s, %s, %s)", values)
    return [url("postgres_url")]


def in_mysql(url: Callable[[str], str]) -> list[str]:
    columns = f"{WIDTHS}, contact JSON, devices JSON, changed DATETIME(6), note TEXT"
    statements = [
        f"CREATE TABLE people ({columns}) CHARACTER SET utf8mb4",
        "INSERT INTO people VALUES (%s, %s, %s, %s, %s, %s, %s)",
    ]
    mysql_execute(url("mysql_url"), statements, [flat(row) for row in ROWS])
    return [url("mysql_url")]


DATABASES = [in_sqlite, in_duckdb, in_postgres, in_mysql]
TABLE = ["--table", "people"]
QUERY = ["--query", "SELECT * FROM people"]
PLACES = {
    **{make.__name__: (make, []) for make in (in_parquet, in_csv)},
    **{f"{make.__name__} by table": (make, TABLE) for make in DATABASES},
    **{f"{make.__name__} by query": (make, QUERY) for make in DATABASES},
}
DATA: dict[str, Callable[[], Any]] = {
    "dicts": lambda: ROWS,
    "arrow": lambda: pa.Table.from_pylist(ROWS),
    "batches": lambda: iter(pa.Table.from_pylist(ROWS).to_batches(3)),
    "texts": lambda: [dict(zip(COLUMNS, flat(row, text=True), strict=True)) for row in ROWS],
}


def polars_frame() -> Any:
    """As a frame of polars."""
    import polars as pl

    return pl.DataFrame(ROWS)


if sys.version_info >= (3, 11):  # as polars' pinned version needs it
    DATA |= {"polars": polars_frame, "polars lazy": lambda: polars_frame().lazy()}


def tokens(customer: dict[str, Any]) -> list[str]:
    """Of its devices, to which Bunce gives ids of its own."""
    return [device["device_token"] for device in customer.get("devices") or []]


@pytest.mark.parametrize("place", [*PLACES, *DATA])
def test_the_same_rows_give_the_same_customers(
    run: Run, emulator: Emulator, request: pytest.FixtureRequest, place: str
) -> None:
    if place in PLACES:
        make, options = PLACES[place]
        maps = [f"--map={field}={path}" for field, path in MAPPING.items()]
        words = [*make(request.getfixturevalue), *options, *maps, "--version-column", "changed"]
        done = run("load", *words, "--json")
        assert done.code == 0, done.errors
        counts = done.json
    else:
        pipeline = dlt.pipeline("crm", destination="bunce")
        data = bunce_adapter(DATA[place](), **MAPPING, version="changed")
        counts = flush_and_run(pipeline, data, table_name="customers").as_dict()

    assert {
        key: [*(customer[field] for field in FIELDS), tokens(customer)]
        for key, customer in emulator.customers.items()
    } == EXPECTED
    found = [counts[name] for name in ("read", "created", "rejected", "superseded")]
    assert found == [10, 6, 2, 2]
    assert counts["reject_codes"] == {"missing_first_name": 1, "invalid_phone_no": 1}
