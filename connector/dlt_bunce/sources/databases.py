"""Customers from a table or a query of a database."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from dlt.extract import DltResource

from dlt_bunce.errors import SourceError
from dlt_bunce.records.rows import arrow_tables
from dlt_bunce.sources.ranges import Range, quoted
from dlt_bunce.sources.resources import (
    ROWS,
    TABLE,
    check_column,
    new_cursor,
    resource,
    resource_name,
)


def from_sql(
    url: str,
    *,
    table: str | None = None,
    query: str | None = None,
    incremental: str | None = None,
    ranges: Sequence[Range] = (),
) -> DltResource:
    """A table or a query of any database that SQLAlchemy knows; `incremental` names a column
    that grows, so that later runs read new rows only; `ranges` narrow what any run reads.

    Raises SourceError when neither or both of `table` and `query` are given.
    """
    import sqlalchemy as sa

    _one_of(table, query)
    address = sa.make_url(_with_driver(url))
    name = resource_name(TABLE, address.host, address.database, table, query, incremental)
    if table is not None:
        return _from_table(address, table, incremental, ranges, name)

    def rows(last: Any) -> Iterator[Any]:
        statement = _of_query(query or "", _since(ranges, incremental, last))
        with _connected(address) as link:
            streamed = link.execution_options(stream_results=True, yield_per=ROWS)
            with streamed.execute(statement) as result:
                names = list(result.keys())
                _refuse_twice(names)
                yield from arrow_tables(names, result.partitions(ROWS))

    return resource(rows, incremental, name)


def _from_table(
    address: Any, table: str, incremental: str | None, ranges: Sequence[Range], name: str
) -> DltResource:
    from dlt.sources.sql_database import sql_table

    schema, _, plain = table.rpartition(".")

    def check(reflected: Any) -> None:
        for column in (incremental, *(chosen.column for chosen in ranges)):
            check_column(column, list(reflected.columns.keys()))

    def narrow(statement: Any, reflected: Any) -> Any:
        return statement.where(*(chosen.clause(reflected.c[chosen.column]) for chosen in ranges))

    found: DltResource = sql_table(
        credentials=address.render_as_string(hide_password=False),
        table=plain,
        schema=schema or None,
        backend="pyarrow",
        chunk_size=ROWS,
        incremental=new_cursor(incremental) if incremental else None,
        table_adapter_callback=check,
        query_adapter_callback=narrow if ranges else None,
        # what an error says must not hold a customer's key
        engine_kwargs={"hide_parameters": True},
    ).with_name(name if incremental else TABLE)
    found.apply_hints(table_name=TABLE)
    return found


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
    inner = _duckdb_query(path, table, query)

    def rows(last: Any) -> Iterator[Any]:
        import duckdb

        conditions = [chosen.text() for chosen in _since(ranges, incremental, last)]
        where = " AND ".join(condition for condition, _ in conditions)
        text = f"SELECT * FROM ({inner}\n) AS q WHERE {where}" if where else inner  # noqa: S608
        with duckdb.connect(path, read_only=True) as connection:
            relation = connection.sql(text, params=[v for _, values in conditions for v in values])
            yield from relation.to_arrow_reader(ROWS)

    where = str(Path(path).resolve())
    return resource(rows, incremental, resource_name(TABLE, where, table, query, incremental))


def from_database(
    url: str,
    *,
    table: str | None = None,
    query: str | None = None,
    incremental: str | None = None,
    ranges: Sequence[Range] = (),
) -> DltResource:
    """from_duckdb for a duckdb:///… URL, else from_sql."""
    if url.startswith("duckdb:"):
        path = url.removeprefix("duckdb:///")
        return from_duckdb(path, table=table, query=query, incremental=incremental, ranges=ranges)
    return from_sql(url, table=table, query=query, incremental=incremental, ranges=ranges)


