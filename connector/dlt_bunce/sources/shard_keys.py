"""Bounds of the shards of a database: values of a column, in the order of the database."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from math import isfinite
from typing import Any
from uuid import UUID

from dlt_bunce.errors import SourceError
from dlt_bunce.sources import duckdb_files
from dlt_bunce.sources.ranges import Query, quoted
from dlt_bunce.sources.resources import check_column
from dlt_bunce.sources.sql import connected, query_text, with_driver

_INT64 = 2**63
_UNSUITABLE_TYPE = re.compile(
    "(BOOL|INTERVAL|HUGEINT|UHUGEINT|ENUM|INET|CIDR|BIT|STRUCT|MAP|JSON)", re.IGNORECASE
)


def key_bounds(url: str, parts: int, key: str, query: Query) -> list[Any]:
    """Return the values of `key` at which `parts` parts of about equal size begin, but the first.

    The database counts and orders the keys; if the column has an index, it reads only the index.
    """
    bounds = _bounds(url, parts, key, query)
    for bound in bounds:
        _refuse_bound(key, bound)
    return bounds


def _refuse_bound(key: str, value: Any) -> None:
    """Raise SourceError for a value that cannot be a bound: not comparable or not storable."""
    is_supported = isinstance(value, (str, int, float, Decimal, date, UUID)) and not isinstance(
        value, bool
    )
    if isinstance(value, (float, Decimal)):
        # the plan's JSON has no infinite numbers: the shard would have no end
        is_supported = isfinite(value)
    if isinstance(value, int):
        is_supported = is_supported and abs(value) < _INT64
    if not is_supported:
        kind = type(value).__name__
        is_number = isinstance(value, (float, Decimal))
        raise _no_key(key, f"{kind} values{' that are infinite, or NaN' if is_number else ''}")


def _refuse_type(key: str, kind: str) -> None:
    """Raise SourceError for types that compare differently when passed as parameters."""
    if _UNSUITABLE_TYPE.match(kind):
        raise _no_key(key, f"{kind.partition('(')[0]} values")


def _no_key(key: str, values: str) -> SourceError:
    return SourceError(
        f"Column {key!r} cannot be a shard key: it contains {values}.",
        remedy="Use an indexed column of whole numbers, text, dates, or UUIDs.",
    )


def _bounds(url: str, parts: int, key: str, query: Query) -> list[Any]:
    if url.startswith("duckdb:"):
        return _duckdb_bounds(url.removeprefix("duckdb:///"), parts, key, query)
    import sqlalchemy as sa

    with connected(sa.make_url(with_driver(url))) as link:
        if query.table is None:
            rows: Any = query_text(query.sql or "").columns(sa.column(key)).subquery("q")
        else:
            schema, _, plain = query.table.rpartition(".")
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


def _duckdb_bounds(path: str, parts: int, key: str, query: Query) -> list[Any]:
    import duckdb

    inner, name = duckdb_files.query_text(path, query), quoted(key)
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
    """Return the positions, from 1, at which parts begin; fewer if there are fewer rows."""
    return sorted({part * count // parts + 1 for part in range(1, parts)} - {1, count + 1})
