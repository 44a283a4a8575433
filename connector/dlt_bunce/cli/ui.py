"""The command `dlt-bunce ui`."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import threading
import webbrowser
from collections.abc import Iterator
from html import escape
from pathlib import Path

import click

from dlt_bunce.cli import options
from dlt_bunce.cli.failures import explained, reported
from dlt_bunce.cli.report import missing
from dlt_bunce.errors import ConfigurationError


@click.command("ui")
@click.option(
    "--port",
    default=8766,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port to listen on; 0 picks a free one.",
)
@click.option("--browser/--no-browser", default=True, help="Open the page in a browser.")
@options.store_options
def command(
    port: int, browser: bool, store_url: str | None, account: str | None, as_json: bool
) -> None:
    """Browse runs and dead letters in a web browser; replay or discard dead letters.

    The pages are served on 127.0.0.1 only, to anyone who has the printed address: it contains a
    token, because the machine may have other users. Press Ctrl-C to stop.
    """
    with reported(), contextlib.ExitStack() as opened:
        try:
            # a missing package is reported now, not when a page first needs it
            from dlt_bunce.workbench.charts import drawing_library
            from dlt_bunce.workbench.server import serve
            from dlt_bunce.workbench.store import Store

            drawing_library()
        except ModuleNotFoundError as error:
            raise missing("ui", "the workbench", error) from None
        from dlt_bunce.store.accounts import refuse_unknown_account
        from dlt_bunce.store.database import Database

        url, name = options.store_settings(store_url, account)
        with Database(url, read_only=True) as db:
            refuse_unknown_account(db, name)
        store = Store(
            url,
            name,
            options.requests_per_minute(),
            # the user is at the browser, so a prompt on the terminal would go unseen
            client=lambda: options.client(ask=False, store_url=url, account=name),
            explain=lambda error: explained(error)[0],
        )

        def ready(address: str) -> None:
            if as_json:
                click.echo(json.dumps({"url": address}))
            else:
                click.echo(f"The workbench for account {name} is running at {address}")
                click.echo("It is reachable from this machine only. Press Ctrl-C to stop.")
            if browser:
                opened.enter_context(_shown(address))

        try:
            unfinished = serve(store, port, on_ready=ready)
        except OSError as error:
            raise ConfigurationError(
                f"The workbench cannot listen on port {port}: {error.strerror}.",
                remedy="Use a free port: dlt-bunce ui --port 0",
            ) from None
    if unfinished:
        click.echo(
            "A replay or discard was interrupted. Run it again to finish; settled rows will not be "
            "sent again.",
            err=True,
        )
        # requests in flight could delay the exit for as long as Bunce takes to respond; ending
        # the process here leaves every dead letter intact
        sys.stdout.flush()
        os._exit(1)


@contextlib.contextmanager
def _shown(address: str) -> Iterator[None]:
    """Open a browser through a private file: as an argument, the address with its token would
    show in the process list.
    """
    with tempfile.TemporaryDirectory(prefix="dlt-bunce-", ignore_cleanup_errors=True) as folder:
        page = Path(folder) / "open.html"
        page.touch(0o600)
        page.write_text(
            f'<!doctype html><meta http-equiv="refresh" content="0; url={escape(address)}">'
            f'<title>dlt-bunce</title><a href="{escape(address)}">Open the workbench</a>'
        )
        threading.Thread(target=webbrowser.open, args=(page.as_uri(),), daemon=True).start()
        yield
