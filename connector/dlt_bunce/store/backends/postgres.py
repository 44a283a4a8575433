"""The store that several machines can share: one schema of a Postgres database."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import adbc_driver_manager

from dlt_bunce.errors import ConfigurationError, StoreError
from dlt_bunce.store.backends.postgres_connection import (
    UNLIMITED,
    connected,
    is_direct,
    split_schema,
)
from dlt_bunce.store.backends.remedies import INCOMPLETE, LOCKED

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_LOST_STATEMENTS = {"26000", "42P05"}
_MISSING_PARTS = {"42P01", "42703", "3F000"}
"""A table, a column, or a schema: their messages name what is ours."""
_SHOWN = ("08", "28", "3D", "53", "55", "57")
"""Classes of SQLSTATE whose messages are about the server and never contain a value."""

_POOLED = "the connection goes through a pooler in transaction mode, whose clients share sessions"
_DIRECT = (
    "Connect to the server directly, or use the pooler's session mode: port 5432 instead of 6543 "
    "at Supabase, or pool_mode = session in PgBouncer."
)
# Set up a session, and return the schema that it uses and whether a store is in it.
#
# Intents and fates must survive a server crash, whatever the server's default. A batch is looked up
# in the ledger by key: with the default random_page_cost, meant for spinning disks, the planner
# reads the whole ledger until it has a million customers. A transaction that has waited for
# the lock must see what was written meanwhile, which at other levels of isolation it does not.
_SESSION = f"""
SELECT {UNLIMITED}, set_config('default_transaction_isolation', 'read committed', false),
  set_config('lock_timeout', $1, false), set_config('synchronous_commit', 'on', false),
  set_config('client_min_messages', 'warning', false),
  set_config('random_page_cost', '1', false), set_config('jit', 'off', false),
  set_config('search_path', COALESCE($2, current_setting('search_path')), false),
  CAST(current_schema() AS TEXT) AS name, to_regclass('bunce_schema') IS NOT NULL AS is_store
"""
# Find a table that was created by a role this one does not have to trust.
_STRANGER = """
SELECT 1 FROM pg_class AS c
JOIN pg_database AS d ON d.datname = current_database()
JOIN pg_roles AS o ON o.oid = c.relowner
WHERE c.oid = to_regclass($1) AND c.relowner <> d.datdba AND NOT o.rolsuper
  AND NOT pg_has_role(current_user, c.relowner, 'MEMBER')
