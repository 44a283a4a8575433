"""The command `dlt-bunce doctor`."""

from __future__ import annotations

import dataclasses
import sys

import click

from dlt_bunce.cli import options, output
from dlt_bunce.cli.failures import reported


@click.command("doctor")
@options.store_options
def command(store_url: str | None, account: str | None, as_json: bool) -> None:
    """Look whether key, host, store, versions, clock, and budget are well.

    One request is sent and nothing is written. Exits with 1 when something would keep a load from
    running.

    Example: dlt-bunce doctor --json
    """
    with reported():
        from dlt_bunce.operations.doctor import diagnose

        client = options.client(store_url=store_url, account=account)
        found = [dataclasses.asdict(one) for one in diagnose(client)]
        if as_json:
            output.as_json(found)
        else:
            output.print_rows(found, ("what", "state", "said", "remedy"), "What a load needs")
        if any(one["state"] == "failed" for one in found):
            sys.exit(1)
