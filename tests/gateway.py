"""Something in front of the emulator that passes requests on and may change their answers."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from dlt_bunce.emulator import Emulator

Answer = tuple[int, bytes]
Alter = Callable[[str, str, int, bytes], Answer]
"""Makes an answer of: the method, the path, and the emulator's status and body."""


@contextmanager
def gateway(emulator: Emulator, alter: Alter, interim: bytes = b"") -> Iterator[str]:
    """Yield the base URL of a gateway; it sends `interim` before each answer to a change."""
    behind = urlsplit(emulator.url)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            sent = {n: self.headers[n] for n in ("Content-Type", "X-Authorization")}
            own = http.client.HTTPConnection(str(behind.hostname), behind.port)
            own.request(self.command, self.path, body or None, {n: v for n, v in sent.items() if v})
            reply = own.getresponse()
            status, content = alter(self.command, self.path, reply.status, reply.read())
            own.close()
            if self.command != "GET":
                self.wfile.write(interim)
                self.wfile.flush()
                # a server at work, for longer than a client waits until it tries again
                time.sleep(1.0 if interim else 0.0)
            self.send_response(status)
            if status != http.client.NO_CONTENT:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_DELETE = _pass_on  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()


def as_json(status: int, document: Any) -> Answer:
    """An answer with a JSON body."""
    return status, json.dumps(document).encode()


def unchanged(_method: str, _path: str, status: int, body: bytes) -> Answer:
    """Change nothing."""
    return status, body
