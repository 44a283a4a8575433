"""Customers from a table or a query of a database."""

from __future__ import annotations

from collections.abc import Sequence

from dlt.extract import DltResource

from dlt_bunce.sources.duckdb_files import from_duckdb
from dlt_bunce.sources.ranges import Range
from dlt_bunce.sources.sql import from_sql


def from_database(
    url: str,
    *,
    table: str | None = None,
    query: str | None = None,
    incremental: str | None = None,
    ranges: Sequence[Range] = (),
) -> DltResource:
    """Read from DuckDB for a duckdb:///… URL (see `from_duckdb`), else with `from_sql`."""
    if url.startswith("duckdb:"):
        path = url.removeprefix("duckdb:///")
        return from_duckdb(path, table=table, query=query, incremental=incremental, ranges=ranges)
    return from_sql(url, table=table, query=query, incremental=incremental, ranges=ranges)
