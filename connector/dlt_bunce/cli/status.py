"""The command `dlt-bunce status`."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from dlt_bunce.cli import options, output
from dlt_bunce.cli.failures import reported
from dlt_bunce.cli.pasteable import pasteable
from dlt_bunce.model import FATES

if TYPE_CHECKING:
    from dlt_bunce.store.runs.failures import Problem


@click.command("status")
@click.option(
    "--runs",
    "count",
    default=5,
    show_default=True,
    type=click.IntRange(1, options.MOST),
    help="Number of runs to show.",
)
@options.store_options
def command(count: int, store_url: str | None, account: str | None, as_json: bool) -> None:
    """Show what is wrong, the ledger, open dead letters by code, and the latest runs.

    With attributes or segments, also their values by fate, and those that are rejected now.

    A pipeline is wrong while its latest run has failed, was stopped, or was interrupted: its
    process ended without recording the outcome.
    """
    with reported():
        from dlt_bunce.store import links
        from dlt_bunce.store.accounts import refuse_unknown_account
        from dlt_bunce.store.database import Database
        from dlt_bunce.store.letters.dead_letter_query import open_by_code
        from dlt_bunce.store.runs import runs
        from dlt_bunce.store.runs.failures import problems
        from dlt_bunce.store.statements import COUNT_CUSTOMERS
        from dlt_bunce.store.values import rejected_values

        store_url, account = options.store_settings(store_url, account)
        with Database(store_url, read_only=True) as db:
            refuse_unknown_account(db, account)
            ledger = db.rows(COUNT_CUSTOMERS, (account,))[0]
            linked = links.count(db, account)
            letters = open_by_code(db, account)
            values = rejected_values.by_name(db, account)
            found = runs.summaries(db, account, limit=count)
            wrong = problems(db, account)
        if as_json:
            output.as_json(
                {"account": account, "problems": [problem.as_dict() for problem in wrong]}
                | {"ledger": {**ledger, "linked": linked}, "open_dead_letters": letters}
                | {"rejected_values": values}
                | {"runs": [run.as_dict() for run in found]}
            )
            return
        for problem in wrong:
            _print_problem(problem)
        rejected = sum(sum(codes.values()) for codes in values.values())
        output.console().print(
            f"Account {account}: {output.counted(ledger['delivered'], 'customer')} delivered, "
            f"{ledger['indeterminate']:,} indeterminate, "
            + (f"{linked:,} linked, " if linked else "")
            + f"{output.counted(sum(letters.values()), 'open dead letter')}"
            + (f", {output.counted(rejected, 'rejected value')}" if rejected else "")
        )
        output.print_codes(letters, "Open dead letters", can_list=True)
        output.print_rejected_values(values, "Rejected values")
        if not found:
            output.console().print(f"Account {account} has no recorded runs.")
            return
        columns = ("run_id", "name", "state", "read", *FATES, "linked", "requests")
        shown = [
            column
            for column in columns
            if column in columns[:4]
            or column == "requests"
            or any(getattr(run, column) for run in found)
        ]
        rows = [{column: getattr(run, column) for column in shown} for run in found]
        output.print_rows(rows, shown, "Latest runs")
        output.print_value_fates(found, "Attribute values and segment members of these runs")
        output.print_warnings(found[0].warnings, "Warnings from the latest run")


def _print_problem(problem: Problem) -> None:
    """Print what is wrong with a pipeline, since when, how many rows wait, and what to do."""
    since = f"{datetime.fromisoformat(problem.since):%Y-%m-%d %H:%M} UTC"
    waiting = (
        "No rows were read, so how many wait is unknown"
        if problem.waiting is None
        else f"{output.counted(problem.waiting, 'row')} not loaded yet"
    )
    name = problem.source or f"Pipeline {problem.pipeline_name}"
    runs = output.counted(problem.runs, "run")
    what = f"{name}: {runs} since {since} did not complete. {waiting}."
    output.print_sentence(what)
    lines = [
        f"  Reason: {problem.error or 'unknown'}",
        f"  Remedy: {pasteable(problem.remedy)}" if problem.remedy else "",
        "  Another run is in progress." if problem.state == "running" else "",
    ]
    for line in filter(None, lines):
        output.console().print(line, soft_wrap=True)
