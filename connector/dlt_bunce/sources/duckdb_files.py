"""Customers from DuckDB files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from dlt.extract import DltResource

from dlt_bunce.errors import SourceError
from dlt_bunce.records.text.plain import plain, refuse_twice
from dlt_bunce.sources.outages import raised_when_read
from dlt_bunce.sources.ranges import Query, Range, quoted, since
from dlt_bunce.sources.resources import ROWS, TABLE, resource, resource_name

_KEY = """SELECT unnest(constraint_column_names) FROM duckdb_constraints()
WHERE constraint_type = 'PRIMARY KEY' AND table_name = ? AND schema_name = coalesce(?, 'main')
AND database_name = current_database()"""


@raised_when_read
def from_duckdb(
    path: str,
    *,
    table: str | None = None,
    query: str | None = None,
    incremental: str | None = None,
    ranges: Sequence[Range] = (),
) -> DltResource:
    """Read a table or a query of a DuckDB file, opened read-only.

    `incremental` and `ranges` work as in `from_sql`. Raises SourceError if the file is missing, or
    if neither or both of `table` and `query` are given.
    """
    inner = query_text(path, Query(table, query))

    def rows(last: Any) -> Iterator[Any]:
        import duckdb

        conditions = [chosen.text() for chosen in since(ranges, incremental, last)]
        where = " AND ".join(condition for condition, _ in conditions)
        text = f"SELECT * FROM ({inner}\n) AS q WHERE {where}" if where else inner  # noqa: S608
        with duckdb.connect(path, read_only=True) as connection:
            # checked here, because DuckDB renames repeated columns of a subquery
            refuse_twice(connection.sql(inner).columns, "The query results")
            relation = connection.sql(text, params=[v for _, values in conditions for v in values])
            yield from map(plain, _in_arrow(relation).to_arrow_reader(ROWS))

    file = str(Path(path).resolve())
    customers = resource(rows, incremental, resource_name(TABLE, file, table, query, incremental))
    if table is not None and (key := _primary_key(path, table)):
        customers.apply_hints(primary_key=key)
    return customers


def _in_arrow(relation: Any) -> Any:
    """Return the same rows with UHUGEINT columns as text: DuckDB passes these to Arrow as numbers
    with a sign, so that the larger half would be negative.
    """
    names = zip(relation.columns, relation.types, strict=True)
    wide = ['"' + name.replace('"', '""') + '"' for name, kind in names if kind == "UHUGEINT"]
    if not wide:
        return relation
    casts = ", ".join(f"CAST({name} AS VARCHAR) AS {name}" for name in wide)
    return relation.project(f"* REPLACE ({casts})")


def query_text(path: str, query: Query) -> str:
    """Return the SQL of a query or of a whole table. Raises SourceError if the file is missing."""
    if not Path(path).is_file():
        remedy = "Check the path."
        if path.startswith("duckdb://"):
            remedy = "Write three slashes before it: duckdb:///folder/file.duckdb"
        raise SourceError(f"DuckDB file {path} does not exist.", remedy=remedy)
    text = query.sql or f"SELECT * FROM {quoted(query.table or '')}"  # noqa: S608, a checked identifier
    return text.strip().rstrip(";")


def _primary_key(path: str, table: str) -> list[str]:
    import duckdb

    schema, _, name = table.rpartition(".")
    with duckdb.connect(path, read_only=True) as connection:
        return [column for (column,) in connection.execute(_KEY, [name, schema or None]).fetchall()]