"""
# Find a schema in which this role sees no tables.
_HIDDEN = (
    """SELECT 1 WHERE NOT COALESCE(has_schema_privilege(to_regnamespace($1)::oid, 'USAGE'), true)"""
)
# Return whether this role owns a table.
_MINE = """SELECT pg_has_role(c.relowner, 'USAGE') AS mine FROM pg_class AS c
  WHERE c.oid = to_regclass($1)"""


class Postgres:
    """The database that a `postgresql://…` URL names, with `?schema=` as the schema to use.

    Raises ConfigurationError if the URL is not valid or the driver is not installed.
    """

    now = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"
    # a row grows when its claim becomes an accepted customer: with free space on its page, it stays
    # there and no index has to be updated
    tuning: tuple[str, ...] = ("ALTER TABLE bunce_customers SET (fillfactor = 40)",)
    has_table = "SELECT 1 AS n WHERE to_regclass($1) IS NOT NULL"

    def __init__(self, store_url: str, busy_timeout_s: float) -> None:
        parts = urlsplit(store_url)
        query = dict(parse_qsl(parts.query))
        # a / in a password ends the host before the @
        if parts.password or "@" in parts.path or {"password", "sslpassword"} & query.keys():
            # dlt stores settings in its trace, and arguments are visible in the process list
            raise ConfigurationError(
                "store_url contains a password.",
                remedy="Remove it, and set PGPASSWORD in the environment or use ~/.pgpass.",
            )
        self._url, self._schema = split_schema(store_url)
        if self._schema is not None and not _NAME.fullmatch(self._schema):
            raise ConfigurationError(
                "The schema in store_url is not a plain name.",
                remedy="Use letters, digits, and _, as in ?schema=bunce.",
            )
        self._database = parts.path.lstrip("/") or "postgres"
        where = parts.hostname or query.get("host", "localhost")
        schema = f", schema {self._schema}" if self._schema else ""
        self.name = f"{self._database} on {where}{schema}"
        self._busy_timeout_s = busy_timeout_s

    @property
    def _quoted_schema(self) -> str | None:
        return f'"{self._schema}"' if self._schema else None

    def exists(self) -> bool:
        """Return whether the schema has the store's tables."""
        with contextlib.ExitStack() as opened:
            return self.connect(opened, read_only=True, may_create=False) is not None

    def connect(
        self, opened: contextlib.ExitStack, *, read_only: bool, may_create: bool
    ) -> Any | None:
        """Return a cursor; wait for a server that is starting up."""
        connection = opened.enter_context(connected(self._url, self._busy_timeout_s))
        cursor = opened.enter_context(contextlib.closing(connection.cursor()))
        if not is_direct(self._url, connection):
            # clients of one session would find each other's temporary tables
            raise StoreError(f"The store {self.name} cannot be used: {_POOLED}.", remedy=_DIRECT)
        # in one statement: each takes as long as the way to the server and back
        cursor.execute(_SESSION, (str(int(self._busy_timeout_s * 1000)), self._quoted_schema))
        (found,) = cursor.fetch_arrow_table().to_pylist()
        self._schema = self._schema or found["name"]
        if self._schema == "public":
            self._refuse_strangers(cursor)
        if may_create or found["is_store"]:
            return cursor
        self._refuse_hidden(cursor)
        return None

    def _refuse_hidden(self, cursor: Any) -> None:
        """Raise StoreError for a schema whose tables this role may not even see."""
        if self._schema is None:
            return
        cursor.execute(_HIDDEN, (self._quoted_schema,))
        if cursor.fetch_arrow_table().num_rows:
            reason, remedy = _missing(f'USAGE, CREATE ON SCHEMA "{self._schema}"')
            raise StoreError(f"The store {self.name} cannot be used: {reason}.", remedy=remedy)

    def _refuse_strangers(self, cursor: Any) -> None:
        """Raise StoreError if an unrelated role created the tables in the schema public."""
        cursor.execute(_STRANGER, ("bunce_schema",))
        if cursor.fetch_arrow_table().num_rows:
            raise StoreError(
                f"The tables of the store {self.name} in the schema public belong to a role that "
                "this one is not a member of: anyone who may create tables there could have made "
                "them.",
                remedy="Give the store its own schema: add ?schema=bunce to store_url.",
            )

    def is_swapped(self) -> bool:
        """Return False: a connection stays with its database."""
        return False

    @property
    def begin(self) -> tuple[str, ...]:
        """A transaction under an advisory lock: one writer at a time, so nobody deadlocks."""
        lock = f"pg_advisory_xact_lock(hashtext({self._lock()}))"
        return ("BEGIN", f"DO $$ BEGIN PERFORM {lock}; END $$")

    def prepare(self, cursor: Any) -> None:
        """Create the schema if it does not exist, a privilege that later runs do not need."""
        if self._schema:
            cursor.execute("SELECT 1 WHERE to_regnamespace($1) IS NULL", (f'"{self._schema}"',))
            if cursor.fetch_arrow_table().num_rows:
                cursor.execute(f'CREATE SCHEMA "{self._schema}"')

    def dialect(self, sql: str) -> str:
        """Return the statement unchanged."""
        return sql

    def empty(self, table: str) -> str:
        """Return a TRUNCATE, because autovacuum skips temporary tables."""
        return f'TRUNCATE "{table}"'

    def analyze(self, table: str) -> str | None:
        """Return an ANALYZE, or the planner would still assume that the table is small."""
        return f'ANALYZE "{table}"'

    @contextlib.contextmanager
    def alone(self, cursor: Any, name: str) -> Iterator[bool]:
        """Hold an advisory lock of this connection, which ends with it."""
        key = f"hashtext({self._lock(name)})"
        cursor.execute(f"SELECT pg_try_advisory_lock({key}) AS locked")
        locked = bool(cursor.fetch_arrow_table().column("locked")[0].as_py())
        try:
            yield locked
        finally:
            # a connection that was lost meanwhile has ended it
            with contextlib.suppress(adbc_driver_manager.Error):
                if locked:
                    cursor.execute(f"SELECT pg_advisory_unlock({key}) AS unlocked")
                    cursor.fetch_arrow_table()

    def _lock(self, name: str = "") -> str:
        schema = str(self._schema).replace("'", "''")
        return f"'dlt-bunce {schema} {name}'"

    def overwrite(self, cursor: Any, tables: Sequence[str]) -> str | None:
        """Rewrite the tables into new files, which only their owner may do."""
        for table in tables:
            # VACUUM only warns a role that does not own the table
            cursor.execute(_MINE, (table,))
            if not cursor.fetch_arrow_table().column("mine")[0].as_py():
                names = ", ".join(f"{self._schema or 'public'}.{name}" for name in tables)
                megabytes = self.size(cursor, table) / 1e6
                return (
                    f"this role does not own {table} ({megabytes:,.1f} MB), so deleted rows stay "
                    f"in its pages until the owner runs VACUUM FULL {names}"
                )
            cursor.execute(f"VACUUM (FULL, ANALYZE) {table}")
        return None

    def size(self, cursor: Any, table: str) -> int:
        """Return the bytes of a table with its indexes and long values."""
        cursor.execute("SELECT pg_total_relation_size(to_regclass($1)) AS size", (table,))
        return int(cursor.fetch_arrow_table().column("size")[0].as_py())

    def explain(self, error: Exception) -> tuple[str, str]:
        """Return the reason and the remedy, without messages in which Postgres may quote values."""
        state = getattr(error, "sqlstate", None) or ""
        text = str(error).splitlines()[0]
        if "Failed to connect" in text and "permission denied" not in text:
            return _unconnected(text, self._database)
        if denied := _denied(text, self._schema or "public", self._database):
            return denied
        if state == "25006":
            return "it is read-only", (
                "Point store_url at the primary, or turn off default_transaction_read_only."
            )
        if state in _LOST_STATEMENTS or "pooling mode" in text:
            return _POOLED, _DIRECT
        if state in _MISSING_PARTS:
            return f"a part of it is missing: {_message(text).strip()}", INCOMPLETE
        if state == "55P03":
            return "it is locked", LOCKED
        if state.startswith("53"):
            return _message(text), "Free its disk space, memory, or connections and run again."
        if state.startswith(_SHOWN) or not state:
            return _message(text), "Run again once the server is back; settled rows are kept."
        return f"SQLSTATE {state}", "Please report this as a bug; the rows of this load are kept."


