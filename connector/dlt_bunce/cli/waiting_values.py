"""`dlt-bunce rejected-values waiting`: whom rows of values wait for."""

from __future__ import annotations

from itertools import chain, islice

import click

from dlt_bunce.cli import options, output
from dlt_bunce.cli.empty import print_none
from dlt_bunce.cli.failures import reported
from dlt_bunce.cli.lists import print_list

_SHOWN = ("customer_id", "customer", "source", "waiting_since")


@click.command("waiting")
@options.chosen_customers("this customer")
@click.option(
    "--pipeline",
    "pipelines",
    multiple=True,
    metavar="NAME",
    help="Only rows that this dlt pipeline has read; may be repeated.",
)
@options.limit_option
@options.store_options
def waiting(
    customers: tuple[str, ...],
    pipelines: tuple[str, ...],
    limit: int | None,
    store_url: str | None,
    account: str | None,
    as_json: bool,
) -> None:
    """List the customers whom rows of a table of values (values_only) wait for.

    Such rows are sent by the first load that reads them once Bunce has their customer, and not
    stored. `customer` tells what is known of the customer now: `unknown`, `rejected` (an open dead
    letter), or `accepted` since: then the row only has to be read again.

    Example: dlt-bunce rejected-values waiting --pipeline payments
    """
    with reported():
        from dlt_bunce.cli.dead_letters.filters import customer_ids
        from dlt_bunce.store.accounts import refuse_unknown_account
        from dlt_bunce.store.database import Database
        from dlt_bunce.store.values import waiting_values
        from dlt_bunce.store.values.rejected_values import refuse_unknown_pipelines

        selection = waiting_values.WaitingSelection(
            customer_ids(customers) or None, pipelines or None
        )
        url, name = options.store_settings(store_url, account)
        with Database(url, read_only=True) as db:
            refuse_unknown_account(db, name)
            refuse_unknown_pipelines(db, name, pipelines)
            groups = waiting_values.groups(db, name, selection)
            found = chain.from_iterable(
                page.to_pylist() for page in waiting_values.pages(db, name, selection)
            )
            rows = list(islice(found, limit or (None if as_json else options.SHOWN)))
        if as_json:
            output.as_json(rows)
            return
        if not rows:
            print_none(name, "rows of values that wait for their customer")
            return
        for group in groups:
            group["remedy"] = waiting_values.STATES[group["customer"]]
        total = sum(group["count"] for group in groups)
        columns = ("source", "customer", "count", "remedy")
        output.print_rows(groups, columns, output.counted(total, "waiting row"))
        print_list(rows, _SHOWN, "Rows of values that wait for their customer")
        if total > len(rows):
            output.console().print(
                f"Showing {len(rows):,} of {total:,}. Pass --limit to show more, or --json."
            )
