"""The application on a real socket: in a thread for tests, or blocking for the command line."""

from __future__ import annotations

import asyncio
import ipaddress
import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from dlt_bunce.emulator.app import ABORT, create_app
from dlt_bunce.emulator.behavior import Behavior
from dlt_bunce.loopback import http_server, listen

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send
    from typing_extensions import Self

    from dlt_bunce.emulator.attributes import Attributes
    from dlt_bunce.emulator.emulation import Emulation
    from dlt_bunce.emulator.rules import Customer, Row
    from dlt_bunce.emulator.traffic import RequestRecord


class Emulator:
    """An emulated Bunce on a free loopback port for the length of a `with` block.

    Attributes can be read and set while requests are being answered.
    """

    def __init__(self, behavior: Behavior | None = None, *, port: int = 0) -> None:
        """Prepare with these switches; port 0 picks a free port."""
        self._app = create_app(behavior)
        self._emulation: Emulation = self._app.state.emulation
        self._port = port
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Start listening for requests."""
        listener = listen("127.0.0.1", self._port)
        self._port = listener.getsockname()[1]
        self._server = http_server(self._app, _Protocol, server_header=True)
        self._thread = threading.Thread(
            target=self._server.run,
            kwargs={"sockets": [listener]},
            name="dlt-bunce-emulator",
            daemon=True,
        )
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop listening, abandoning requests that hang."""
        if self._server is None or self._thread is None:
            return
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join(timeout=10)

    @property
    def url(self) -> str:
        """URL of the server, with `/_emulator` below it."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def base_url(self) -> str:
        """URL of the API, for the `base_url` of a client."""
        return f"{self.url}/v1"

    @property
    def behavior(self) -> Behavior:
        """The switches; setting them restarts the counting for faults."""
        return self._emulation.behavior

    @behavior.setter
    def behavior(self, behavior: Behavior) -> None:
        self._emulation.behavior = behavior

    @property
    def customers(self) -> dict[str, Customer]:
        """All customers by id, as a copy."""
        return self._emulation.workspace.customers

    @property
    def attributes(self) -> Attributes:
        """Attributes with their values, and segments with their members."""
        return self._emulation.workspace.attributes

    @property
    def requests(self) -> list[RequestRecord]:
        """All requests under /v1, oldest first, as a copy."""
        return self._emulation.traffic.records

    @property
    def times_sent(self) -> dict[str, int]:
        """How often each customer_id was received in a bulk create."""
        return self._emulation.traffic.times_sent

    def stats(self) -> dict[str, Any]:
        """Return all counts as plain JSON values."""
        return self._emulation.stats()

    def seed(self, customers: Iterable[Row]) -> None:
        """Store customers as they are, with no rule applied."""
        self._emulation.seed(customers)

    def reset(self) -> None:
        """Delete customers, requests, and blocks, and restore the initial switches."""
        self._emulation.reset()


def serve(
    host: str = "127.0.0.1",
    port: int = 8765,
    behavior: Behavior | None = None,
    *,
    allow_remote: bool = False,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Answer requests until interrupted; `on_ready` is called with the API's URL once it listens.

    Raises ValueError for a host other than loopback unless `allow_remote` is set: anyone who can
    reach the emulator can read and change its data.
    """
    if not allow_remote and not _is_loopback(host):
        raise ValueError(
            f"{host} is reachable from other machines; use 127.0.0.1, or pass allow_remote=True"
        )
    listener = listen(host, port)
    if on_ready is not None:
        shown = f"[{host}]" if ":" in host else host
        on_ready(f"http://{shown}:{listener.getsockname()[1]}/v1")
    try:
        http_server(create_app(behavior), _Protocol, server_header=True).run(sockets=[listener])
    except KeyboardInterrupt:
        return


class _Protocol(H11Protocol):
    """HTTP protocol with an extension: the app can close the connection without a response."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        app: ASGIApp = self.app

        async def with_abort(scope: Scope, receive: Receive, send: Send) -> None:
            scope.setdefault("extensions", {})[ABORT] = transport.abort
            await app(scope, receive, send)

        self.app = with_abort


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
