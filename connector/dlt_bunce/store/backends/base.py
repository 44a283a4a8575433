"""What tells the two databases apart; everything else about the store is the same SQL."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol
from urllib.parse import urlsplit

from dlt_bunce.errors import ConfigurationError

EXAMPLES = '"sqlite:///bunce.sqlite" or "postgresql://user@host/database?schema=bunce"'


class Engine(Protocol):
    """One database of one kind, named by a `store_url`."""

    name: str
    """For messages: where the store is, without any password."""
    now: str
    """An expression: milliseconds since 1970, by one clock for all who share the store."""
    has_table: str
    """A query that has a row if there is a table named $1."""

    tuning: tuple[str, ...]
    """Statements that follow upon migrations: how this database is to lay our tables out."""

    @property
    def begin(self) -> tuple[str, ...]:
        """Statements that begin a transaction as the only writer."""

    def exists(self) -> bool:
        """Whether there is anything to open."""

    def is_swapped(self) -> bool:
        """Whether what is open is no longer what `store_url` names."""

    def connect(self, opened: contextlib.ExitStack, *, read_only: bool) -> Any:
        """A cursor in autocommit mode; what must be closed afterwards goes into `opened`.

        None when the store is only to be read and is not there.
        """

    def prepare(self, cursor: Any) -> None:
        """Makes what the first migration needs to exist."""

    def dialect(self, sql: str) -> str:
        """The statement as this database takes it."""

    def empty(self, table: str) -> str:
        """The statement that takes all rows out of a temporary table."""

    def analyze(self, table: str) -> str | None:
        """The statement that tells the planner of a table that has grown, if it needs that."""

    def alone(self, cursor: Any, what: str) -> AbstractContextManager[bool]:
        """Holds a lock of that name while the block runs, however the process ends; gives False
        when another process holds it.
        """

    def overwrite(self, cursor: Any, tables: Sequence[str]) -> str | None:
        """Leave no byte of what was deleted from tables in the database's files; why that could
        not be done, if so. Without tables, only what a log still holds is meant.
        """

    def explain(self, error: Exception) -> tuple[str, str]:
        """Why a driver's error came about, without any value, and the remedy."""


def engine(store_url: str, busy_timeout_s: float) -> Engine:
    """The engine that a `store_url` names. Raises ConfigurationError for another kind."""
    scheme = urlsplit(store_url).scheme if "://" in store_url else ""
    if scheme == "sqlite":
        from dlt_bunce.store.backends.sqlite import Sqlite

        return Sqlite(store_url, busy_timeout_s)
    if scheme in {"postgresql", "postgres"}:
        from dlt_bunce.store.backends.postgres import Postgres

        return Postgres(store_url, busy_timeout_s)
    raise ConfigurationError(
        f"store_url has the unknown form {scheme or 'without scheme'!r}.",
        remedy=f"Write for example store_url = {EXAMPLES}.",
    )
