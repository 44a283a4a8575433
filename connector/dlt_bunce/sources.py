"""Customers from files and databases as dlt resources, in Arrow tables all the way.

Every function returns a resource whose table is named `customers`, ready for `bunce_adapter`.

What a later run may leave out is remembered for each source by itself: one pipeline pointed at
another table, query, or folder starts there from the beginning. Rows that have the very newest
value of a cursor are read again, as are rows without a value: the ledger knows which of them
have changed, so none is lost and none is sent twice.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dlt
from dlt.extract import DltResource

from dlt_bunce import parquet
from dlt_bunce.errors import SourceError
from dlt_bunce.records.rows import arrow_tables

ROWS = 20_000
"""Rows an Arrow table handed to dlt holds at most."""
TABLE = "customers"
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")


def from_parquet(location: str, *, changed_files_only: bool = False) -> DltResource:
    """Parquet files: a path, a folder, a glob, or a URL such as s3://bucket/customers/*.parquet.

    With `changed_files_only`, later runs of a pipeline read only files that were modified since
    the newest one they have read; a file copied there with an older time would not be seen.
    Credentials of remote stores come from dlt's configuration (`[sources.filesystem.credentials]`).
    Raises SourceError when no local file matches or a file is not Parquet.
    """
    if "://" not in location:
        parquet.check(location)
        location = str(Path(location).resolve())
    from dlt.sources.filesystem import filesystem

    folder, pattern = parquet.split_glob(location)
    files = filesystem(bucket_url=folder, file_glob=pattern)
    if changed_files_only:
        files = files.with_name(_name("files", location))
        files.apply_hints(incremental=dlt.sources.incremental("modification_date"))
    resource: DltResource = (files | dlt.transformer(_batches)).with_name(TABLE)
    return resource


def _batches(files: Iterable[Any]) -> Iterator[Any]:
    for file in files:
        with file.open() as opened:
            yield from parquet.record_batches(opened, ROWS)


def from_sql(
    url: str,
    *,
    table: str | None = None,
    query: str | None = None,
    incremental: str | None = None,
) -> DltResource:
    """A table or a query of any database that SQLAlchemy knows; `incremental` names a column
    that grows, so that later runs read new rows only.

    Raises SourceError when neither or both of `table` and `query` are given.
    """
    import sqlalchemy as sa
    from dlt.sources.sql_database import sql_table

    _one_of(table, query)
    address = sa.make_url(_with_driver(url))
    name = _name(TABLE, address.host, address.database, table, query, incremental)
    if table is not None:
        schema, _, plain = table.rpartition(".")

        def check(reflected: Any) -> None:
            _check_cursor(incremental, list(reflected.columns.keys()))

        resource: DltResource = sql_table(
            credentials=address.render_as_string(hide_password=False),
            table=plain,
            schema=schema or None,
            backend="pyarrow",
            chunk_size=ROWS,
            incremental=_cursor(incremental) if incremental else None,
            table_adapter_callback=check,
        ).with_name(name if incremental else TABLE)
        resource.apply_hints(table_name=TABLE)
        return resource

    def rows(last: Any) -> Iterator[Any]:
        # a colon before a word would otherwise be taken for a parameter
        statement: Any = sa.text((query or "").strip().rstrip(";").replace(":", r"\:") + "\n")
        if incremental is not None and last is not None:
            column: Any = sa.column(incremental)
            inner = statement.columns().subquery("q")
            statement = sa.select(sa.literal_column("*")).select_from(inner)
            statement = statement.where(sa.or_(column >= last, column.is_(None)))
        engine = sa.create_engine(address)
        try:
            with engine.connect().execution_options(stream_results=True, yield_per=ROWS) as link:
                result = link.execute(statement)
                yield from arrow_tables(list(result.keys()), result.partitions(ROWS))
        finally:
            engine.dispose()

    return _resource(rows, incremental, name)


def from_duckdb(
    path: str,
    *,
    table: str | None = None,
    query: str | None = None,
    incremental: str | None = None,
) -> DltResource:
    """A table or a query of a DuckDB file, opened read-only.

    Raises SourceError when the file is missing, or neither or both of `table` and `query` are
    given.
    """
    _one_of(table, query)
    if not Path(path).is_file():
        raise SourceError(f"There is no DuckDB file {path}.", remedy="Check the path.")
    inner = query or f"SELECT * FROM {_quoted(table or '')}"  # noqa: S608, a checked identifier

    def rows(last: Any) -> Iterator[Any]:
        import duckdb

        text, parameters = _since(inner.strip().rstrip(";"), incremental, last)
        with duckdb.connect(path, read_only=True) as connection:
            relation = connection.sql(text, params=parameters)
            yield from relation.to_arrow_reader(ROWS)

    where = str(Path(path).resolve())
    return _resource(rows, incremental, _name(TABLE, where, table, query, incremental))


def from_database(
    url: str,
    *,
    table: str | None = None,
    query: str | None = None,
    incremental: str | None = None,
) -> DltResource:
    """from_duckdb for a duckdb:///… URL, else from_sql."""
    if url.startswith("duckdb:"):
        path = url.removeprefix("duckdb:///")
        return from_duckdb(path, table=table, query=query, incremental=incremental)
    return from_sql(url, table=table, query=query, incremental=incremental)


