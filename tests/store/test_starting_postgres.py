"""A Postgres server that is starting, stopping, or recovering is waited for, whatever it says."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from urllib.parse import parse_qsl, urlsplit

import pytest

from dlt_bunce.errors import StoreError
from dlt_bunce.store.database import Database

# what Postgres says with 57P03; the second line is the detail
TEXTS = [
    "the database system is starting up",
    "the database system is shutting down",
    "the database system is in recovery mode",
    "the database system is not yet accepting connections\nConsistent recovery state is missing.",
    "the database system is not accepting connections\nHot standby mode is disabled.",
]
_ENCRYPTION = {80877103, 80877104}
"""Requests for SSL and for GSS, which libpq sends before it logs in."""


def refusal(text: str, state: str) -> bytes:
    message, _, detail = text.partition("\n")
    fields = {"S": "FATAL", "V": "FATAL", "C": state, "M": message, "D": detail}
    body = b"".join(k.encode() + v.encode() + b"\0" for k, v in fields.items() if v) + b"\0"
    return b"E" + struct.pack("!I", len(body) + 4) + body


def real_address(url: str) -> tuple[socket.AddressFamily, object]:
    parts = urlsplit(url)
    host = dict(parse_qsl(parts.query)).get("host", parts.hostname or "localhost")
    if host.startswith("/"):
        return socket.AF_UNIX, f"{host}/.s.PGSQL.{parts.port or 5432}"
    return socket.AF_INET, (host, parts.port or 5432)


def passed_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def log_in(client: socket.socket) -> bytes:
    """Return the message with which the client logs in."""
    while True:
        length = client.recv(4, socket.MSG_WAITALL)
        rest = client.recv(struct.unpack("!I", length)[0] - 4, socket.MSG_WAITALL)
        if struct.unpack("!I", rest[:4])[0] not in _ENCRYPTION:
            return length + rest
        client.sendall(b"N")


@contextmanager
def starting(
    url: str, *refusals: bytes, on_login: Callable[[], None] = lambda: None
) -> Iterator[tuple[str, list[bytes], list[bytes]]]:
    """Yield the URL of a server that refuses its first connections, what it has yet to say, and the
    logins so far; it calls `on_login` before it answers one.
    """
    left, logins = list(refusals), list[bytes]()
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def serve(client: socket.socket) -> None:
            with client:
                login = log_in(client)
                logins.append(login)
                on_login()
                if left:
                    client.sendall(left.pop(0))
                    return
                family, address = real_address(url)
                with socket.socket(family) as server:
                    server.connect(address)
                    server.sendall(login)
                    back = threading.Thread(target=passed_on, args=(server, client))
                    back.start()
                    passed_on(client, server)
                    back.join()

        def accept() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    threading.Thread(target=serve, args=(client,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        parts = urlsplit(url)
        query = "&".join(f"{k}={v}" for k, v in parse_qsl(parts.query) if k != "host")
        user = f"{parts.username}@" if parts.username else ""
        here = f"{user}127.0.0.1:{listener.getsockname()[1]}"
        yield parts._replace(netloc=here, query=query).geturl(), left, logins


@pytest.mark.parametrize("text", TEXTS)
def test_a_server_that_will_accept_connections_soon_is_waited_for(
    postgres_store: str, text: str
) -> None:
    with starting(postgres_store, *[refusal(text, "57P03")] * 3) as (url, left, _):
        with Database(url) as db:
            assert db.store_id

        assert left == []


def test_a_server_that_refuses_for_another_reason_is_not(postgres_store: str) -> None:
    full = refusal("sorry, too many clients already", "53300")
    with starting(postgres_store, full, full) as (url, left, _):
        with pytest.raises(StoreError, match="too many clients"), Database(url):
            pass

        assert left == [full]


def test_a_store_that_is_opened_again_is_connected_to_once(postgres_store: str) -> None:
    with starting(postgres_store) as (url, _, logins):
        with Database(url):
            pass
        before = len(logins)
        for _ in range(3):
            with Database(url) as db:
                assert db.store_id

        # the driver would make a second connection each time, and read the catalog
        assert len(logins) - before == 3


def test_threads_connect_one_at_a_time(postgres_store: str) -> None:
    """The driver counts its connections without a lock, and once the count is wrong, closing one
    fails for the rest of the process.
    """
    inside, most = list[int](), list[int]()

    def on_login() -> None:
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.03)
        inside.pop()

    with starting(postgres_store, on_login=on_login) as (url, _, _):
        with Database(url):
            pass
        most.clear()

        def opened(_: int) -> str:
            with Database(url) as db:
                return db.store_id

        with ThreadPoolExecutor(8) as threads:
            found = set(threads.map(opened, range(16)))

    assert (len(found), len(most), max(most)) == (1, 16, 1)


def test_a_connection_that_hangs_holds_up_the_end_of_no_other(
    postgres_store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dlt_bunce.store.backends.postgres_connection.LONGEST_TURN_S", 0.1)
    hangs, go_on = threading.Event(), threading.Event()

    def on_login() -> None:
        if hangs.is_set():
            go_on.wait(60)

    with starting(postgres_store, on_login=on_login) as (url, _, logins):

        def opened() -> None:
            with Database(url):
                pass

        with Database(url):
            before = len(logins)
            hangs.set()
            hanging = threading.Thread(target=opened)
            hanging.start()
            while len(logins) == before:
                time.sleep(0.001)
        # closed by now, although the other one is still at its turn
        alive = hanging.is_alive()
        go_on.set()
        hanging.join(60)

    assert alive
    assert not hanging.is_alive()
