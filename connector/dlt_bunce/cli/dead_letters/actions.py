"""`dead-letters replay`, `discard`, and `purge`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from dlt_bunce.cli import options, output
from dlt_bunce.cli.dead_letters.filters import STATUSES, Age, filters, store_of
from dlt_bunce.cli.failures import reported
from dlt_bunce.errors import UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from dlt_bunce.store.dead_letter_query import Selection


@click.command("replay")
@filters(status=False)
@click.option("--map", "maps", multiple=True, metavar="FIELD=COLUMN", help="Column of a field.")
@options.store_options
def replay_letters(
    selection: Selection,
    maps: tuple[str, ...],
    store_url: str | None,
    account: str | None,
    as_json: bool,
) -> None:
    """Send the stored rows of open dead letters again, with today's mapping and rules.

    What is accepted now is resolved, what is not stays open, and a customer of whom Bunce has
    accepted something since is left alone.

    Example: dlt-bunce dead-letters replay --code missing_phone_no --map phone_no=mobile
    """
    with reported():
        from dlt_bunce.cli.source_args import parse_maps
        from dlt_bunce.operations.replay import replay

        mapping = parse_maps(maps)
        store_of(selection, store_url, account)
        client = options.client(store_url=store_url, account=account)
        done = replay(client, selection=selection, mapping=mapping)
        if as_json:
            output.as_json(done.summary.as_dict() | {"without_row": done.without_row})
            return
        output.print_summary(done.summary, "Replayed")
        if done.without_row:
            output.console().print(
                f"{done.without_row:,} dead letters were left alone: they were written with "
                'dead_letter_rows = "keys" and hold no row to send. Load their source again.'
            )


@click.command("discard")
@filters(status=False)
@click.option("--all", "everything", is_flag=True, help="Every open dead letter.")
@options.store_options
def discard_letters(
    selection: Selection,
    everything: bool,
    store_url: str | None,
    account: str | None,
    as_json: bool,
) -> None:
    """Close open dead letters by hand: their rows are not sent unless they change.

    Example: dlt-bunce dead-letters discard --code missing_customer_id --until 30d
    """
    with reported():
        from dlt_bunce.store.database import Database
        from dlt_bunce.store.dead_letter_query import Selection
        from dlt_bunce.store.dead_letters import discard

        if selection == Selection() and not everything:
            raise UsageError(
                "Nothing is chosen.", remedy="Give a filter such as --id or --code, or --all."
            )
        url, name = store_of(selection, store_url, account)
        with Database(url) as db:
            count = discard(db, name, selection)
        if as_json:
            output.as_json({"discarded": count})
        else:
            click.echo(f"{count:,} dead letters discarded.")


@click.command("purge")
@click.option(
    "--older-than",
    type=Age(),
    default="0",
    help="Only those that were closed so long ago: 90d, 12w; a number alone is of days. Of open "
    "ones it counts when they were met last.",
)
@click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice(STATUSES),
    help="Only letters of this status; may be repeated (default: all that are not open).",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@options.store_options
def purge_letters(
    older_than: datetime,
    statuses: tuple[str, ...],
    yes: bool,
    store_url: str | None,
    account: str | None,
    as_json: bool,
) -> None:
    """Delete dead letters that are resolved, superseded, or discarded.

    Open ones go only with --status open: their rows are lost, or rejected again when they are met
    again. What was deleted is overwritten in the database's files.

    Example: dlt-bunce dead-letters purge --older-than 90d --yes
    """
    with reported():
        from dlt_bunce.store.database import Database
        from dlt_bunce.store.retention import CLOSED, purge

        chosen = tuple(dict.fromkeys(statuses)) or CLOSED
        url, name = options.store_settings(store_url, account)
        with Database(url, read_only=True):
            pass  # there is one
        if not yes:
            if not sys.stdin.isatty():
                raise UsageError("Nobody can be asked.", remedy="Say so beforehand: --yes")
            question = (
                f"Delete every dead letter of account {name} that is {' or '.join(chosen)}, from "
                f"before {older_than:%Y-%m-%d %H:%M} UTC?"
            )
            click.confirm(question, abort=True, err=True)
        with Database(url) as db:
            before = older_than.isoformat(timespec="microseconds")
            count = purge(db, name, before=before, statuses=chosen)
            # also what an earlier call could not: its log was being read
            remains = db.overwrite(*(["bunce_dead_letters"] if count else []))
        if as_json:
            output.as_json({"purged": count})
        else:
            click.echo(f"{count:,} dead letters deleted.")
        options.exit_if_remains(remains)
