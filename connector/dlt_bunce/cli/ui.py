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
    help="0 picks a free port.",
)
@click.option("--browser/--no-browser", default=True, help="Whether to open it in a browser.")
@options.store_options
def command(
    port: int, browser: bool, store_url: str | None, account: str | None, as_json: bool
) -> None:
    """Look at runs and dead letters in a browser; replay or discard letters.

    The pages are served on 127.0.0.1 alone, to whoever has the address that is printed: it holds
    a token, since a machine may have other users. Stop with Ctrl-C.
    """
    with reported(), contextlib.ExitStack() as opened:
        try:
            # what pages need later on is missed here, not in the middle of the work
            import python_multipart  # noqa: F401

            from dlt_bunce.workbench.charts import drawing_library
            from dlt_bunce.workbench.server import serve
            from dlt_bunce.workbench.views import Store

            drawing_library()
        except ModuleNotFoundError as error:
            raise missing("ui", "The workbench needs packages that are", error) from None
        from dlt_bunce.store.database import Database

        url, name = options.store_settings(store_url, account)
        with Database(url, read_only=True):
            pass
        store = Store(
            url,
            name,
            options.requests_per_minute(),
            # nobody sits at the terminal to be asked for a key
            client=lambda: options.client(ask=False, store_url=store_url, account=account),
            explain=lambda error: explained(error)[0],
        )

        def ready(address: str) -> None:
            if as_json:
                click.echo(json.dumps({"url": address}))
            else:
                click.echo(f"The workbench of account {name} is at {address}")
                click.echo("Only this machine reaches it. Stop it with Ctrl-C.")
            if browser:
                opened.enter_context(_shown(address))

        try:
            unfinished = serve(store, port, on_ready=ready)
        except OSError as error:
            raise ConfigurationError(
                f"The workbench cannot listen on port {port}: {error.strerror}.",
                remedy="Take a free one: dlt-bunce ui --port 0",
            ) from None
    if unfinished:
        click.echo(
            "A replay or discard was broken off. What is settled is not sent again; do the rest.",
            err=True,
        )
        # its requests in flight would hold the exit for as long as Bunce lets them wait; a kill
        # harms no letter
        sys.stdout.flush()
        os._exit(1)


@contextlib.contextmanager
def _shown(address: str) -> Iterator[None]:
    """Opens a browser by way of a private file: its arguments, with the token, would be seen in
    the list of processes.
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
