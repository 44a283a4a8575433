"""The embedded store: one file, one writer at a time, nothing to set up."""

from __future__ import annotations

import contextlib
import re
import sqlite3
import time
from collections.abc import Iterator, Sequence
from typing import Any

import adbc_driver_manager

from dlt_bunce.errors import ConfigurationError
from dlt_bunce.store.backends.remedies import INCOMPLETE, LOCKED
from dlt_bunce.store.backends.sqlite_cursor import SqliteCursor
from dlt_bunce.store.backends.sqlite_url import SCHEME, file_of, moved_to

_OPTION = re.compile(r"\?\w+=")
_BATCH_ROWS = "65536"
_CACHE_KIB = 32_768
"""The page cache: index paths to a million keys, and the changes of one transaction."""
_READERS_MS = 2_000
"""How long to wait for readers before leaving the log to the next call."""
_CHECKPOINT_PAGES = 8_192
"""Pages of the log before a checkpoint: pages that change often reach the file only once."""
# Fixed planner statistics of the indexes, whatever the store contains: the number of rows, then how
# many rows share the first column, the first two, and so on. The planner assumes a million rows for
# a temporary table; these numbers are larger, so that joins start with the temporary table.
_STATISTICS = {
    "bunce_customers": {
        "sqlite_autoindex_bunce_customers_1": "100000000 100000000 1",
        "bunce_customers_email": "100000000 100000000 1",
    },
    "bunce_dead_letters": {
        "sqlite_autoindex_bunce_dead_letters_1": "10000000 1",
        "bunce_dead_letters_customer": "10000000 10000000 2 1",
        "bunce_dead_letters_seen": "10000000 10000000 2000000 100 1",
        "bunce_dead_letters_code": "10000000 10000000 2000000 200000 10 1 1 1",
        "bunce_dead_letters_field": "10000000 10000000 2000000 500000 100 1 1 1",
        "bunce_dead_letters_run": "10000000 10000000 10000 10000 100 1 1 1",
    },
}


