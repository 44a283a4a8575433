"""A real MariaDB server, for tests."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.temporary import folder_of_servers

LOOPBACK = ("--bind-address=127.0.0.1", "--skip-name-resolve")
_PATIENCE_S = 60


@contextmanager
def mysql() -> Iterator[str]:
    """The URL of a server on loopback while the `with` block lasts, without a database."""
    given = os.environ.get("DLT_BUNCE_TEST_MYSQL_URL")
    if given:
        yield given
        return
    path = os.pathsep.join([os.environ["PATH"], "/usr/sbin"])
    programs = [shutil.which(name, path=path) for name in ("mariadb-install-db", "mariadbd")]
    assert all(programs), "The tests need MariaDB: make mysql"
    install, server = map(str, programs)
    with tempfile.TemporaryDirectory(prefix="my-", dir=folder_of_servers()) as folder:
        data, log = Path(folder) / "data", Path(folder) / "log"
        options = ["--no-defaults", f"--user={getpass.getuser()}", f"--datadir={data}"]
        # $TMPDIR may be the folder of the test that happens to need the server first
        options.append(f"--tmpdir={folder}")
        made = [install, *options, "--skip-test-db", "--auth-root-authentication-method=normal"]
        with log.open("wb") as written:
            subprocess.run(made, stdout=written, stderr=written, check=True)
            port = _free_port()
            running = subprocess.Popen(
                [server, *options, f"--port={port}", f"--socket={folder}/socket", *LOOPBACK],
                stdout=written,
                stderr=written,
            )
        try:
            _wait(port, running, log)
            yield f"mysql://root@127.0.0.1:{port}/"
        finally:
            running.terminate()
            running.wait(_PATIENCE_S)


def mysql_execute(url: str, statements: Sequence[str], rows: Sequence[Sequence[Any]] = ()) -> None:
    """Runs statements, the last of them once for each of `rows` if there are any."""
    import pymysql

    parts = urlsplit(url)
    connection = pymysql.connect(
        host=parts.hostname,
        port=parts.port or 0,
        user="root",
        database=parts.path.strip("/") or None,
        charset="utf8mb4",
        autocommit=True,
    )
    with connection, connection.cursor() as cursor:
        for statement in statements[: -1 if rows else None]:
            cursor.execute(statement)
        if rows:
            cursor.executemany(statements[-1], rows)


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _wait(port: int, running: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _PATIENCE_S
    while not _answers(port):
        assert running.poll() is None, log.read_text("utf-8", "replace")
        assert time.monotonic() < end, log.read_text("utf-8", "replace")
        time.sleep(0.1)


def _answers(port: int) -> bool:
    import pymysql

    try:
        pymysql.connect(host="127.0.0.1", port=port, user="root").close()
    except pymysql.OperationalError:
        return False
    return True