def key_bounds(
    url: str, parts: int, key: str, *, table: str | None = None, query: str | None = None
) -> list[Any]:
    """The values of `key` at which so many parts of about as many rows begin, but for the first.

    The database counts and orders the keys; where they have an index, that is all it reads.
    """
    _one_of(table, query)
    if url.startswith("duckdb:"):
        return _duckdb_bounds(url.removeprefix("duckdb:///"), parts, key, table, query)
    import sqlalchemy as sa

    with _connected(sa.make_url(_with_driver(url))) as link:
        if table is None:
            rows: Any = _query_text(query or "").columns(sa.column(key)).subquery("q")
        else:
            schema, _, plain = table.rpartition(".")
            found = sa.inspect(link).get_columns(plain, schema=schema or None)
            check_column(key, [column["name"] for column in found])
            rows = sa.table(plain, sa.column(key), schema=schema or None)
        column = rows.c[key]
        position = sa.func.row_number().over(order_by=column).label("position")
        ordered = sa.select(column, position).where(column.is_not(None)).subquery("ordered")
        count = link.scalar(sa.select(sa.func.count(column)))
        chosen = ordered.c.position.in_(_positions(count, parts))
        found_rows = sa.select(ordered.c[key]).where(chosen).order_by(ordered.c.position)
        return list(link.scalars(found_rows))


def _duckdb_bounds(
    path: str, parts: int, key: str, table: str | None, query: str | None
) -> list[Any]:
    import duckdb

    inner, name = _duckdb_query(path, table, query), quoted(key)
    with duckdb.connect(path, read_only=True) as connection:
        counted = f"SELECT count({name}) FROM ({inner}\n) AS q"  # noqa: S608, a checked identifier
        [[count]] = connection.sql(counted).fetchall()
        ordered = (
            f"SELECT {name} AS bound, row_number() OVER (ORDER BY {name}) AS position "  # noqa: S608
            f"FROM ({inner}\n) AS q WHERE {name} IS NOT NULL"
        )
        chosen = ", ".join(str(position) for position in _positions(count, parts)) or "0"
        text = f"SELECT bound FROM ({ordered}) WHERE position IN ({chosen}) ORDER BY position"  # noqa: S608
        return [bound for (bound,) in connection.sql(text).fetchall()]


def _positions(count: int, parts: int) -> list[int]:
    """Where parts begin among so many rows, from 1; fewer where there are fewer rows."""
    return sorted({part * count // parts + 1 for part in range(1, parts)} - {1, count + 1})


def _connected(address: Any) -> Any:
    """A connection; its engine is made for it alone, so that nothing stays open."""
    import sqlalchemy as sa

    return sa.create_engine(address, poolclass=sa.NullPool, hide_parameters=True).connect()


def _of_query(query: str, ranges: Sequence[Range]) -> Any:
    import sqlalchemy as sa

    statement = _query_text(query)
    if not ranges:
        return statement
    inner = statement.columns().subquery("q")
    conditions = [chosen.clause(sa.column(chosen.column)) for chosen in ranges]
    return sa.select(sa.literal_column("*")).select_from(inner).where(*conditions)


def _query_text(query: str) -> Any:
    import sqlalchemy as sa

    # a colon before a word would otherwise be taken for a parameter
    return sa.text(query.strip().rstrip(";").replace(":", r"\:") + "\n")


def _duckdb_query(path: str, table: str | None, query: str | None) -> str:
    _one_of(table, query)
    if not Path(path).is_file():
        raise SourceError(f"There is no DuckDB file {path}.", remedy="Check the path.")
    text = query or f"SELECT * FROM {quoted(table or '')}"  # noqa: S608, a checked identifier
    return text.strip().rstrip(";")


def _since(ranges: Sequence[Range], column: str | None, last: Any) -> list[Range]:
    return [*ranges, *([Range(column, low=last)] if column and last is not None else [])]


def _refuse_twice(names: Sequence[str]) -> None:
    """Raise SourceError for a query that gives two columns one name: the last would win."""
    plain = [re.sub(r":\d+$", "", name) for name in names]  # as SQLite tells them apart
    twice = next((name for name in plain if plain.count(name) > 1), None)
    if twice is not None:
        raise SourceError(
            f"The query gives {plain.count(twice)} columns the name {twice!r}.",
            remedy=f"Name each column, such as: a.{twice} AS other_{twice}",
        )


def _one_of(table: str | None, query: str | None) -> None:
    if (table is None) == (query is None):
        raise SourceError(
            "A database needs a table or a query, not both.",
            remedy="Write --table customers or --query 'SELECT …'.",
        )


def _with_driver(url: str) -> str:
    """Postgres through psycopg 3, whichever version SQLAlchemy takes by default."""
    return re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", url)
