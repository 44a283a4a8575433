"""A connection to the store: Arrow in, Arrow out, short transactions, clear errors."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import adbc_driver_manager
import pyarrow as pa
from typing_extensions import Self

from dlt_bunce.errors import ConfigurationError, StoreError
from dlt_bunce.store.migrations import MIGRATIONS

BUSY_TIMEOUT_S = 60.0
"""How long to wait for another process that is writing, before it counts as locked."""
_BATCH_ROWS = "65536"


def utc_now() -> str:
    """This moment as ISO-8601 text in UTC, to the microsecond."""
    return datetime.now(timezone.utc).isoformat(timespec="microseconds")


def sqlite_path(store_url: str) -> Path:
    """The file that an `sqlite:///…` URL names, relative to the working directory.

    Raises ConfigurationError for a URL of another kind.
    """
    if store_url.startswith(("postgresql://", "postgres://")):
        raise ConfigurationError(
            "store_url names a Postgres database, which this version cannot use as its store yet.",
            remedy='Use the embedded store: store_url = "sqlite:///bunce.sqlite".',
        )
    prefix = "sqlite:///"
    if not store_url.startswith(prefix) or len(store_url) == len(prefix):
        raise ConfigurationError(
            f"store_url has the unknown form {urlsplit(store_url).scheme or 'without scheme'!r}.",
            remedy='Write for example store_url = "sqlite:///bunce.sqlite".',
        )
    return Path(store_url[len(prefix) :])


class Database:
    """One connection, for one thread. Use as a context manager.

    With `read_only` the store must exist and is not changed. Raises StoreError from every method
    when the database cannot do what was asked.
    """

    def __init__(
        self,
        store_url: str,
        *,
        read_only: bool = False,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
    ) -> None:
        self.path = sqlite_path(store_url)
        self.read_only = read_only
        self._busy_timeout_s = busy_timeout_s
        self._open = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with self._translated(), contextlib.ExitStack() as opened:
            self._connect(opened)
            self._migrate()
            self._open = opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> None:
        """Runs one statement that returns no rows."""
        with self._translated():
            self._cursor.execute(_positional(sql), tuple(parameters) or None)

    def query(
        self, sql: str, parameters: Sequence[object] = (), *, schema: pa.Schema | None = None
    ) -> pa.Table:
        """Runs one query; `schema` names the types to cast to, since SQLite guesses them."""
        with self._translated():
            self._cursor.execute(_positional(sql), tuple(parameters) or None)
            table = self._cursor.fetch_arrow_table()
        return table if schema is None else table.cast(schema)

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
        """Runs one query and returns its rows as dicts."""
        rows: list[dict[str, Any]] = self.query(sql, parameters).to_pylist()
        return rows

    def ingest(self, name: str, table: pa.Table) -> None:
        """Puts `table` into a temporary table of this connection, replacing what it held."""
        with self._translated():
            self._cursor.adbc_ingest(name, table, mode="replace", temporary=True)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Runs the block in one transaction that holds the write lock from its start."""
        self.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(StoreError):
                self.execute("ROLLBACK")
            raise

    def _connect(self, opened: contextlib.ExitStack) -> None:
        import adbc_driver_sqlite.dbapi as driver

        if self.read_only:
            if not self.path.exists():
                raise StoreError(
                    f"There is no store at {self.path}.",
                    remedy="It is made by the first load; check store_url and the working "
                    "directory.",
                )
            name = f"{self.path.absolute().as_uri()}?mode=ro"
        else:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            name = str(self.path)
        connection = opened.enter_context(contextlib.closing(driver.connect(name, autocommit=True)))
        self._cursor = opened.enter_context(contextlib.closing(connection.cursor()))
        # the driver takes types from its first batch, where a column may be all null
        self._cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": _BATCH_ROWS})
        self.query(f"PRAGMA busy_timeout={int(self._busy_timeout_s * 1000)}")
        self.execute("PRAGMA temp_store=MEMORY")
        if not self.read_only:
            # WAL lets readers see a consistent state while a load writes. FULL, since an intent
            # that a power cut undoes would let an accepted row be sent again.
            self._use_wal()
            self.execute("PRAGMA synchronous=FULL")

    def _use_wal(self) -> None:
        """Switches a new file over; unlike every other statement, this one does not wait."""
        until = time.monotonic() + self._busy_timeout_s
        while True:
            try:
                self.query("PRAGMA journal_mode=WAL")
            except StoreError as error:  # noqa: PERF203, each turn is a try
                if "locked" not in error.message or time.monotonic() > until:
                    raise
                time.sleep(0.01)
            else:
                return

    def _migrate(self) -> None:
        newest = len(MIGRATIONS)
        if self._version() == newest:
            return
        if self.read_only:
            raise StoreError(
                f"The store {self.path} has not been made or upgraded by this version yet.",
                remedy="The next load does that; check store_url.",
            )
        with self.transaction():
            self.execute("CREATE TABLE IF NOT EXISTS bunce_schema (version BIGINT NOT NULL)")
            for step in MIGRATIONS[self._version() :]:
                for statement in step:
                    self.execute(statement)
            self.execute("DELETE FROM bunce_schema")
            self.execute("INSERT INTO bunce_schema VALUES ($1)", (newest,))

    def _version(self) -> int:
        """How many migrations the store has seen; raises StoreError when we know fewer."""
        if not self.rows("SELECT name FROM sqlite_master WHERE name = 'bunce_schema'"):
            return 0
        rows = self.rows("SELECT version FROM bunce_schema")
        version = int(rows[0]["version"]) if rows else 0
        if version > len(MIGRATIONS):
            raise StoreError(
                f"The store {self.path} has schema version {version}; this program knows "
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
            reason = str(error).splitlines()[0].rpartition(": ")[2]
            if isinstance(error, OSError):
                reason = error.strerror or type(error).__name__
            elif "failed to open" in str(error):
                reason = "its file cannot be opened or made"
            raise StoreError(
                f"The store {self.path} cannot be used: {reason}.", remedy=_remedy(reason)
            ) from None


def _positional(sql: str) -> str:
    """SQLite counts `$1` by first appearance, like a name; `?1` is what Postgres means by `$1`."""
    return sql.replace("$", "?")


def _remedy(reason: str) -> str:
    lowered = reason.lower()
    if "locked" in lowered or "busy" in lowered:
        return "Another load holds it; wait for that one to end and run again."
    if "full" in lowered or "no space" in lowered:
        return "Free space on its disk and run again; nothing was sent meanwhile."
    if any(word in lowered for word in ("readonly", "read-only", "permission", "opened")):
        return "Make the file and its folder writable for this user and run again."
    if "not a database" in lowered:
        return "store_url names a file of another kind; point it elsewhere."
    return "Check store_url, the folder, and its free space."
