"""Customers from a table or a query of a database."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from dlt.extract import DltResource

from dlt_bunce.errors import SourceError
from dlt_bunce.records.plain import plain, refuse_twice
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

_INT64 = 2**63
_NO_KEY = re.compile(
    "(BOOL|INTERVAL|HUGEINT|UHUGEINT|ENUM|INET|CIDR|BIT|STRUCT|MAP|JSON)", re.IGNORECASE
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
                refuse_twice(result.keys(), "The query's rows")
                yield from arrow_tables(list(result.keys()), result.partitions(ROWS))

    return resource(rows, incremental, name)


def _from_table(
    address: Any, table: str, incremental: str | None, ranges: Sequence[Range], name: str
) -> DltResource:
    import sqlalchemy as sa
    from dlt.sources.sql_database import sql_table

    schema, _, plain = table.rpartition(".")

    def check(reflected: Any) -> None:
        if address.get_backend_name() == "sqlite":
            _compare_seconds(reflected)
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
        engine_kwargs={"hide_parameters": True, "poolclass": sa.NullPool},
    ).with_name(name if incremental else TABLE)
    found.apply_hints(table_name=TABLE)
    return found


def _compare_seconds(reflected: Any) -> None:
    """Bind times to SQLite without a fraction, so that as texts they precede every time of their
    second: `12:30:05` is less than `12:30:05.000000`.
    """
    from sqlalchemy import DateTime
    from sqlalchemy.dialects.sqlite import DATETIME

    for column in reflected.columns:
        if isinstance(column.type, DateTime):
            column.type = DATETIME(truncate_microseconds=True)  # type: ignore[no-untyped-call]


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
            # of a subquery DuckDB renames the second of two columns
            refuse_twice(connection.sql(inner).columns, "The query's rows")
            relation = connection.sql(text, params=[v for _, values in conditions for v in values])
            yield from map(plain, relation.to_arrow_reader(ROWS))

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
    found = _bounds(url, parts, key, table, query)
    for value in found:
        _refuse_bound(key, value)
    return found


def _refuse_bound(key: str, value: Any) -> None:
    """Raises SourceError for a value by which no database and no plan can divide rows alike."""
    known = isinstance(value, (str, int, float, Decimal, date, UUID)) and not isinstance(
        value, bool
    )
    if isinstance(value, (float, Decimal)):
        known = value == value  # noqa: PLR0124, not a number
    if isinstance(value, int):
        known = known and abs(value) < _INT64
    if not known:
        raise _no_key(key, type(value).__name__)


def _refuse_type(key: str, kind: str) -> None:
    """Raises SourceError for types whose order is not that of their values as parameters."""
    if _NO_KEY.match(kind):
        raise _no_key(key, kind.partition("(")[0])


def _no_key(key: str, kind: str) -> SourceError:
    return SourceError(
        f"Column {key!r} cannot divide rows into shards: it holds {kind} values, or such that are "
        "no numbers.",
        remedy="Name a column of whole numbers, texts, dates, or UUIDs that has an index.",
    )


def _bounds(url: str, parts: int, key: str, table: str | None, query: str | None) -> list[Any]:
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
            _refuse_type(
                key, next(str(type(c["type"]).__name__) for c in found if c["name"] == key)
            )
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
        relation = connection.sql(inner)
        kinds = dict(zip(relation.columns, map(str, relation.types), strict=True))
        _refuse_type(key, kinds.get(key, ""))
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


def _one_of(table: str | None, query: str | None) -> None:
    if (table is None) == (query is None):
        raise SourceError(
            "A database needs a table or a query, not both.",
            remedy="Write --table customers or --query 'SELECT …'.",
        )


def _with_driver(url: str) -> str:
    """Drivers that the extras bring, whichever SQLAlchemy takes by default."""
    url = re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", url)
    return re.sub(r"^(mysql|mariadb)://", r"\1+pymysql://", url)
