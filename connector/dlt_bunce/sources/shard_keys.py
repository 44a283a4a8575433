"""Where the shards of a database begin: values of a column, as the database orders them."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from dlt_bunce.errors import SourceError
from dlt_bunce.sources.duckdb_files import query_of
from dlt_bunce.sources.ranges import one_of, quoted
from dlt_bunce.sources.resources import check_column
from dlt_bunce.sources.sql import connected, query_text, with_driver

_INT64 = 2**63
_NO_KEY = re.compile(
    "(BOOL|INTERVAL|HUGEINT|UHUGEINT|ENUM|INET|CIDR|BIT|STRUCT|MAP|JSON)", re.IGNORECASE
)


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
    one_of(table, query)
    if url.startswith("duckdb:"):
        return _duckdb_bounds(url.removeprefix("duckdb:///"), parts, key, table, query)
    import sqlalchemy as sa

    with connected(sa.make_url(with_driver(url))) as link:
        if table is None:
            rows: Any = query_text(query or "").columns(sa.column(key)).subquery("q")
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
        count = link.scalar(sa.select(sa.func.count(column))) or 0
        chosen = ordered.c.position.in_(_positions(count, parts))
        found_rows = sa.select(ordered.c[key]).where(chosen).order_by(ordered.c.position)
        return list(link.scalars(found_rows))


def _duckdb_bounds(
    path: str, parts: int, key: str, table: str | None, query: str | None
) -> list[Any]:
    import duckdb

    inner, name = query_of(path, table, query), quoted(key)
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