def _unconnected(text: str, database: str) -> tuple[str, str]:
    """Return why there is no connection, and the remedy."""
    reason = text.rpartition("failed: ")[2] or text.partition("Failed to connect: ")[2]
    remedy = "Check store_url and the network, and make sure the server is running."
    if "password" in reason:
        remedy = (
            "Set PGPASSWORD in the environment, or the password in ~/.pgpass, and check the user "
            "in store_url."
        )
    elif reason.endswith("does not exist"):
        remedy = "Correct the name in store_url, or let an administrator create it."
        if ' database "' in reason:
            remedy = f'{remedy[:-1]}: CREATE DATABASE "{database}"'
    elif "translate host name" in reason:
        reason = "its host name cannot be resolved"
    return reason, remedy


def _denied(text: str, schema: str, database: str) -> tuple[str, str] | None:
    """Return the missing privilege and the statement that grants it, or None."""
    found = re.search(
        r"permission denied (?:for|to) (.+)|no schema has been selected to create in", text
    )
    if found is None:
        return None
    what = found[1] or ""
    if what.startswith("create temporary tables"):
        grant = f'TEMPORARY ON DATABASE "{database}"'
    elif what.startswith("database"):
        # connecting is refused before anything else; creating the schema is the first run's part
        privilege = "CONNECT" if "Failed to connect" in text else "CREATE"
        grant = f'{privilege} ON DATABASE "{database}"'
    elif what.startswith(("table", "relation")):
        grant = f'SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA "{schema}"'
    else:
        grant = f'USAGE, CREATE ON SCHEMA "{schema}"'
    return _missing(grant)


def _missing(grant: str) -> tuple[str, str]:
    return "a privilege is missing", f"Let an administrator run, with its name: GRANT {grant} TO …"


def _message(text: str) -> str:
    return (
        re.split(r"(?:ERROR|FATAL|PANIC):\s+", text)[-1].rpartition("SQLSTATE")[0]
        or (re.split(r"(?:ERROR|FATAL|PANIC):\s+", text)[-1])
    )