class Sqlite:
    """The file that an `sqlite:///…` URL names, relative to the working directory.

    Raises ConfigurationError for a URL without a file.
    """

    now = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
    tuning: tuple[str, ...] = (
        # creates the statistics table if it does not exist
        "ANALYZE sqlite_schema",
        "DELETE FROM sqlite_stat1",
        *(
            f"INSERT INTO sqlite_stat1 VALUES ('{table}', '{index}', '{figures}')"  # noqa: S608, ours
            for table, indexes in _STATISTICS.items()
            for index, figures in indexes.items()
        ),
        # makes this connection load the statistics
        "ANALYZE sqlite_schema",
    )
    has_table = "SELECT 1 AS n FROM sqlite_master WHERE name = $1"

    def __init__(self, store_url: str, busy_timeout_s: float) -> None:
        path = file_of(store_url)
        if path is None or store_url == SCHEME:
            raise ConfigurationError(
                "store_url does not name a file.",
                remedy='Set it like this: store_url = "sqlite:///bunce.sqlite"',
            )
        self.path = path
        if str(self.path)[:1] in {"~", "$"} or str(self.path) == ":memory:":
            raise ConfigurationError(
                f"store_url names a file {str(self.path)!r} in the working directory.",
                remedy="Write the path out: neither ~ nor variables are replaced in it, and the "
                "store must be a file that stays.",
            )
        self.name = str(self.path)
        if _OPTION.search(self.name) and not path.exists():
            raise ConfigurationError(
                f"store_url names a file {self.name!r}: SQLite has no options there.",
                remedy=f'Leave them out: store_url = "{_OPTION.split(store_url)[0]}"',
            )
        self._busy_timeout_s = busy_timeout_s
        self._opened: tuple[int, int] | None = None

    def is_swapped(self) -> bool:
        """Return whether the open file is no longer the one at its path.

        SQLite would keep writing to a file that nobody can find again.
        """
        return self._opened is not None and self._opened != self._identity()

    def _identity(self) -> tuple[int, int] | None:
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino

    @property
    def begin(self) -> tuple[str, ...]:
        """A transaction with the write lock from the start: asked for later, it may never come."""
        return ("BEGIN IMMEDIATE",)

    def exists(self) -> bool:
        """Return whether the file exists; raise ConfigurationError for one that was moved, which
        is neither to be looked for nor to be created here.
        """
        if self.path.exists():
            return True
        names = map(moved_to, (self.path, self.path.resolve()))
        if moved := next((name for name in names if name.exists()), None):
            raise ConfigurationError(
                f"The store {self.name} was moved to Postgres. A new one would know no customer, "
                "and all would be sent again.",
                remedy="Set store_url to the database that it was moved to. If it is to begin "
                f"anew, rename {moved}.",
            )
        return False

    def connect(
        self, opened: contextlib.ExitStack, *, read_only: bool, may_create: bool
    ) -> Any | None:
        """Return a cursor; if it `may_create` them, create the file and its folder."""
        import adbc_driver_sqlite.dbapi as driver

        if not self.exists() and not may_create:
            return None
        if read_only:
            name = f"{self.path.absolute().as_uri()}?mode=ro"
        else:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # dead letters contain rows, so no other user may read the file, nor the files that
            # SQLite creates beside it
            self.path.touch(mode=0o600, exist_ok=True)
            name = str(self.path)
        connection = opened.enter_context(contextlib.closing(driver.connect(name, autocommit=True)))
        cursor = SqliteCursor(opened.enter_context(contextlib.closing(connection.cursor())))
        self._opened = self._identity()
        # the driver infers types from its first batch, where a column may be all null
        cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": _BATCH_ROWS})
        _ask(cursor, f"PRAGMA busy_timeout={int(self._busy_timeout_s * 1000)}")
        cursor.execute("PRAGMA temp_store=MEMORY")
        cursor.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
        if not read_only:
            # WAL lets readers see a consistent state while a load writes. FULL, because losing an
            # intent in a power failure would let an accepted row be sent again.
            self._use_wal(cursor)
            cursor.execute("PRAGMA synchronous=FULL")
            # deleted and replaced values are overwritten instead of left in free pages
            _ask(cursor, "PRAGMA main.secure_delete=ON")
            _ask(cursor, f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
        return cursor

    def prepare(self, cursor: Any) -> None:
        """Do nothing: `connect` has created the file."""

    def dialect(self, sql: str) -> str:
        """Return the statement with `?1` for `$1`: SQLite numbers `$1` by first appearance."""
        return sql.replace("$", "?")

    def empty(self, table: str) -> str:
        """Return a DELETE without a condition, which reads no row."""
        return f'DELETE FROM "{table}"'  # noqa: S608, names of our own

    def analyze(self, table: str) -> str | None:
        """Return None: statistics are fixed, so that every store is treated as a large one."""
        return None

    @contextlib.contextmanager
    def alone(self, cursor: Any, name: str) -> Iterator[bool]:
        """Hold a lock on a file beside the store, which ends with the process."""
        path = self.path.with_name(f"{self.path.name}-{name}")
        path.touch(mode=0o600, exist_ok=True)
        lock = sqlite3.connect(path, timeout=0, isolation_level=None)
        with contextlib.closing(lock):
            try:
                lock.execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError:
                yield False
            else:
                yield True

    def overwrite(self, cursor: Any, tables: Sequence[str]) -> str | None:
        """Rewrite the file, without remains of earlier versions of rows."""
        if tables:
            # use a temporary file, because a store may be larger than memory
            cursor.execute("PRAGMA temp_store=FILE")
            cursor.execute("VACUUM")
            cursor.execute("PRAGMA temp_store=MEMORY")
        # wait only briefly, because a reader may take long
        _ask(cursor, f"PRAGMA busy_timeout={_READERS_MS}")
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        busy = cursor.fetch_arrow_table().column("busy")[0].as_py()
        _ask(cursor, f"PRAGMA busy_timeout={int(self._busy_timeout_s * 1000)}")
        if not busy:
            return None
        return (
            f"another process is reading {self.name}, so its -wal file could not be emptied; run "
            "the same command again once it has finished"
        )

    def size(self, cursor: Any, table: str) -> int:
        """Return the bytes of the file, since its tables share their free pages."""
        cursor.execute(
            "SELECT page_count * page_size AS size FROM pragma_page_count, pragma_page_size"
        )
        return int(cursor.fetch_arrow_table().column("size")[0].as_py())

    def explain(self, error: Exception) -> tuple[str, str]:
        """Return the reason and the remedy; SQLite's own messages contain no values."""
        text = str(error).splitlines()[0]
        if missing := re.search("no such (table|column): .+", text):
            return f"a part of it is missing: {missing[0]}", INCOMPLETE
        reason = text.rpartition(": ")[2]
        if isinstance(error, FileNotFoundError):
            reason = "its file cannot be opened or created"
        elif isinstance(error, OSError):
            reason = error.strerror or type(error).__name__
        elif "failed to open" in str(error):
            reason = "its file cannot be opened or created"
        if self.path.is_dir():
            return "it is a folder", "Point store_url at a file, such as bunce.sqlite in it."
        return reason, _remedy(reason, self.name)

    def _use_wal(self, cursor: Any) -> None:
        """Switch a new file to WAL; unlike other statements, this one does not wait for locks."""
        until = time.monotonic() + self._busy_timeout_s
        while True:
            try:
                _ask(cursor, "PRAGMA journal_mode=WAL")
            except adbc_driver_manager.Error as error:  # noqa: PERF203, each iteration may fail
                if "locked" not in str(error) or time.monotonic() > until:
                    raise
                time.sleep(0.01)
            else:
                return


def _ask(cursor: Any, sql: str) -> None:
    cursor.execute(sql)
    cursor.fetch_arrow_table()


def _remedy(reason: str, name: str) -> str:
    lowered = reason.lower()
    if "locked" in lowered or "busy" in lowered:
        return LOCKED
    if "full" in lowered or "no space" in lowered:
        return "Free space on its disk and run again; what is settled is not sent again."
    if any(
        word in lowered
        for word in ("readonly", "read-only", "permission", "opened", "unable to open")
    ):
        return "Make the file and its folder writable for this user and run again."
    if "not a database" in lowered or "malformed" in lowered:
        return (
            f"Point store_url at an SQLite file. If this is the store, it is damaged: move {name}, "
            f"{name}-wal, and {name}-shm away, or what is in these is mixed into the next store. "
            "Restore a backup if there is one; then run dlt-bunce adopt, or else customers are "
            "sent again."
        )
    return "Check store_url, the folder, and the free disk space."
