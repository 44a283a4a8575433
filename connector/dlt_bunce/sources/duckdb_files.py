"""Customers from DuckDB files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from dlt.extract import DltResource

from dlt_bunce.errors import SourceError
from dlt_bunce.records.plain import plain, refuse_twice
from dlt_bunce.sources.ranges import Range, one_of, quoted, since
from dlt_bunce.sources.resources import ROWS, TABLE, resource, resource_name

_KEY = """SELECT unnest(constraint_column_names) FROM duckdb_constraints()
WHERE constraint_type = 'PRIMARY KEY' AND table_name = ? AND schema_name = coalesce(?, 'main')
AND database_name = current_database()"""


def from_duckdb(
    path: str,
    *,
    table: str | None = None,
    query: str | None = None,
    incremental: str | None = None,
    ranges: Sequence[Range] = (),
) -> DltResource:
    """A table or a query of a DuckDB file, opened read-only; else as `from_sql`.

    Raises SourceError when the file is missing, or neither or both of `table` and `query` are
    given.
    """
    inner = query_of(path, table, query)

    def rows(last: Any) -> Iterator[Any]:
        import duckdb

        conditions = [chosen.text() for chosen in since(ranges, incremental, last)]
        where = " AND ".join(condition for condition, _ in conditions)
        text = f"SELECT * FROM ({inner}\n) AS q WHERE {where}" if where else inner  # noqa: S608
        with duckdb.connect(path, read_only=True) as connection:
            # of a subquery DuckDB renames the second of two columns
            refuse_twice(connection.sql(inner).columns, "The query's rows")
            relation = connection.sql(text, params=[v for _, values in conditions for v in values])
            yield from map(plain, relation.to_arrow_reader(ROWS))

    where = str(Path(path).resolve())
    found = resource(rows, incremental, resource_name(TABLE, where, table, query, incremental))
    if table is not None and (key := _key(path, table)):
        found.apply_hints(primary_key=key)
    return found


def query_of(path: str, table: str | None, query: str | None) -> str:
    """The query itself, or that of a whole table. Raises SourceError for a file that is not."""
    one_of(table, query)
    if not Path(path).is_file():
        raise SourceError(f"There is no DuckDB file {path}.", remedy="Check the path.")
    text = query or f"SELECT * FROM {quoted(table or '')}"  # noqa: S608, a checked identifier
    return text.strip().rstrip(";")


def _key(path: str, table: str) -> list[str]:
    import duckdb

    schema, _, name = table.rpartition(".")
    with duckdb.connect(path, read_only=True) as connection:
        return [column for (column,) in connection.execute(_KEY, [name, schema or None]).fetchall()]
