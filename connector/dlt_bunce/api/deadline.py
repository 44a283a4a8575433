"""One deadline for a whole request, whatever the server does with it.

A time-out of `requests` starts anew with every byte that arrives, so a server that sends one now
and then, or keeps saying `100 Continue`, would never meet it.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from dlt_bunce.api.final_response import FinalResponse

_current = threading.local()


class Deadline:
    """The end of one request: its connection is shut down then. `is_past` afterwards."""

    def __init__(self) -> None:
        self.is_past = False
        self._connections: list[HTTPConnection] = []

    def watch(self, connection: HTTPConnection) -> None:
        """Note a connection that the request uses."""
        self._connections.append(connection)

    def expire(self) -> None:
        """End the request, from another thread: its reads return as if the server had hung up."""
        self.is_past = True
        for connection in self._connections:
            sock = connection.sock
            if sock is not None:
                # not SSLSocket's own, which would wait for the other side
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)


@contextlib.contextmanager
def deadline(seconds: float) -> Iterator[Deadline]:
    """End whatever this thread requests in the block after so many seconds."""
    end = Deadline()
    timer = threading.Timer(seconds, end.expire)
    timer.daemon = True
    timer.start()
    _current.deadline = end
    try:
        yield end
    finally:
        _current.deadline = None
        timer.cancel()


class _Watched(HTTPConnection):
    """Connections that tell the deadline of their thread that they are in use."""

    response_class = FinalResponse

    def connect(self) -> None:
        _watch(self)
        super().connect()

    def request(self, *args: Any, **kwargs: Any) -> None:
        _watch(self)
        super().request(*args, **kwargs)


class _WatchedTls(HTTPSConnection):
    response_class = FinalResponse

    def connect(self) -> None:
        _watch(self)
        super().connect()

    def request(self, *args: Any, **kwargs: Any) -> None:
        _watch(self)
        super().request(*args, **kwargs)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Watched


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedTls


class DeadlineAdapter(HTTPAdapter):
    """An adapter of `requests` whose connections keep to deadlines, through proxies as well."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Use connections that can be ended."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Use connections that can be ended."""
        manager = super().proxy_manager_for(proxy, **kwargs)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
        return manager


def _watch(connection: HTTPConnection) -> None:
    current: Deadline | None = getattr(_current, "deadline", None)
    if current is not None:
        current.watch(connection)
