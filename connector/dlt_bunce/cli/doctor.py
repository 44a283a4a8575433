"""The command `dlt-bunce doctor`."""

from __future__ import annotations

import sys

import click

from dlt_bunce.cli import options, output
from dlt_bunce.cli.failures import reported
from dlt_bunce.cli.pasteable import pasteable
from dlt_bunce.failures import failure_of


@click.command("doctor")
@options.store_options
def command(store_url: str | None, account: str | None, as_json: bool) -> None:
    """Check the API key, host, store, versions, clock, and rate limit, and whether Bunce has the
    attributes and segments that are configured.

    Sends one request, and a few more for attributes and segments; writes nothing. Exits with 1 if
    something would prevent a load from running.

    Example: dlt-bunce doctor --json
    """
    with reported():
        from dlt_bunce.operations.doctor import diagnose, without_client

        try:
            client = options.client(ask=not as_json, store_url=store_url, account=account)
        except Exception as error:  # noqa: BLE001, without settings the other checks still count
            findings = list(
                without_client(failure_of(error), *options.store_settings(store_url, account))
            )
        else:
            findings = list(diagnose(client))
        if as_json:
            output.as_json(
                [
                    {"name": f.name, "state": f.state, "detail": f.detail, "remedy": f.remedy}
                    for f in findings
                ]
            )
        else:
            columns = ("name", "state", "detail", "remedy")
            rows = [vars(f) | {"remedy": pasteable(f.remedy or "")} for f in findings]
            output.print_rows(rows, columns, "Checks")
        if any(finding.state == "failed" for finding in findings):
            sys.exit(1)
