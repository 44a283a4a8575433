"""The interface to SQLite and Postgres; everything else about the store is shared SQL."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol
from urllib.parse import urlsplit

from dlt_bunce.errors import ConfigurationError

EXAMPLES = '"sqlite:///bunce.sqlite" or "postgresql://user@host/database?schema=bunce"'


class Engine(Protocol):
    """A database of one kind, named by a `store_url`."""

    name: str
    """Where the store is, for messages, without any password."""
    now: str
    """An SQL expression for milliseconds since 1970, by one clock for all users of a store."""
    has_table: str
    """A query that returns a row if a table named $1 exists."""

    tuning: tuple[str, ...]
    """Statements to run after migrations, for table layout and planner statistics."""

    @property
    def begin(self) -> tuple[str, ...]:
        """The statements that begin a transaction as the only writer."""

    def exists(self) -> bool:
        """Return whether there is a store to open.

        Raises ConfigurationError for one that was moved elsewhere.
        """

    def is_swapped(self) -> bool:
        """Return whether the open store is no longer the one that `store_url` names."""

    def connect(
        self, opened: contextlib.ExitStack, *, read_only: bool, may_create: bool
    ) -> Any | None:
        """Return a cursor in autocommit mode; whatever must be closed is entered into `opened`.

        Returns None for a store that does not exist, unless it `may_create` one.
        """

    def prepare(self, cursor: Any) -> None:
        """Create what the first migration requires."""

    def dialect(self, sql: str) -> str:
        """Return the statement in this database's dialect."""

    def empty(self, table: str) -> str:
        """Return the statement that empties a temporary table."""

    def analyze(self, table: str) -> str | None:
        """Return the statement that refreshes a table's statistics, or None if there is no need."""

    def alone(self, cursor: Any, name: str) -> AbstractContextManager[bool]:
        """Hold the lock `name` while the block runs; yield False if another process holds it.

        The lock is released however the process ends.
        """

    def overwrite(self, cursor: Any, tables: Sequence[str]) -> str | None:
        """Remove every byte of deleted rows of `tables` from the database's files.

        Returns why that was not possible, or None. Without tables, only the log is emptied.
        """

    def size(self, cursor: Any, table: str) -> int:
        """Return the bytes that a table with its indexes takes up, or the file that holds it."""

    def explain(self, error: Exception) -> tuple[str, str]:
        """Return the reason for a driver's error, without any value, and the remedy."""


def engine(store_url: str, busy_timeout_s: float) -> Engine:
    """Return the engine that a `store_url` names; raise ConfigurationError for any other kind."""
    scheme = urlsplit(store_url).scheme if "://" in store_url else ""
    if scheme == "sqlite":
        from dlt_bunce.store.backends.sqlite import Sqlite

        return Sqlite(store_url, busy_timeout_s)
    if scheme in {"postgresql", "postgres"}:
        from dlt_bunce.store.backends.postgres import Postgres

        return Postgres(store_url, busy_timeout_s)
    problem = f"the unsupported scheme {scheme!r}" if scheme else "no scheme"
    raise ConfigurationError(
        f"store_url has {problem}.",
        remedy=f"Set it like one of these: store_url = {EXAMPLES}",
    )
