"""A cursor of SQLite's driver that is usable after an error."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import adbc_driver_manager


class SqliteCursor:
    """The driver's cursor, of which a failed statement leaves nothing behind.

    ADBC before 1.13, and so whichever fits Python 3.10, gives the reason for a failure only when
    the next statement begins, which then fails as well: a ROLLBACK, for example.
    """

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    def execute(self, *arguments: Any) -> None:
        """Run a statement, as the driver does."""
        with self._told():
            self._cursor.execute(*arguments)

    def adbc_ingest(self, *arguments: Any, **options: Any) -> None:
        """Write Arrow data into a table, as the driver does."""
        with self._told():
            self._cursor.adbc_ingest(*arguments, **options)

    def fetch_arrow_table(self) -> Any:
        """Return the result, as the driver does."""
        with self._told():
            return self._cursor.fetch_arrow_table()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except adbc_driver_manager.Error:
            # raises the reason, if it was not given; its parameter takes the place of those of the
            # failed statement, which would be bound to the next one
            self._cursor.execute("SELECT ?1", (None,))
            raise
