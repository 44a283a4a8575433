"""The command `dlt-bunce status`."""

from __future__ import annotations

import click

from dlt_bunce.cli import options, output
from dlt_bunce.cli.failures import reported
from dlt_bunce.model import FATES


@click.command("status")
@click.option(
    "--runs",
    "count",
    default=5,
    show_default=True,
    type=click.IntRange(min=1),
    help="Number of runs to show.",
)
@options.store_options
def command(count: int, store_url: str | None, account: str | None, as_json: bool) -> None:
    """Show the ledger, open dead letters by code, and the latest runs."""
    with reported():
        from dlt_bunce.store import links, runs
        from dlt_bunce.store.accounts import refuse_unknown_account
        from dlt_bunce.store.database import Database
        from dlt_bunce.store.dead_letter_query import open_by_code
        from dlt_bunce.store.statements import COUNT_CUSTOMERS

        store_url, account = options.store_settings(store_url, account)
        with Database(store_url, read_only=True) as db:
            refuse_unknown_account(db, account)
            ledger = db.rows(COUNT_CUSTOMERS, (account,))[0]
            linked = links.count(db, account)
            letters = open_by_code(db, account)
            found = runs.summaries(db, account, limit=count)
        if as_json:
            output.as_json(
                {"account": account, "ledger": {**ledger, "linked": linked}}
                | {"open_dead_letters": letters}
                | {"runs": [run.as_dict() for run in found]}
            )
            return
        output.console().print(
            f"Account {account}: {output.counted(ledger['delivered'], 'customer')} delivered, "
            f"{ledger['indeterminate']:,} indeterminate, "
            + (f"{linked:,} linked, " if linked else "")
            + f"{output.counted(sum(letters.values()), 'open dead letter')}"
        )
        output.print_codes(letters, "Open dead letters")
        columns = ("run_id", "pipeline_name", "state", "read", *FATES, "linked", "requests")
        shown = [
            column
            for column in columns
            if column in columns[:4]
            or column == "requests"
            or any(getattr(run, column) for run in found)
        ]
        rows = [{column: getattr(run, column) for column in shown} for run in found]
        output.print_rows(rows, shown, "Latest runs")
        if found:
            output.print_warnings(found[0].warnings, "Warnings from the latest run")
