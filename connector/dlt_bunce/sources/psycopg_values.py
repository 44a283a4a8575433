"""Values of Postgres that Python has no object for: texts, as the database writes them.

Such as infinity, the year 44 BC, the year 12000, and 24:00. One of them in a column that nobody
mapped must not stop a load.
"""

from __future__ import annotations

from typing import Any

from psycopg import Connection, DataError
from psycopg.abc import AdaptContext, Loader
from psycopg.pq import Format

_TYPES = ("date", "timestamp", "timestamptz", "time", "timetz", "interval")


def read_leniently(connection: Connection[Any]) -> None:
    """Make the connection read what Python cannot hold as text, in ISO forms where it may."""
    adapters = connection.adapters
    for name in _TYPES:
        oid = connection.adapters.types[name].oid
        strict = adapters.get_loader(oid, Format.TEXT)
        if strict is not None:
            adapters.register_loader(oid, _lenient(strict))


def _lenient(strict: type[Loader]) -> type[Loader]:
    class Lenient(Loader):
        """The driver's own loader where it can."""

        format = Format.TEXT

        def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
            self._strict = strict(oid, context)

        def load(self, data: Any) -> Any:
            """A value of Python's, or the text."""
            try:
                return self._strict.load(data)
            except (DataError, ValueError, OverflowError):
                return bytes(data).decode()

    return Lenient
