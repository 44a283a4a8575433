"""Selection of rows from a database: a table or a query, and ranges of a column."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dlt_bunce.errors import SourceError

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")


@dataclass(frozen=True)
class Query:
    """What to read from a database: a whole table, or the result of an SQL query.

    Raises SourceError if neither or both are given.
    """

    table: str | None = None
    sql: str | None = None

    def __post_init__(self) -> None:
        if (self.table is None) == (self.sql is None):
            raise SourceError(
                "A database source needs either a table or a query.",
                remedy="Pass --table customers or --query 'SELECT …'.",
            )


@dataclass(frozen=True)
class Range:
    """Rows whose `column` is at least `low` and less than `high`; None means no bound.

    With `nulls`, rows without a value belong to the range, too. The database does the comparison,
    so low and high must have the column's type: aware datetimes for a timestamptz.
    """

    column: str
    low: Any = None
    high: Any = None
    nulls: bool = True

    @property
    def is_typed(self) -> bool:
        """Whether a bound is anything but text, and so has to be bound as the column's type."""
        bounds = [bound for bound in (self.low, self.high) if bound is not None]
        return any(not isinstance(bound, str) for bound in bounds)

    def clause(self, column: Any) -> Any:
        """Return the range as an SQLAlchemy condition on `column`."""
        import sqlalchemy as sa

        if not self.is_typed:
            # SQLite keeps times, and whatever else, as text, which its declared type refuses
            column = sa.type_coerce(column, sa.types.NullType())
        bounds = [] if self.low is None else [column >= _bound(self.low)]
        bounds += [] if self.high is None else [column < _bound(self.high)]
        within = sa.and_(sa.true(), *bounds)
        return sa.or_(within, column.is_(None)) if self.nulls else within

    def text(self) -> tuple[str, list[Any]]:
        """Return the range as SQL with `?` placeholders, and the parameters. Raises SourceError."""
        name = quoted(self.column)
        bounds = {f"{name} >= ?": self.low, f"{name} < ?": self.high}
        given = {condition: value for condition, value in bounds.items() if value is not None}
        within = " AND ".join(given) or "TRUE"
        return f"({within}{f' OR {name} IS NULL' if self.nulls else ''})", list(given.values())


def _bound(value: Any) -> Any:
    import sqlalchemy as sa

    # SQLAlchemy would cast text to a specific type, which would make a comparison with
    # case-insensitive text case-sensitive
    return sa.literal(value, sa.types.NullType()) if isinstance(value, str) else value


def quoted(identifier: str) -> str:
    """Quote a plain identifier, with or without a schema. Raises SourceError for any other."""
    parts = identifier.split(".")
    if not all(_IDENTIFIER.fullmatch(part) for part in parts):
        raise SourceError(
            f"{identifier!r} is not a plain table or column name.",
            remedy="Use a query, where the name can be quoted.",
        )
    return ".".join(f'"{part}"' for part in parts)


def since(ranges: Sequence[Range], column: str | None, last: Any) -> list[Range]:
    """Return the ranges plus the one from the last value of a cursor on `column`."""
    return [*ranges, *([Range(column, low=last)] if column and last is not None else [])]
