"""Connections to a Postgres server."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, urlencode

import adbc_driver_manager

from dlt_bunce.errors import not_installed

_STARTING_UP = "57P03"
_NOT_YET = re.compile(
    "starting up|shutting down|in recovery mode|not yet accepting|recovery state|not accepting"
)
"""Messages of a server that will accept connections soon, where libpq gives no SQLSTATE."""
_PAIRS = 5
"""How often two connections are compared: other clients of a pooler may interfere."""
_direct: set[str] = set()
"""URLs at which every connection is known to have a server process of its own."""
LONGEST_TURN_S = 10.0
"""How long a thread waits for one that connects: a server may never answer."""
_turns = threading.Lock()
# Turn off what ends a session or a statement that takes its time, as pg_dump does: a role or a
# server may set it for people. A server that has no such setting has none to turn off.
UNLIMITED = """
  set_config('statement_timeout', '0', false),
  set_config('idle_in_transaction_session_timeout', '0', false),
  CASE WHEN current_setting('idle_session_timeout', true) IS NOT NULL
    THEN set_config('idle_session_timeout', '0', false) END,
  CASE WHEN current_setting('transaction_timeout', true) IS NOT NULL
    THEN set_config('transaction_timeout', '0', false) END
"""


@contextmanager
def _turn() -> Iterator[None]:
    """Let one thread at a time open or close a connection: the driver counts them without a lock
    (apache/arrow-adbc issue 4753), and fails to close one when its count has become too low.
    """
    taken = _turns.acquire(timeout=LONGEST_TURN_S)
    try:
        yield
    finally:
        if taken:
            _turns.release()


def split_schema(store_url: str) -> tuple[str, str | None]:
    """Return the URL as drivers take it, and the schema that `?schema=` in it names.

    Not put together from its parts: a URL without a host would lose its slashes.
    """
    url, _, query = store_url.partition("?")
    options = dict(parse_qsl(query))
    schema = options.pop("schema", None)
    return f"{url}?{urlencode(options)}" if options else url, schema


def connected(url: str, timeout_s: float) -> AbstractContextManager[Any]:
    """Return a connection, which closes with the `with` block; wait for a server that is starting.

    Raises the driver's error for any other server, or once `timeout_s` is over.
    """
    until = time.monotonic() + timeout_s
    while True:
        try:
            connection = _connect(url)
            break
        except adbc_driver_manager.Error as error:
            starting = error.sqlstate == _STARTING_UP or _NOT_YET.search(str(error))
            if not starting or time.monotonic() > until:
                raise
            time.sleep(0.1)
    return _closing(connection)


@contextmanager
def _closing(connection: Any) -> Iterator[Any]:
    try:
        yield connection
    finally:
        with _turn():
            connection.close()


def is_direct(url: str, connection: Any) -> bool:
    """Return whether an open connection has a server process of its own, which a second one to the
    same URL shows; it does not if a pooler shares sessions.
    """
    if url not in _direct:
        with _closing(_connect(url)) as other:
            if any(_process(connection) == _process(other) for _ in range(_PAIRS)):
                return False
        _direct.add(url)
    return True


def _process(connection: Any) -> int:
    with closing(connection.cursor()) as cursor:
        cursor.execute("SELECT pg_backend_pid() AS pid")
        return int(cursor.fetch_arrow_table().column("pid")[0].as_py())


def _connect(url: str) -> Any:
    import adbc_driver_manager.dbapi

    with _turn():
        connection = adbc_driver_manager.AdbcConnection(_server(url))
    kept: Any = _KeptOpen()
    return adbc_driver_manager.dbapi.Connection(kept, connection, autocommit=True)


@lru_cache(maxsize=8)
def _server(url: str) -> Any:
    """Return the driver's handle of a server, for which it reads all types from the catalog with a
    connection of its own: twenty times the work of the connection that is asked for.
    """
    try:
        import adbc_driver_postgresql
    except ImportError:
        raise not_installed("The driver for Postgres stores is", "postgres") from None
    return adbc_driver_postgresql.connect(url)


class _KeptOpen:
    """What a connection closes as its database, which later connections go on using."""

    def close(self) -> None:
        pass
