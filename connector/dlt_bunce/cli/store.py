"""The command `dlt-bunce store`."""

from __future__ import annotations

import sys

import click

from dlt_bunce.cli import options, output
from dlt_bunce.cli.failures import reported
from dlt_bunce.cli.printable import echo
from dlt_bunce.errors import UsageError
from dlt_bunce.logs import is_terminal


@click.group("store")
def command() -> None:
    """Move the store from SQLite to Postgres."""


@command.command("move")
@click.argument("new_url", metavar="POSTGRES_URL")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option("--store-url", help="SQLite store to move (default: as configured).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def move(new_url: str, yes: bool, store_url: str | None, as_json: bool) -> None:
    """Copy everything in an SQLite store into an empty store in Postgres.

    No load may run meanwhile. Either everything is copied, or nothing. The SQLite file is renamed
    to NAME.moved.sqlite, so that a load that still points to it does not go on with the old ledger.
    The password belongs in PGPASSWORD or ~/.pgpass, not into the URL.

    Example: dlt-bunce store move "postgresql://loader@db.example.com/crm?schema=bunce"
    """
    with reported():
        from dlt_bunce.store.move import move as copy

        old_url, _ = options.store_settings(store_url, None)
        if not yes:
            if not is_terminal(sys.stdin):
                raise UsageError(options.NO_TERMINAL, remedy="Pass --yes.")
            click.confirm("Move the store? No load may be running.", abort=True, err=True)
        moved = copy(old_url, new_url)
        if as_json:
            output.as_json({"rows": moved.rows, "renamed_to": str(moved.renamed_to)})
            return
        customers = output.counted(moved.rows["bunce_customers"], "customer")
        letters = output.counted(moved.rows["bunce_dead_letters"], "dead letter")
        click.echo(f"Moved {customers} and {letters} to Postgres.")
        echo(f"The SQLite file is now {moved.renamed_to}. Set store_url in every load.")
