"""The workbench's HTTP server on loopback."""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from dlt_bunce.workbench.app import create_app
from dlt_bunce.workbench.auth import Auth
from dlt_bunce.workbench.background_jobs import BackgroundJobs
from dlt_bunce.workbench.views import Store

HOST = "127.0.0.1"


def serve(store: Store, port: int, *, on_ready: Callable[[str], None]) -> bool:
    """Serve until interrupted; call `on_ready` with the sign-in address once it listens.

    Returns whether a replay or discard was interrupted. Raises OSError if the port is in use.
    """
    listener = listen(port)
    auth, jobs = Auth(listener.getsockname()[1]), BackgroundJobs()
    on_ready(auth.address)
    with contextlib.suppress(KeyboardInterrupt):
        server(create_app(store, auth, jobs)).run(sockets=[listener])
    return bool(jobs.running)


def server(app: ASGIApp) -> uvicorn.Server:
    """Return a server that logs nothing: URLs hold the sign-in token, errors may hold values."""
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        log_level=logging.CRITICAL,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config)


def listen(port: int) -> socket.socket:
    """Open a socket on loopback; port 0 picks a free one. Raises OSError if the port is in use."""
    return socket.create_server((HOST, port), backlog=64)
