"""The command `dlt-bunce adopt`."""

from __future__ import annotations

import dataclasses

import click

from dlt_bunce.cli import options, output
from dlt_bunce.cli.failures import reported


@click.command("adopt")
@click.option("--restart", is_flag=True, help="Start over instead of resuming an earlier call.")
@click.option(
    "--new-account", is_flag=True, help="Create the account if the store does not have it."
)
@options.store_options
def command(
    restart: bool, new_account: bool, store_url: str | None, account: str | None, as_json: bool
) -> None:
    """Add customers that already exist in Bunce to the ledger, from Bunce's own listing.

    For a workspace that had customers before its first load: customers that match the source then
    count as unchanged, and none is sent only to come back as "already taken". It stays within the
    request budget (100 customers per request) and sends no customer. If it is interrupted, the
    next call resumes where this one stopped. In a store that already has accounts, a new one is
    created only with --new-account: a misspelled name would list the workspace again.
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
            f"Adopted {output.counted(adopted.adopted, 'customer')} ({adopted.incomplete:,} "
            f"incomplete); {adopted.known:,} already in the ledger. Listed {adopted.listed:,} in "
            f"{output.counted(adopted.requests, 'request')}."
        )
