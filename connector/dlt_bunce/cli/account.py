"""The command `dlt-bunce account`."""

from __future__ import annotations

import click

from dlt_bunce.cli import options, output
from dlt_bunce.cli.failures import reported
from dlt_bunce.errors import UsageError


@click.group("account")
def command() -> None:
    """Manage the accounts in the store, one per Bunce workspace."""


@command.command("list")
@options.store_options
def list_accounts(store_url: str | None, account: str | None, as_json: bool) -> None:
    """List the accounts in the store."""
    with reported():
        from dlt_bunce.store.database import Database

        url, _ = options.store_settings(store_url, account)
        with Database(url, read_only=True) as db:
            rows = db.rows(
                "SELECT account, batch_size, created_at FROM bunce_accounts ORDER BY account"
            )
        if as_json:
            output.as_json(rows)
        elif not rows:
            click.echo("The store has no accounts. The first load creates one.")
        else:
            output.print_rows(rows, ("account", "batch_size", "created_at"), "Accounts")


@command.command("rotate")
@options.store_options
def rotate(store_url: str | None, account: str | None, as_json: bool) -> None:
    """Switch the account to the configured API key and base URL, once Bunce accepts the key.

    Use this after a workspace's key was renewed or its host changed. A different workspace needs
    its own account: its customers are not the ones in this ledger.
    """
    with reported():
        from contextlib import closing

        from dlt_bunce.store.accounts import open_account
        from dlt_bunce.store.database import Database

        url, name = options.store_settings(store_url, account)
        with Database(url, read_only=True) as db:
            if not db.rows("SELECT 1 AS n FROM bunce_accounts WHERE account = $1", (name,)):
                raise UsageError(
                    f"Account {name!r} does not exist in the store.",
                    remedy="List the accounts with: dlt-bunce account list",
                )
        client = options.client(store_url=store_url, account=account)
        with closing(client.session()) as session:
            session.check_key()
        config = client.config
        with client.database() as db:
            open_account(
                db, config.account, config.credentials.api_key, host=config.host, rotate=True
            )
        if as_json:
            output.as_json({"account": config.account, "rotated": True})
        else:
            click.echo(f"Account {config.account} now uses the new API key.")


@command.command("forget-versions")
@options.store_options
def forget_versions(store_url: str | None, account: str | None, as_json: bool) -> None:
    """Forget the version recorded for each customer, after the source restarts its versions.

    The next row loaded for a customer then counts as newer, whatever its version. Unchanged
    customers are not sent again.
    """
    with reported():
        from dlt_bunce.store.accounts import refuse_unknown_account
        from dlt_bunce.store.database import Database
        from dlt_bunce.store.version_medians import forget

        url, name = options.store_settings(store_url, account)
        with Database(url, read_only=True) as db:
            refuse_unknown_account(db, name)
        with Database(url) as db, db.transaction():
            forgotten = forget(db, name)
        if as_json:
            output.as_json({"account": name, "forgotten": forgotten})
        else:
            click.echo(
                f"Account {name}: forgot the versions of {output.counted(forgotten, 'customer')}."
            )
