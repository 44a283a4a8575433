"""Rows between two values of a column, the end left out."""

from __future__ import annotations

import pytest

from dlt_bunce.sources import Range, from_database

from .conftest import IDS, KINDS, fill_duckdb, fill_postgres


@pytest.mark.parametrize("kind", KINDS)
def test_an_interval_is_read_without_its_end(postgres_url: str, kind: str) -> None:
    database, _, what = kind.partition(" ")
    fill = fill_postgres if database == "postgres" else fill_duckdb
    url = postgres_url if database == "postgres" else "duckdb:///warehouse.duckdb"
    options = {"table": "people"} if what == "table" else {"query": "SELECT * FROM people"}
    days = IDS["timestamptz"]
    fill(postgres_url, [*days, None], "timestamptz")

    found = from_database(url, ranges=[Range("id", days[10], days[12])], **options)

    assert [*days[10:12], None] == [v for t in found for v in t.column("id").to_pylist()]
