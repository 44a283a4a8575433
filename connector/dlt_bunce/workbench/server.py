"""The workbench's HTTP server on loopback."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from dlt_bunce.loopback import http_server, listen
from dlt_bunce.workbench.app import create_app
from dlt_bunce.workbench.auth import Auth
from dlt_bunce.workbench.background_jobs import BackgroundJobs
from dlt_bunce.workbench.store import Store

HOST = "127.0.0.1"


def serve(store: Store, port: int, *, on_ready: Callable[[str], None]) -> bool:
    """Serve until interrupted; call `on_ready` with the sign-in address once it listens.

    Returns whether a replay or discard was interrupted. Raises OSError if the port is in use.
    """
    listener = listen(HOST, port)
    auth, jobs = Auth(listener.getsockname()[1]), BackgroundJobs()
    on_ready(auth.address)
    with contextlib.suppress(KeyboardInterrupt):
        http_server(create_app(store, auth, jobs)).run(sockets=[listener])
    return bool(jobs.running)
