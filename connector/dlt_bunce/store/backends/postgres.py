"""The store that several machines share: one schema of a Postgres database."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import adbc_driver_manager

from dlt_bunce.errors import ConfigurationError, StoreError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_STARTING_UP = "57P03"
_NOT_YET = re.compile(
    "starting up|shutting down|in recovery mode|not yet accepting|recovery state|not accepting"
)
"""What a server says that will take connections soon, or again, where libpq names no SQLSTATE."""
_LOST_STATEMENTS = {"26000", "42P05"}
_PAIRS = 5
"""So many times two connections are compared: other clients of a pooler may come in between."""
_direct: set[str] = set()
"""Addresses at which each connection of this process is known to have a server process."""
_TOLD = ("08", "28", "3D", "53", "55", "57")
"""Classes of SQLSTATE whose messages are about the server, and never about a value."""

_POOLED = "a pooler in transaction mode is in between, whose clients share their sessions"
_DIRECT = (
    "Connect to the server itself or to the pooler's session mode, such as port 5432 and not 6543 "
    "at Supabase, or pool_mode = session in PgBouncer."
)
_STRANGER = """
SELECT 1 FROM pg_class AS c
JOIN pg_database AS d ON d.datname = current_database()
JOIN pg_roles AS o ON o.oid = c.relowner
WHERE c.oid = to_regclass($1) AND c.relowner <> d.datdba AND NOT o.rolsuper
  AND NOT pg_has_role(current_user, c.relowner, 'MEMBER')