def open_source(
    location: str, *, table: str | None = None, query: str | None = None
) -> DltResource:
    """The resource that a location names: a path, a glob, s3://…, postgresql://…, duckdb:///…, any
    SQLAlchemy URL, or env:NAME for a URL kept in an environment variable.

    Raises SourceError, also for a URL that holds a password: arguments are visible to everybody
    on the machine.
    """
    if location.startswith("env:"):
        name = location.removeprefix("env:")
        location = os.environ.get(name, "")
        if not location:
            raise SourceError(f"The environment variable {name} is not set.")
    elif "://" in location and urlsplit(location).password:
        raise SourceError(
            "The source's URL holds a password, and arguments are visible in the process list.",
            remedy="Put the URL into an environment variable and write env:NAME instead.",
        )
    scheme = location.split("://", 1)[0] if "://" in location else ""
    if scheme and scheme not in ("s3", "gs", "gcs", "az", "abfss", "file", "memory"):
        return from_database(location, table=table, query=query)
    if table or query:
        raise SourceError("Files have neither tables nor queries.", remedy="Drop --table/--query.")
    return from_parquet(location)


def limited(resource: DltResource, rows: int) -> DltResource:
    """The first `rows` rows of a resource of Arrow tables."""
    left = rows

    def cut(item: Any) -> Any:
        nonlocal left
        taken = item.slice(0, left)
        left -= taken.num_rows
        return taken

    if not resource.is_transformer:
        # reading stops there; files are read to their end, which dlt cannot stop
        resource.add_limit(rows, count_rows=True)
    return resource.add_map(cut).add_filter(lambda item: item.num_rows > 0)


def _resource(
    rows: Callable[[Any], Iterator[Any]], incremental: str | None, name: str
) -> DltResource:
    if incremental is None:
        resource: DltResource = dlt.resource(rows(None), name=TABLE)
        return resource

    @dlt.resource(name=name, table_name=TABLE)
    def since(cursor: Any = _cursor(incremental)) -> Iterator[Any]:  # noqa: B008, dlt finds the cursor by its default
        for table in rows(cursor.last_value):
            _check_cursor(incremental, table.schema.names)
            yield table

    return since()


def _cursor(column: str) -> Any:
    # dlt would drop rows at the newest value that it has seen, by key alone where there is one:
    # a row that changed within the resolution of the cursor would be lost
    return dlt.sources.incremental(column, primary_key=(), on_cursor_value_missing="include")


def _check_cursor(column: str | None, columns: list[str]) -> None:
    if column is not None and column not in columns:
        raise SourceError(
            f"There is no column {column!r} to read new rows by. "
            f"Columns there are: {', '.join(columns)}.",
            remedy="Correct the setting incremental.",
        )


def _name(prefix: str, *parts: str | None) -> str:
    key = "\x1f".join(part or "" for part in parts)
    return f"{prefix}_{blake2b(key.encode(), digest_size=5).hexdigest()}"


def _since(query: str, column: str | None, last: Any) -> tuple[str, list[Any]]:
    if column is None or last is None:
        return query, []
    name = _quoted(column)
    text = f"SELECT * FROM ({query}\n) AS q WHERE {name} >= ? OR {name} IS NULL"  # noqa: S608
    return text, [last]


def _one_of(table: str | None, query: str | None) -> None:
    if (table is None) == (query is None):
        raise SourceError(
            "A database needs a table or a query, not both.",
            remedy="Write --table customers or --query 'SELECT …'.",
        )


def _quoted(identifier: str) -> str:
    parts = identifier.split(".")
    if not all(_IDENTIFIER.fullmatch(part) for part in parts):
        raise SourceError(
            f"{identifier!r} is not a plain table or column name.",
            remedy="Use a query, in which such a name can be quoted.",
        )
    return ".".join(f'"{part}"' for part in parts)


def _with_driver(url: str) -> str:
    """Postgres through psycopg 3, whichever version SQLAlchemy takes by default."""
    return re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", url)
