"""Customers from any database that SQLAlchemy supports."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from dlt.extract import DltResource

from dlt_bunce.errors import SourceError, not_installed
from dlt_bunce.records.rows import arrow_tables
from dlt_bunce.records.text.plain import refuse_twice
from dlt_bunce.sources.outages import raised_when_read
from dlt_bunce.sources.ranges import Query, Range, since
from dlt_bunce.sources.resources import ROWS, TABLE, check_column, resource, resource_name

if TYPE_CHECKING:
    import sqlalchemy as sa

_EXTRAS = {"mariadb": "mysql", "mysql": "mysql", "postgres": "postgres", "postgresql": "postgres"}
"""Scheme to the extra with its driver; others need one that the user chooses."""


@raised_when_read
def from_sql(
    url: str,
    *,
    table: str | None = None,
    query: str | None = None,
    incremental: str | None = None,
    ranges: Sequence[Range] = (),
) -> DltResource:
    """Read a table or a query of any database that SQLAlchemy supports.

    `incremental` names a column whose values grow, so that later runs read only new rows; `ranges`
    restrict the rows that any run reads. Values without an Arrow type become text, as Python or the
    database writes them. Raises SourceError if neither or both of `table` and `query` are given.
    """
    _refuse_without_driver(url)
    import sqlalchemy as sa

    selection = Query(table, query)
    address = sa.make_url(with_driver(url))
    _refuse_missing_file(address)
    name = resource_name(TABLE, address.host, address.database, table, query, incremental)
    if table is not None:
        return _from_table(address, table, incremental, ranges, name)

    def rows(last: Any) -> Iterator[pa.Table]:
        statement = _statement(selection.sql or "", since(ranges, incremental, last))
        yield from _read(address, statement, {})

    return resource(rows, incremental, name)


def _from_table(
    address: sa.URL, table: str, incremental: str | None, ranges: Sequence[Range], name: str
) -> DltResource:
    import sqlalchemy as sa

    with connected(address) as link:
        reflected = reflect(link, table)
    columns = reflected.columns
    compared = {chosen.column for chosen in ranges} | ({incremental} if incremental else set())
    for column in compared:
        check_column(column, list(columns.keys()))
    if address.get_backend_name() == "sqlite":
        _compare_seconds(reflected)
    typed = {chosen.column for chosen in ranges if chosen.is_typed} | {incremental}
    # without SQLAlchemy's conversions, which fail for values that do not match the column type
    plain = [c if c.name in typed else sa.type_coerce(c, sa.types.NullType()) for c in columns]
    selected = sa.select(*(sa.label(c.name, p) for c, p in zip(columns, plain, strict=True)))

    def rows(last: Any) -> Iterator[pa.Table]:
        conditions = [
            chosen.clause(columns[chosen.column]) for chosen in since(ranges, incremental, last)
        ]
        statement = selected.where(*conditions)
        kinds = {incremental: _arrow_type(columns[incremental])} if incremental else {}
        yield from _read(address, statement, {n: kind for n, kind in kinds.items() if kind})

    customers = resource(rows, incremental, name)
    if key := [column.name for column in reflected.primary_key]:
        customers.apply_hints(primary_key=key)
    return customers


def _refuse_missing_file(address: sa.URL) -> None:
    """Raise SourceError for an SQLite file that does not exist: the driver would create it."""
    database = address.database or ""
    if address.get_backend_name() != "sqlite" or database.startswith(("file:", ":memory:")):
        return
    if database and not Path(database).is_file():
        raise SourceError(f"SQLite file {database} does not exist.", remedy="Check the path.")


def reflect(link: sa.Connection, table: str) -> sa.Table:
    """Return a table or view with its columns and key. Raises sqlalchemy's NoSuchTableError."""
    import warnings

    import sqlalchemy as sa

    schema, _, name = table.rpartition(".")
    with warnings.catch_warnings():
        # SQLAlchemy warns about types that it does not know; the driver returns their values
        warnings.simplefilter("ignore", sa.exc.SAWarning)
        return sa.Table(
            name, sa.MetaData(), schema=schema or None, autoload_with=link, resolve_fks=False
        )


def _read(
    address: sa.URL, statement: sa.Executable, kinds: dict[str, pa.DataType]
) -> Iterator[pa.Table]:
    with connected(address) as link:
        streamed = link.execution_options(stream_results=True, yield_per=ROWS)
        with streamed.execute(statement) as result:
            refuse_twice(result.keys(), "The query results")
            yield from arrow_tables(list(result.keys()), result.partitions(ROWS), kinds)


def _arrow_type(column: Any) -> pa.DataType | None:
    """Return the Arrow type of a cursor column, which may be null in all of the first rows."""
    import sqlalchemy as sa

    if isinstance(column.type, sa.DateTime):
        return pa.timestamp("us", "UTC" if column.type.timezone else None)
    for kind, arrow_type in (
        (sa.Date, pa.date32()),
        (sa.Integer, pa.int64()),
        (sa.String, pa.string()),
    ):
        if isinstance(column.type, kind):
            return arrow_type
    return None


def _compare_seconds(reflected: sa.Table) -> None:
    """Bind times to SQLite without a fraction of a second.

    SQLite compares times as text, and `12:30:05` sorts before every time of its second, such as
    `12:30:05.000000`.
    """
    from sqlalchemy import DateTime
    from sqlalchemy.dialects.sqlite import DATETIME

    for column in reflected.columns:
        if isinstance(column.type, DateTime):
            column.type = DATETIME(truncate_microseconds=True)  # type: ignore[no-untyped-call]


def connected(address: sa.URL) -> sa.Connection:
    """Open a connection with an engine of its own, so that nothing stays open afterwards."""
    import sqlalchemy as sa

    # error messages must not contain a customer's key
    engine = sa.create_engine(address, poolclass=sa.NullPool, hide_parameters=True)
    if address.get_driver_name() == "psycopg":
        from dlt_bunce.sources.psycopg_values import read_leniently

        sa.event.listen(engine, "connect", lambda link, _: read_leniently(link))
    return engine.connect()


def query_text(query: str) -> sa.TextClause:
    """Return a query exactly as written, including its colons."""
    import sqlalchemy as sa

    # SQLAlchemy would take a colon before a word for a parameter
    return sa.text(query.strip().rstrip(";").replace(":", r"\:") + "\n")


def _statement(query: str, ranges: Sequence[Range]) -> sa.Executable:
    import sqlalchemy as sa

    statement = query_text(query)
    if not ranges:
        return statement
    inner = statement.columns().subquery("q")
    conditions = [chosen.clause(sa.column(chosen.column)) for chosen in ranges]
    return sa.select(sa.literal_column("*")).select_from(inner).where(*conditions)


def _refuse_without_driver(url: str) -> None:
    """Raise SourceError that names the extra of a database if SQLAlchemy is not installed."""
    if find_spec("sqlalchemy") is None:
        scheme = re.split("[+:]", url, maxsplit=1)[0]
        raise not_installed(
            f"The packages to read {scheme}:// are", _EXTRAS.get(scheme, "sql"), kind=SourceError
        )


def with_driver(url: str) -> str:
    """Return a URL with the driver that the extras install, not SQLAlchemy's default."""
    url = re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", url)
    return re.sub(r"^(mysql|mariadb)://", r"\1+pymysql://", url)
