"""Stores that are refused: behind a transaction pooler, or created by another role."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from dlt_bunce.errors import StoreError
from dlt_bunce.store.database import Database

Pooler = Callable[[str], str]
PROGRAM = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")


def answers(port: int) -> bool:
    with suppress(OSError), closing(socket.create_connection(("127.0.0.1", port), timeout=1)):
        return True
    return False


@pytest.fixture
def pooler(postgres_url: str) -> Iterator[Pooler]:
    """Start PgBouncer in a pool mode; the value returns the store_url through it."""
    assert PROGRAM, "PgBouncer is missing: make pooler"
    parts = urlsplit(postgres_url)
    folder = Path(parse_qs(parts.query)["host"][0])
    user, database = parts.username, parts.path.lstrip("/")
    # PgBouncer refuses to run as root, and must reach the server's socket
    owner = ["-u", folder.owner()] if os.getuid() == 0 else []
    with ExitStack() as stack:

        def start(mode: str) -> str:
            with closing(socket.socket()) as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            users, settings = folder / f"users.{port}", folder / f"pooler.{port}.ini"
            users.write_text(f'"{user}" ""\n')
            settings.write_text(
                f"[databases]\n{database} = host={folder} user={user}\n"
                f"[pgbouncer]\nlisten_addr=127.0.0.1\nlisten_port={port}\nunix_socket_dir=\n"
                f"auth_type=any\nauth_file={users}\npool_mode={mode}\n"
            )
            for file in (users, settings):
                file.chmod(0o644)
            process = stack.enter_context(
                subprocess.Popen([str(PROGRAM), "-q", *owner, str(settings)])
            )
            stack.callback(process.kill)
            while not answers(port):
                assert process.poll() is None
            return f"postgresql://{user}@127.0.0.1:{port}/{database}?schema=pooled_{mode}"

        yield start


@pytest.mark.parametrize("mode", ["transaction", "statement"])
def test_a_pooler_whose_clients_share_sessions_is_refused(pooler: Pooler, mode: str) -> None:
    url = pooler(mode)

    with pytest.raises(StoreError) as failure, Database(url):
        pass

    assert "a pooler in transaction mode" in str(failure.value)
    assert "pool_mode = session" in failure.value.remedy


def test_a_pooler_whose_clients_have_sessions_is_used(pooler: Pooler) -> None:
    url = pooler("session")

    with Database(url) as first, Database(url) as second:
        assert first.store_id == second.store_id


def test_tables_that_another_role_created_in_public_are_refused(postgres_url: str) -> None:
    stranger, loader = f"stranger_{os.getpid()}", f"loading_{os.getpid()}"
    theirs, ours = (postgres_url.replace("//postgres:@", f"//{n}@") for n in (stranger, loader))
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        for role in (stranger, loader):
            admin.execute(f"CREATE ROLE {role} LOGIN")  # type: ignore[arg-type]
        admin.execute("GRANT CREATE ON SCHEMA public TO PUBLIC")
    with Database(theirs):
        pass
    with psycopg.connect(theirs, autocommit=True) as conn:
        conn.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC")

    with pytest.raises(StoreError) as failure, Database(ours):
        pass
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(f"GRANT {stranger} TO {loader}")  # type: ignore[arg-type]
    with Database(ours) as member:
        assert member.store_id

    assert "not a member of" in str(failure.value)
    assert "?schema=bunce" in failure.value.remedy
