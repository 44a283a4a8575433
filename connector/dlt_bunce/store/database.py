"""A connection to the store: Arrow in, Arrow out, short transactions, clear errors."""

from __future__ import annotations

import contextlib
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import adbc_driver_manager
import pyarrow as pa
from typing_extensions import Self

from dlt_bunce.errors import StoreError
from dlt_bunce.store.backends.base import engine
from dlt_bunce.store.migrations import MIGRATIONS

_ANALYZED_ROWS = 1_000
"""Temporary tables above this size are analyzed: below it, any plan will do."""
BUSY_TIMEOUT_S = 60.0
"""How long to wait for another process that is writing, before it counts as locked."""


def utc_now() -> str:
    """This moment as ISO-8601 text in UTC, to the microsecond."""
    return datetime.now(timezone.utc).isoformat(timespec="microseconds")


def utc_days_ago(days: int) -> str:
    """The moment so many days before this one, in the same form."""
    moment = datetime.now(timezone.utc) - timedelta(days=days)
    return moment.isoformat(timespec="microseconds")


class Database:
    """One connection, for one thread. Use as a context manager.

    With `read_only` the store must exist and is not changed; with `expected`, it must be the one of
    that `store_id`. Raises ConfigurationError for a
    `store_url` of an unknown kind, and StoreError from every method when the database cannot do
    what was asked.
    """

    def __init__(
        self,
        store_url: str,
        *,
        read_only: bool = False,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
        expected: str | None = None,
    ) -> None:
        self._url = store_url
        self._expected = expected
        self.store_id = ""
        self._engine = engine(store_url, busy_timeout_s)
        self.read_only = read_only
        self._open = contextlib.ExitStack()
        # those that are made once, and then emptied and filled again
        self._temporary: dict[str, pa.Schema] = {}
        self._analyzed: set[str] = set()

    def another(self) -> Database:
        """A second connection to the same store, for another thread; not open yet."""
        return Database(self._url, expected=self._expected)

    def exists(self) -> bool:
        """Whether there is a store of any version; nothing needs to be open for that."""
        with self._translated():
            return self._engine.exists()

    def __enter__(self) -> Self:
        with self._translated(), contextlib.ExitStack() as opened:
            self._cursor = self._engine.connect(opened, read_only=self.read_only)
            if self._cursor is None:
                raise StoreError(
                    f"There is no store at {self._engine.name}.",
                    remedy="It is made by the first load; check store_url and the working "
                    "directory.",
                )
            self._migrate()
            self.store_id = self.rows("SELECT id FROM bunce_store")[0]["id"]
            if self._expected not in (None, self.store_id):
                raise self._swapped()
            self._open = opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._temporary.clear()
        with self._translated():
            self._open.close()

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> None:
        """Runs one statement that returns no rows."""
        with self._translated():
            self._cursor.execute(self._engine.dialect(sql), tuple(parameters) or None)

    def query(
        self, sql: str, parameters: Sequence[object] = (), *, schema: pa.Schema | None = None
    ) -> pa.Table:
        """Runs one query; `schema` names the types to cast to, since SQLite guesses them."""
        with self._translated():
            self._cursor.execute(self._engine.dialect(sql), tuple(parameters) or None)
            table = self._cursor.fetch_arrow_table()
        return table if schema is None else table.cast(schema)

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
        """Runs one query and returns its rows as dicts."""
        rows: list[dict[str, Any]] = self.query(sql, parameters).to_pylist()
        return rows

    def ingest(self, name: str, table: pa.Table) -> None:
        """Puts `table` into a temporary table of this connection, replacing what it held."""
        with self._translated():
            made = self._temporary.get(name) == table.schema
            if made:
                self._cursor.execute(self._engine.empty(name))
            mode = "append" if made else "replace"
            self._cursor.adbc_ingest(name, table, mode=mode, temporary=True)
            self._temporary[name] = table.schema
            if not made:
                self._analyzed.discard(name)
            if table.num_rows > _ANALYZED_ROWS and name not in self._analyzed:
                # what is known of these rows holds for those that come later
                self._analyze(name)
                self._analyzed.add(name)

    def analyze(self, *tables: str) -> None:
        """Renews what the database knows of its tables' sizes and values, where it needs that."""
        with self._translated():
            for name in tables:
                self._analyze(name)

    def _analyze(self, table: str) -> None:
        analyze = self._engine.analyze(table)
        if analyze:
            self._cursor.execute(analyze)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Runs the block in one transaction, as the only writer from its start to its end."""
        if self._engine.is_swapped():
            raise self._swapped()
        for statement in self._engine.begin:
            self._begin(statement)
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            self._temporary.clear()
            with contextlib.suppress(StoreError):
                self.execute("ROLLBACK")
            raise

    @contextlib.contextmanager
    def alone(self, what: str) -> Iterator[bool]:
        """Holds a lock named `what` while the block runs; gives False if another process has it."""
        with self._engine.alone(self._cursor, what) as locked:
            yield locked

    def overwrite(self, *tables: str) -> str | None:
        """Leaves no byte of what was deleted from `tables` in the database's files; returns why
        that could not be done, if so.

        Takes as long as writing them anew; others wait meanwhile. Without tables, only what a log
        still holds is meant.
        """
        self._temporary.clear()
        try:
            return self._engine.overwrite(self._cursor, tables)
        except (adbc_driver_manager.Error, OSError) as error:
            # the rows are deleted all the same
            reason, _ = self._engine.explain(error)
            return f"{reason}; run the same command again"

    @property
    def now(self) -> str:
        """An SQL expression: milliseconds since 1970, by one clock for all who share the store."""
        return self._engine.now

    def now_ms(self) -> int:
        """The same, asked now."""
        return int(self.rows(f"SELECT {self.now} AS now")[0]["now"])

    def has_table(self, name: str) -> bool:
        """Whether there is a table of that name."""
        return bool(self.rows(self._engine.has_table, (name,)))

    def _swapped(self) -> StoreError:
        return StoreError(
            f"The store {self._engine.name} is gone, or another is in its place, since this run "
            "has begun: what was sent could not be noted.",
            remedy="Put it back and run again. Without it, run dlt-bunce adopt first, or all "
            "customers are sent once more.",
        )

    def _begin(self, statement: str) -> None:
        try:
            self.execute(statement)
        except StoreError:
            with contextlib.suppress(StoreError):
                self.execute("ROLLBACK")
            raise

    def _migrate(self) -> None:
        newest = len(MIGRATIONS)
        if self._version() == newest:
            return
        if self.read_only:
            raise StoreError(
                f"The store {self._engine.name} has not been made or upgraded by this version yet.",
                remedy="The next load does that; check store_url.",
            )
        with self.transaction():
            self._engine.prepare(self._cursor)
            if not self.has_table("bunce_schema"):
                self.execute("CREATE TABLE bunce_schema (version BIGINT NOT NULL)")
            for step in MIGRATIONS[self._version() :]:
                for statement in step:
                    self.execute(statement)
            if not self.rows("SELECT 1 AS n FROM bunce_store"):
                self.execute("INSERT INTO bunce_store VALUES ($1)", (secrets.token_hex(16),))
            for statement in self._engine.tuning:
                self.execute(statement)
            self.execute("DELETE FROM bunce_schema")
            self.execute("INSERT INTO bunce_schema VALUES ($1)", (newest,))

    def _version(self) -> int:
        """How many migrations the store has seen; raises StoreError when we know fewer."""
        if not self.has_table("bunce_schema"):
            return 0
        rows = self.rows("SELECT version FROM bunce_schema")
        version = int(rows[0]["version"]) if rows else 0
        if version > len(MIGRATIONS):
            raise StoreError(
                f"The store {self._engine.name} has schema version {version}; this program knows "
                f"versions up to {len(MIGRATIONS)}.",
                remedy="Upgrade with: pip install --upgrade dlt-bunce",
            )
        return version

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """Turns what the driver raises into StoreError, without its text of statements."""
        try:
            yield
        except (adbc_driver_manager.Error, sqlite3.Error, OSError) as error:
            reason, remedy = self._engine.explain(error)
            raise StoreError(
                f"The store {self._engine.name} cannot be used: {reason}.", remedy=remedy
            ) from None
