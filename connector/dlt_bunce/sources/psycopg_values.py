"""Postgres values that Python cannot represent, read as the text that the database writes.

Examples are infinity, the year 44 BC, the year 12000, and 24:00. Such a value in an unmapped column
must not stop a load.
"""

from __future__ import annotations

from typing import Any

from psycopg import Connection, DataError
from psycopg.abc import AdaptContext, Loader
from psycopg.pq import Format

_TYPES = ("date", "timestamp", "timestamptz", "time", "timetz", "interval")


def read_leniently(connection: Connection[Any]) -> None:
    """Make the connection return values that Python cannot represent as text."""
    adapters = connection.adapters
    for name in _TYPES:
        oid = connection.adapters.types[name].oid
        strict = adapters.get_loader(oid, Format.TEXT)
        if strict is not None:
            adapters.register_loader(oid, _lenient(strict))


def _lenient(strict: type[Loader]) -> type[Loader]:
    class Lenient(Loader):
        """The driver's own loader, with text as the fallback."""

        format = Format.TEXT

        def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
            self._strict = strict(oid, context)

        def load(self, data: Any) -> Any:
            """Return a Python value, or the text if there is none."""
            try:
                return self._strict.load(data)
            except (DataError, ValueError, OverflowError):
                return bytes(data).decode()

    return Lenient
