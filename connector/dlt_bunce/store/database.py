"""A connection to the store: Arrow in, Arrow out, short transactions, clear errors."""

from __future__ import annotations

import contextlib
import sqlite3
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

BUSY_TIMEOUT_MS = 60_000


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

    Raises StoreError from every method when the database cannot do what was asked.
    """

    def __init__(self, store_url: str, *, read_only: bool = False) -> None:
        self.path = sqlite_path(store_url)
        self.read_only = read_only

    def __enter__(self) -> Self:
        import adbc_driver_sqlite.dbapi as driver

        with self._translated():
            if self.read_only and not self.path.exists():
                raise StoreError(
                    f"There is no store at {self.path}.",
                    remedy="It is made by the first load; check store_url and the working "
                    "directory.",
                )
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.ExitStack() as opened:
                self._connection = driver.connect(str(self.path), autocommit=True)
                opened.callback(self._connection.close)
                self._cursor = self._connection.cursor()
                opened.callback(self._cursor.close)
                self._set_up()
                self._migrate()
                opened.pop_all()
        return self

    def _set_up(self) -> None:
        # WAL lets readers see a consistent state while a load writes. FULL, since an intent that a
        # power cut undoes would let an accepted row be sent again.
        for pragma in (
            f"busy_timeout={BUSY_TIMEOUT_MS}",
            "journal_mode=WAL",
            "synchronous=FULL",
            "temp_store=MEMORY",
        ):
            self._cursor.execute(f"PRAGMA {pragma}")
            with contextlib.suppress(adbc_driver_manager.ProgrammingError):
                self._cursor.fetchall()

    def __exit__(self, *_: object) -> None:
        self._cursor.close()
        self._connection.close()

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
        except BaseException:
            with contextlib.suppress(StoreError):
                self.execute("ROLLBACK")
            raise
        self.execute("COMMIT")

    def _migrate(self) -> None:
        newest = len(MIGRATIONS)
        if self._version() == newest:
            return
        with self.transaction():
            self.execute("CREATE TABLE IF NOT EXISTS bunce_schema (version BIGINT NOT NULL)")
            version = self._version()
            if version > newest:
                raise StoreError(
                    f"The store {self.path} has schema version {version}; this program knows "
                    f"versions up to {newest}.",
                    remedy="Upgrade with: pip install --upgrade dlt-bunce",
                )
            for step in MIGRATIONS[version:]:
                for statement in step:
                    self.execute(statement)
            self.execute("DELETE FROM bunce_schema")
            self.execute("INSERT INTO bunce_schema VALUES ($1)", (newest,))

    def _version(self) -> int:
        found = self.query("SELECT name FROM sqlite_master WHERE name = 'bunce_schema'")
        if not found.num_rows:
            return 0
        versions = self.query("SELECT version FROM bunce_schema").column("version").to_pylist()
        return int(versions[0]) if versions else 0

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """Turns what the driver raises into StoreError, without its text of statements."""
        try:
            yield
        except (adbc_driver_manager.Error, sqlite3.Error, OSError) as error:
            reason = str(error).splitlines()[0]
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
    if "readonly" in lowered or "read-only" in lowered or "permission" in lowered:
        return "Make the file and its folder writable for this user and run again."
    if "not a database" in lowered:
        return "store_url names a file of another kind; point it elsewhere."
    return "Check store_url, the folder, and its free space."
