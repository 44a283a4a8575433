"""Move a store from SQLite to Postgres."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlt_bunce.errors import ConfigurationError, StoreError
from dlt_bunce.store.backends.postgres_connection import UNLIMITED, split_schema
from dlt_bunce.store.backends.sqlite_url import file_of, moved_to
from dlt_bunce.store.database import Database
from dlt_bunce.store.erasure import refuse_while_sending
from dlt_bunce.store.schema.descriptions import TABLES

if TYPE_CHECKING:
    import psycopg

_OWN = "bunce_schema"
"""Each store keeps its own version."""


@dataclass(frozen=True)
class Moved:
    """Rows copied by table, and what the SQLite file is called now."""

    rows: Mapping[str, int]
    renamed_to: Path


def move(old_url: str, new_url: str) -> Moved:
    """Copy every table of an SQLite store into an empty store in Postgres, in one transaction, and
    rename the file.

    Raises ConfigurationError for other kinds of stores, RunInProgressError while a load sends, and
    StoreError if there is no store to move, the new one has rows, or the file cannot be renamed
    without replacing another.
    """
    path = file_of(old_url)
    if path is None or not new_url.startswith(("postgresql://", "postgres://")):
        raise ConfigurationError(
            "A store is moved from SQLite to Postgres.",
            remedy='For example: dlt-bunce store move "postgresql://loader@host/crm?schema=bunce"',
        )
    # raises if there is no store, which opening it for writing would create
    with Database(old_url, read_only=True) as db:
        for account in db.rows("SELECT account FROM bunce_accounts"):
            refuse_while_sending(db, account["account"])
    if path.is_symlink():
        # loads may name the file itself, or have other links to it
        path = path.resolve()
    renamed = moved_to(path)
    if renamed.exists():
        raise StoreError(
            f"{path} would be renamed to {renamed}, which exists; nothing was copied.",
            remedy="Move that file elsewhere: it is a store that was moved earlier.",
        )
    with Database(new_url):
        pass
    return Moved(_move(path, new_url, renamed), renamed)


def _move(path: Path, new_url: str, renamed: Path) -> dict[str, int]:
    import psycopg

    new, schema = split_schema(new_url)
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as old:
            old.execute("BEGIN EXCLUSIVE")  # blocks writes by other loads
            with psycopg.connect(new) as to:
                to.execute(f"SELECT {UNLIMITED}")
                if schema:
                    to.execute("SELECT set_config('search_path', %s, true)", (f'"{schema}"',))
                rows = {name: _copy(old, to, name) for name in TABLES.keys() - {_OWN}}
            # once the copy is committed, since the process may be killed in between; and while the
            # file is locked, so that whoever waits for the lock finds it gone
            path.rename(renamed)
            old.execute("ROLLBACK")
            _empty_log(old, path)
    except (sqlite3.Error, psycopg.Error) as error:
        state = getattr(error, "sqlstate", None)
        # the message may hold a value of a row
        reason = type(error).__name__ + (f", SQLSTATE {state}" if state else "")
        raise StoreError(
            f"The store could not be copied ({reason}); nothing was changed.",
            remedy="Check both stores with: dlt-bunce status --store-url URL",
        ) from None
    except OSError as error:
        raise StoreError(
            f"The store was copied, but {path} was not renamed ({type(error).__name__}).",
            remedy=f"Rename it to {renamed} before anything else writes to it.",
        ) from None
    return rows


def _empty_log(old: sqlite3.Connection, path: Path) -> None:
    """Write the last pages of the log into the file, which SQLite does not do with a renamed one
    as it closes it, and remove the files that were beside it.
    """
    (busy, _, _) = old.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    for side in () if busy else ("-wal", "-shm"):
        path.with_name(path.name + side).unlink(missing_ok=True)


def _copy(old: sqlite3.Connection, new: psycopg.Connection[Any], name: str) -> int:
    from psycopg import sql

    table = sql.Identifier(name)
    if name == "bunce_store":  # its id goes along
        new.execute(sql.SQL("DELETE FROM {}").format(table))
    if new.execute(sql.SQL("SELECT 1 FROM {} LIMIT 1").format(table)).fetchone():
        raise StoreError(
            f"{name} in Postgres already has rows; nothing was copied.",
            remedy="Name an empty schema, or drop this one if an earlier move was interrupted.",
        )
    found = old.execute(f'SELECT * FROM "{name}"')  # noqa: S608, names of our own
    columns = sql.SQL(", ").join(sql.Identifier(column[0]) for column in found.description)
    count = 0
    with new.cursor().copy(sql.SQL("COPY {} ({}) FROM STDIN").format(table, columns)) as copy:
        for row in found:
            copy.write_row(row)
            count += 1
    new.execute(sql.SQL("ANALYZE {}").format(table))
    return count
