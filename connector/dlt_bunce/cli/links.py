"""The command `dlt-bunce links`."""

from __future__ import annotations

import click

from dlt_bunce.cli import options, output
from dlt_bunce.cli.empty import print_none
from dlt_bunce.cli.failures import failed, reported
from dlt_bunce.cli.lists import print_list
from dlt_bunce.errors import UsageError


@click.group("links")
def command() -> None:
    """Show or remove links to customers that Bunce has under another id.

    With on_email_taken = "link", a load links a customer whose email one customer in Bunce has
    under another id. Updates then go to that customer.
    """


@command.command("list")
@click.option("--ended", is_flag=True, help="Show links that have ended or were removed, too.")
@options.store_options
def list_links(ended: bool, store_url: str | None, account: str | None, as_json: bool) -> None:
    """List the links, the newest first."""
    with reported():
        from dlt_bunce.store import links
        from dlt_bunce.store.accounts import refuse_unknown_account
        from dlt_bunce.store.database import Database

        url, name = options.store_settings(store_url, account)
        with Database(url, read_only=True) as db:
            refuse_unknown_account(db, name)
            found = links.known(db, name, ended=ended)
        if as_json:
            output.as_json(found)
            return
        if not found:
            print_none(name, "links")
            return
        columns = ["customer_id", "bunce_id", "linked_at"]
        if ended:
            columns += ["status", "ended_at"]
        print_list(found, columns, output.counted(len(found), "link"))


@command.command("remove")
@click.argument("customer_ids", nargs=-1, required=True, metavar="CUSTOMER_ID...")
@click.option("--allow-again", is_flag=True, help="Let a later load link the same two again.")
@options.store_options
def remove(
    customer_ids: tuple[str, ...],
    allow_again: bool,
    store_url: str | None,
    account: str | None,
    as_json: bool,
) -> None:
    """Remove links, each named by the customer's id in the source or in Bunce.

    Bunce's customer keeps what was sent. The next row of the source's customer is sent under its
    own id, and the same two are not linked again, unless you pass --allow-again, now or later.
    """
    with reported():
        from dlt_bunce.records.text.text import without_invisible
        from dlt_bunce.store import links
        from dlt_bunce.store.accounts import refuse_unknown_account
        from dlt_bunce.store.database import Database

        url, name = options.store_settings(store_url, account)
        with Database(url, read_only=True) as db:
            refuse_unknown_account(db, name)
        ids = list(map(without_invisible, customer_ids))
        with Database(url) as db, db.transaction():
            removed, unknown = links.remove(db, name, ids, allow_again=allow_again)
        error = None
        if unknown:
            remedy = "List the links with: dlt-bunce links list"
            error = UsageError(f"No link of {', '.join(unknown)}.", remedy=remedy)
        if as_json:
            found = {"account": name, "removed": removed, "unknown": unknown}
            output.as_json(found | (failed(error) if error else {}))
        else:
            click.echo(f"Account {name}: removed {output.counted(removed, 'link')}.")
        if error is not None:
            raise error
