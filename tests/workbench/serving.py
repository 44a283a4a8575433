"""The workbench in a thread, as `dlt-bunce ui` serves it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from dlt_bunce.cli import options
from dlt_bunce.cli.failures import explained
from dlt_bunce.loopback import http_server, listen
from dlt_bunce.workbench.app import create_app
from dlt_bunce.workbench.auth import Auth
from dlt_bunce.workbench.background_jobs import BackgroundJobs
from dlt_bunce.workbench.store import Store


@contextmanager
def workbench(
    store_url: str, account: str = "default", port: int = 0, users: frozenset[int] | None = None
) -> Iterator[Auth]:
    """Serve the workbench for the block; yields its auth."""
    listener = listen("127.0.0.1", port)
    auth = Auth(listener.getsockname()[1])
    if users is not None:
        auth = replace(auth, users=users)
    store = Store(
        store_url,
        account,
        500,
        client=lambda: options.client(ask=False, store_url=store_url, account=account),
        explain=lambda error: explained(error)[0],
    )
    running = http_server(create_app(store, auth, BackgroundJobs()))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield auth
    finally:
        running.should_exit = True
        thread.join(timeout=10)
