"""A part of a table: the rows whose value of a column lies in a range."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dlt_bunce.errors import SourceError

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")


@dataclass(frozen=True)
class Range:
    """Rows whose `column` is at least `low` and less than `high`; None means no bound.

    With `nulls`, rows that have no value belong to the range, too. The database compares, so low
    and high are of the column's type: aware datetimes for a timestamptz.
    """

    column: str
    low: Any = None
    high: Any = None
    nulls: bool = True

    def clause(self, column: Any) -> Any:
        """The range as an SQLAlchemy condition on `column`."""
        import sqlalchemy as sa

        bounds = [] if self.low is None else [column >= _bound(self.low)]
        bounds += [] if self.high is None else [column < _bound(self.high)]
        within = sa.and_(sa.true(), *bounds)
        return sa.or_(within, column.is_(None)) if self.nulls else within

    def text(self) -> tuple[str, list[Any]]:
        """The range as SQL with `?` for parameters, and these. Raises SourceError."""
        name = quoted(self.column)
        bounds = {f"{name} >= ?": self.low, f"{name} < ?": self.high}
        given = {condition: value for condition, value in bounds.items() if value is not None}
        within = " AND ".join(given) or "TRUE"
        return f"({within}{f' OR {name} IS NULL' if self.nulls else ''})", list(given.values())


def _bound(value: Any) -> Any:
    import sqlalchemy as sa

    # SQLAlchemy would cast a text to one type, and a text that is blind to case be compared as if
    # it were not
    return sa.literal(value, sa.types.NullType()) if isinstance(value, str) else value


def quoted(identifier: str) -> str:
    """A plain identifier, with its schema or not, in quotes. Raises SourceError for any other."""
    parts = identifier.split(".")
    if not all(_IDENTIFIER.fullmatch(part) for part in parts):
        raise SourceError(
            f"{identifier!r} is not a plain table or column name.",
            remedy="Use a query, in which such a name can be quoted.",
        )
    return ".".join(f'"{part}"' for part in parts)


def since(ranges: Sequence[Range], column: str | None, last: Any) -> list[Range]:
    """The ranges, and what a cursor on `column` has not yet passed."""
    return [*ranges, *([Range(column, low=last)] if column and last is not None else [])]


def one_of(table: str | None, query: str | None) -> None:
    """Raises SourceError when neither or both are given."""
    if (table is None) == (query is None):
        raise SourceError(
            "A database needs a table or a query, not both.",
            remedy="Write --table customers or --query 'SELECT …'.",
        )
