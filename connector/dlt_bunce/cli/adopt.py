"""The command `dlt-bunce adopt`."""

from __future__ import annotations

import dataclasses

import click

from dlt_bunce.cli import options, output
from dlt_bunce.cli.failures import reported


@click.command("adopt")
@click.option("--restart", is_flag=True, help="Begin anew, not where an earlier call stopped.")
@click.option("--new-account", is_flag=True, help="Make the account if the store has it not.")
@options.store_options
def command(
    restart: bool, new_account: bool, store_url: str | None, account: str | None, as_json: bool
) -> None:
    """Take customers whom Bunce has already into the ledger, from Bunce's own listing.

    For a workspace that has customers before its first load: those who are as the source says are
    unchanged from then on, and nobody is sent only to be called "already taken". It keeps to the
    request budget (100 customers a request) and sends no customer. Broken off, the next call goes
    on where this one stopped. A store that has accounts already gets no new one by this command
    unless --new-account is given: a misspelt name would list the workspace once more.
    """
    with reported():
        from dlt_bunce.operations.adopt import adopt
        from dlt_bunce.store.accounts import refuse_unknown_account

        client = options.client(store_url=store_url, account=account)
        if not new_account and client.database().exists():
            with client.database() as db:
                refuse_unknown_account(
                    db, client.config.account, remedy="Correct --account, or add --new-account."
                )
        with output.counting(not as_json, "customers") as count:
            adopted = adopt(client, restart=restart, progress=count)
        if as_json:
            output.as_json(dataclasses.asdict(adopted))
            return
        click.echo(
            f"Adopted {adopted.adopted:,} customers ({adopted.incomplete:,} of them incomplete), "
            f"{adopted.known:,} were known; {adopted.listed:,} listed in {adopted.requests:,} "
            "requests."
        )
