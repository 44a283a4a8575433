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
from dlt_bunce.store.schema.creation import statements_from
from dlt_bunce.store.schema.migrations import MIGRATIONS

_ANALYZED_ROWS = 1_000
"""Temporary tables with more rows than this are analyzed; below it, any plan is fast enough."""
BUSY_TIMEOUT_S = 60.0
"""Seconds to wait for another process that is writing before reporting the store as locked."""


def _cast(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Cast a table; SQLite gives a column of nulls a type that need not be castable."""
    columns = []
    for field in schema:
        column = table.column(field.name)
        is_null = column.null_count == len(column)
        columns.append(pa.nulls(len(column), field.type) if is_null else column.cast(field.type))
    return pa.table(columns, schema=schema)


def utc_now() -> str:
    """Return the current time as ISO-8601 text in UTC, to the microsecond."""
    return datetime.now(timezone.utc).isoformat(timespec="microseconds")


def as_utc(moment: datetime) -> str:
    """Return a time with an offset in the format of `utc_now`."""
    return moment.astimezone(timezone.utc).isoformat(timespec="microseconds")


def utc_days_ago(days: int) -> str:
    """Return the time `days` days ago, in the format of `utc_now`; of days beyond any calendar,
    its first.
    """
    with contextlib.suppress(OverflowError):
        return as_utc(datetime.now(timezone.utc) - timedelta(days=days))
    return as_utc(datetime.min.replace(tzinfo=timezone.utc))


class Database:
    """One connection to the store, for one thread; a context manager.

    With `read_only`, the store must exist and is not changed; with `expected`, it must have that
    `store_id`. Raises ConfigurationError for an unsupported `store_url`. Every method raises
    StoreError when the database fails.
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
        # temporary tables by name: created once, then emptied and refilled
        self._temporary: dict[str, pa.Schema] = {}
        self._analyzed: set[str] = set()

    def another(self) -> Database:
        """Return a second connection to the same store, for another thread; it is not open yet."""
        return Database(self._url, read_only=self.read_only, expected=self._expected)

    def exists(self) -> bool:
        """Return whether a store of any version exists; the connection need not be open."""
        with self._translated():
            return self._engine.exists()

    def __enter__(self) -> Self:
        with self._translated(), contextlib.ExitStack() as opened:
            # an empty store would be in the way of the expected one, when that is restored
            may_create = not self.read_only and self._expected is None
            cursor = self._engine.connect(opened, read_only=self.read_only, may_create=may_create)
            if cursor is None and self._expected is not None:
                raise self._swapped()
            if cursor is None:
                raise StoreError(
                    f"No store exists at {self._engine.name}.",
                    remedy="The first load creates it. Check store_url and the working directory.",
                )
            self._cursor = cursor
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
        """Run one statement that returns no rows."""
        with self._translated():
            self._cursor.execute(self._engine.dialect(sql), tuple(parameters) or None)

    def query(
        self, sql: str, parameters: Sequence[object] = (), *, schema: pa.Schema | None = None
    ) -> pa.Table:
        """Run one query; `schema` has the types to cast to, because SQLite guesses them."""
        with self._translated():
            self._cursor.execute(self._engine.dialect(sql), tuple(parameters) or None)
            table = self._cursor.fetch_arrow_table()
        return table if schema is None else _cast(table, schema)

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
        """Run one query and return its rows as dicts."""
        rows: list[dict[str, Any]] = self.query(sql, parameters).to_pylist()
        return rows

    def ingest(self, name: str, table: pa.Table) -> None:
        """Load `table` into a temporary table of this connection, replacing its contents."""
        with self._translated():
            exists = self._temporary.get(name) == table.schema
            if exists:
                self._cursor.execute(self._engine.empty(name))
            mode = "append" if exists else "replace"
            self._cursor.adbc_ingest(name, table, mode=mode, temporary=True)
            self._temporary[name] = table.schema
            if not exists:
                self._analyzed.discard(name)
            if table.num_rows > _ANALYZED_ROWS and name not in self._analyzed:
                # the statistics of these rows serve for later ones as well
                self._analyze(name)
                self._analyzed.add(name)

    def append(self, name: str, table: pa.Table) -> None:
        """Add rows to a temporary table that `ingest` has made."""
        with self._translated():
            self._cursor.adbc_ingest(name, table, mode="append", temporary=True)

    def analyze(self, *tables: str) -> None:
        """Refresh the planner statistics of tables, where the database needs that."""
        with self._translated():
            for name in tables:
                self._analyze(name)

    def _analyze(self, table: str) -> None:
        analyze = self._engine.analyze(table)
        if analyze:
            self._cursor.execute(analyze)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Run the block in one transaction, as the only writer throughout."""
        self._refuse_swapped()
        for statement in self._engine.begin:
            self._begin(statement)
        try:
            # whoever moves the store holds the lock that this has waited for
            self._refuse_swapped()
            yield
            self.execute("COMMIT")
        except BaseException:
            self._temporary.clear()
            with contextlib.suppress(StoreError):
                self.execute("ROLLBACK")
            raise

    @contextlib.contextmanager
    def alone(self, name: str) -> Iterator[bool]:
        """Hold the lock `name` while the block runs; yield False if another process holds it."""
        with self._engine.alone(self._cursor, name) as locked:
            yield locked

    def overwrite(self, *tables: str) -> str | None:
        """Remove every byte of deleted rows of `tables` from the database's files.

        Returns why that was not possible, or None. This rewrites the tables, and others wait
        meanwhile. Without tables, only the log is emptied.
        """
        self._temporary.clear()
        try:
            return self._engine.overwrite(self._cursor, tables)
        except (adbc_driver_manager.Error, OSError) as error:
            # the rows themselves are already deleted
            reason, _ = self._engine.explain(error)
            return f"{reason}; run the same command again"

    def size(self, table: str) -> int:
        """Return the bytes that a table with its indexes takes up, or the file that holds it."""
        with self._translated():
            return self._engine.size(self._cursor, table)

    @property
    def now(self) -> str:
        """An SQL expression for milliseconds since 1970, by one clock for all users of a store."""
        return self._engine.now

    def now_ms(self) -> int:
        """Return the current milliseconds since 1970, by the clock of `now`."""
        return int(self.rows(f"SELECT {self.now} AS now")[0]["now"])

    def utc_now(self) -> str:
        """Return the time by the clock of `now`, in the format of the function `utc_now`."""
        return as_utc(datetime.fromtimestamp(self.now_ms() / 1000, timezone.utc))

    def has_table(self, name: str) -> bool:
        """Return whether a table of that name exists."""
        return bool(self.rows(self._engine.has_table, (name,)))

    def _refuse_swapped(self) -> None:
        if self._engine.is_swapped():
            raise self._swapped()

    def _swapped(self) -> StoreError:
        return StoreError(
            f"The store {self._engine.name} was removed or replaced after this run began, so what "
            "was sent could not be recorded.",
            remedy="Restore it and run again. If you cannot, run dlt-bunce adopt first; otherwise "
            "every customer is sent again.",
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
                f"The store {self._engine.name} has not been created or upgraded by this version "
                "yet.",
                remedy="The next load creates or upgrades it. Check store_url.",
            )
        with self.transaction():
            self._engine.prepare(self._cursor)
            if not self.has_table("bunce_schema"):
                self.execute("CREATE TABLE bunce_schema (version BIGINT NOT NULL)")
            for statement in statements_from(self._version()):
                self.execute(statement)
            if not self.rows("SELECT 1 AS n FROM bunce_store"):
                self.execute("INSERT INTO bunce_store VALUES ($1)", (secrets.token_hex(16),))
            for statement in self._engine.tuning:
                self.execute(statement)
            self.execute("DELETE FROM bunce_schema")
            self.execute("INSERT INTO bunce_schema VALUES ($1)", (newest,))

    def _version(self) -> int:
        """Return how many migrations the store has had; raise StoreError if this code has fewer."""
        if not self.has_table("bunce_schema"):
            return 0
        rows = self.rows("SELECT version FROM bunce_schema")
        version = int(rows[0]["version"]) if rows else 0
        if version > len(MIGRATIONS):
            raise StoreError(
                f"The store {self._engine.name} has schema version {version}; this version of "
                f"dlt-bunce supports versions up to {len(MIGRATIONS)}.",
                remedy="Upgrade it here, too. In an up-to-date clone: pip install --upgrade .",
            )
        return version

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """Translate the driver's errors into StoreError, without the text of statements."""
        try:
            yield
        except (adbc_driver_manager.Error, sqlite3.Error, OSError) as error:
            reason, remedy = self._engine.explain(error)
            raise StoreError(
                f"The store {self._engine.name} cannot be used: {reason}.", remedy=remedy
            ) from None
