"""Whatever a server does with a request, it ends by its deadline, and memory stays bounded."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from dlt_bunce.api import client
from dlt_bunce.api.client import Session
from dlt_bunce.api.rate_limit import TokenBucket
from dlt_bunce.api.retry import RetryPolicy

Serve = Callable[[socket.socket], None]
BODY = b'{"customers":[]}'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@contextmanager
def server(serve: Serve) -> Iterator[str]:
    """A server on loopback that answers each connection as told."""
    listener = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                connection.recv(65_536)
                serve(connection)

    threading.Thread(target=run, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    finally:
        listener.close()


def session(base_url: str, timeout_s: float = 0.3) -> Session:
    retry = RetryPolicy(attempts=1)
    return Session(base_url, "sk_test_x", pace=TokenBucket(0), timeout_s=timeout_s, retry=retry)


def drip_head(connection: socket.socket) -> None:
    for byte in HEAD * 1_000:
        connection.sendall(bytes([byte]))
        time.sleep(0.05)


def drip_body(connection: socket.socket) -> None:
    connection.sendall(HEAD + b"Content-Length: 1000000\r\n\r\n")
    while True:
        connection.sendall(b" ")
        time.sleep(0.05)


def drip_chunks(connection: socket.socket) -> None:
    connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"1\r\n \r\n")
        time.sleep(0.05)


def continue_flood(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")


def silence(connection: socket.socket) -> None:
    time.sleep(30)


@pytest.mark.parametrize("serve", [drip_head, drip_body, drip_chunks, continue_flood, silence])
def test_a_request_ends_by_its_deadline(serve: Serve) -> None:
    with server(serve) as base_url:
        talking = session(base_url)
        started = time.monotonic()

        reply = talking.send("create", BODY)

        # a deadline of 0.6 s: without one, none of these would ever end
        assert time.monotonic() - started < 10
        assert reply is not None
        assert (reply.arrival, reply.reason) == ("lost", "no answer in time")
        talking.close()


def test_a_connection_is_used_again_after_a_request_that_took_its_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer = json.dumps({"success": True, "data": []}).encode()

    def slow(connection: socket.socket) -> None:
        for _ in range(3):
            time.sleep(0.2)
            head = HEAD + f"Content-Length: {len(answer)}\r\n\r\n".encode()
            connection.sendall(head + answer)
            connection.recv(65_536)

    with server(slow) as base_url:
        talking = session(base_url, timeout_s=0.3)
        replies = [talking.send("create", BODY) for _ in range(3)]
        talking.close()

    assert [reply and reply.status for reply in replies] == [200, 200, 200]


@pytest.mark.parametrize("packed", [True, False])
def test_an_answer_that_is_too_large_is_not_read_whole(
    packed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "MAX_ANSWER_BYTES", 1_000_000)
    sent = 0

    def huge(connection: socket.socket) -> None:
        nonlocal sent
        if packed:
            bomb = gzip.compress(b" " * 500_000_000, 9)
            head = HEAD + b"Content-Encoding: gzip\r\n"
            connection.sendall(head + f"Content-Length: {len(bomb)}\r\n\r\n".encode() + bomb)
            return
        connection.sendall(HEAD + b"Content-Length: 1000000000\r\n\r\n")
        while sent < 1_000_000_000:
            connection.sendall(b" " * 65_536)
            sent += 65_536

    with server(huge) as base_url:
        talking = session(base_url, timeout_s=30.0)
        reply = talking.send("create", BODY)
        talking.close()

    assert reply is not None
    assert reply.arrival == "lost"
    assert "an answer of more than 1,000,000 bytes" in reply.reason
    assert sent < 100_000_000