"""
_MINE = """SELECT pg_has_role(c.relowner, 'USAGE') AS mine FROM pg_class AS c
  WHERE c.oid = to_regclass($1)"""


class Postgres:
    """The database that a `postgresql://…` URL names, with `?schema=` as the schema to use.

    Raises ConfigurationError when the URL cannot be used, or the driver is not installed.
    """

    now = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"
    # a row grows from a claim to what was accepted: with room beside it, it stays on its page and
    # no index has to follow
    tuning: tuple[str, ...] = ("ALTER TABLE bunce_customers SET (fillfactor = 40)",)
    has_table = "SELECT 1 AS n WHERE to_regclass($1) IS NOT NULL"

    def __init__(self, store_url: str, busy_timeout_s: float) -> None:
        parts = urlsplit(store_url)
        query = dict(parse_qsl(parts.query))
        if parts.password or "password" in query:
            # settings are kept in dlt's trace, and arguments are visible in the process list
            raise ConfigurationError(
                "store_url holds a password.",
                remedy="Leave it out, and set PGPASSWORD in the environment or use ~/.pgpass.",
            )
        self._schema = query.pop("schema", None)
        if self._schema is not None and not _NAME.fullmatch(self._schema):
            raise ConfigurationError(
                "The schema of store_url is not a plain name.",
                remedy="Use letters, digits, and _, as in ?schema=bunce.",
            )
        self._url = parts._replace(query=urlencode(query)).geturl()
        where = parts.hostname or query.get("host", "localhost")
        schema = f", schema {self._schema}" if self._schema else ""
        self.name = f"{parts.path.lstrip('/') or 'postgres'} on {where}{schema}"
        self._busy_timeout_s = busy_timeout_s

    def exists(self) -> bool:
        """Whether the schema has our tables."""
        with contextlib.ExitStack() as opened:
            return self.connect(opened, read_only=True) is not None

    def connect(self, opened: contextlib.ExitStack, *, read_only: bool) -> Any:
        """A cursor; waits for a server that is just starting up."""
        try:
            import adbc_driver_postgresql.dbapi as driver
        except ImportError:
            raise ConfigurationError(
                "The driver of Postgres stores is not installed.",
                remedy="pip install 'dlt-bunce[postgres]'",
            ) from None
        until = time.monotonic() + self._busy_timeout_s
        while True:
            try:
                connection = driver.connect(self._url, autocommit=True)
                break
            except adbc_driver_manager.Error as error:
                starting = error.sqlstate == _STARTING_UP or _NOT_YET.search(str(error))
                if not starting or time.monotonic() > until:
                    raise
                time.sleep(0.1)
        opened.enter_context(contextlib.closing(connection))
        cursor = opened.enter_context(contextlib.closing(connection.cursor()))
        if self._url not in _direct:
            with contextlib.closing(driver.connect(self._url, autocommit=True)) as other:
                self._refuse_pooler(connection, other)
            _direct.add(self._url)
        cursor.execute(f"SET lock_timeout = {int(self._busy_timeout_s * 1000)}")
        # intents and fates must outlive a crash of the server: never off, whatever its default
        cursor.execute("SET synchronous_commit = on")
        cursor.execute("SET client_min_messages = warning")
        # a batch is found in the ledger by its key: with the default, made for disks that rotate,
        # the planner reads the whole ledger instead, until that holds a million customers
        cursor.execute("SET random_page_cost = 1")
        cursor.execute("SET jit = off")
        if self._schema:
            cursor.execute(f'SET search_path TO "{self._schema}"')
        else:
            cursor.execute("SELECT CAST(current_schema() AS TEXT) AS name")
            self._schema = cursor.fetch_arrow_table().column("name")[0].as_py()
        if self._schema == "public":
            self._refuse_strangers(cursor)
        if read_only:
            # to look beforehand would take a connection of its own, which is slow to open
            cursor.execute(self.has_table, ("bunce_schema",))
            if not cursor.fetch_arrow_table().num_rows:
                return None
        return cursor

    def _refuse_pooler(self, *connections: Any) -> None:
        """Raise StoreError when two open connections take turns with one server process: then each
        would find the other's temporary tables.
        """
        for _ in range(_PAIRS):
            processes = set()
            for connection in connections:
                with contextlib.closing(connection.cursor()) as cursor:
                    cursor.execute("SELECT pg_backend_pid() AS pid")
                    processes.add(cursor.fetch_arrow_table().column("pid")[0].as_py())
            if len(processes) == 1:
                raise StoreError(
                    f"The store {self.name} cannot be used: {_POOLED}.", remedy=_DIRECT
                )

    def _refuse_strangers(self, cursor: Any) -> None:
        """Raise StoreError when somebody else has made our tables where everybody may make some."""
        cursor.execute(_STRANGER, ("bunce_schema",))
        if cursor.fetch_arrow_table().num_rows:
            raise StoreError(
                f"The tables of the store {self.name} in the schema public belong to a role that "
                "this one is no member of: whoever may make tables there could have made them.",
                remedy="Give the store a schema of its own, such as ?schema=bunce.",
            )

    def is_swapped(self) -> bool:
        """Never: a connection stays with its database."""
        return False

    @property
    def begin(self) -> tuple[str, ...]:
        """One writer at a time, as with the embedded store: nobody deadlocks."""
        lock = f"pg_advisory_xact_lock(hashtext({self._lock()}))"
        return ("BEGIN", f"DO $$ BEGIN PERFORM {lock}; END $$")

    def prepare(self, cursor: Any) -> None:
        """Makes the schema if it is not there; that needs a right which later runs do not need."""
        if self._schema:
            cursor.execute("SELECT 1 WHERE to_regnamespace($1) IS NULL", (f'"{self._schema}"',))
            if cursor.fetch_arrow_table().num_rows:
                cursor.execute(f'CREATE SCHEMA "{self._schema}"')

    def dialect(self, sql: str) -> str:
        """As it is."""
        return sql

    def empty(self, table: str) -> str:
        """Nothing tidies up after a deletion in a temporary table, so it is cut off."""
        return f'TRUNCATE "{table}"'

    def analyze(self, table: str) -> str | None:
        """Always: the planner would take a table that has just grown for a small one."""
        return f'ANALYZE "{table}"'

    @contextlib.contextmanager
    def alone(self, cursor: Any, what: str) -> Iterator[bool]:
        """An advisory lock of this connection, which ends with it."""
        key = f"hashtext({self._lock(what)})"
        cursor.execute(f"SELECT pg_try_advisory_lock({key}) AS locked")
        locked = bool(cursor.fetch_arrow_table().column("locked")[0].as_py())
        try:
            yield locked
        finally:
            if locked:
                cursor.execute(f"SELECT pg_advisory_unlock({key}) AS unlocked")
                cursor.fetch_arrow_table()

    def _lock(self, what: str = "") -> str:
        name = str(self._schema).replace("'", "''")
        return f"'dlt-bunce {name} {what}'"

    def overwrite(self, cursor: Any, tables: Sequence[str]) -> str | None:
        """Writes the tables anew, into other files; only their owner may do that."""
        for table in tables:
            # who may not is only warned by VACUUM
            cursor.execute(_MINE, (table,))
            if not cursor.fetch_arrow_table().column("mine")[0].as_py():
                return (
                    f"this role does not own {table}: what was deleted stays in its pages until "
                    f"the owner runs VACUUM FULL {', '.join(tables)}"
                )
            cursor.execute(f"VACUUM (FULL, ANALYZE) {table}")
        return None

    def explain(self, error: Exception) -> tuple[str, str]:
        """Reason and remedy. Postgres quotes values in its messages, so most stay untold."""
        state = getattr(error, "sqlstate", None) or ""
        text = str(error).splitlines()[0]
        if "Failed to connect" in text:
            reason = text.rpartition("failed: ")[2] or text
            if "translate host name" in text:
                reason = "its host is not known"
            return reason, "Check store_url, the network, and that the server runs."
        if state in {"42501", "3F000"}:
            return "a right is missing", (
                "Grant the role USAGE and CREATE on the schema for the first run, and then SELECT, "
                "INSERT, UPDATE, and DELETE on its tables, and TEMPORARY on the database."
            )
        if state == "25006":
            return "it may only be read", (
                "Point store_url at the primary, or lift default_transaction_read_only."
            )
        if state in _LOST_STATEMENTS or "pooling mode" in text:
            return _POOLED, _DIRECT
        if state == "55P03":
            return "locked", "Another load holds it; wait for that one to end and run again."
        if state.startswith("53"):
            return _message(text), "Free its disk, memory, or connections, and run again."
        if state.startswith(_TOLD) or not state:
            return _message(text), "Run again once the server is well; what is settled is kept."
        return f"SQLSTATE {state}", "Please report this as a defect; the rows at hand are kept."


def _message(text: str) -> str:
    return (
        re.split(r"(?:ERROR|FATAL|PANIC):\s+", text)[-1].rpartition("SQLSTATE")[0]
        or (re.split(r"(?:ERROR|FATAL|PANIC):\s+", text)[-1])
    )
