"""`dead-letters replay`, `discard`, and `purge`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dlt_bunce.cli import options, output
from dlt_bunce.cli.dead_letters.filters import STATUSES, Age, filters, store_of
from dlt_bunce.cli.empty import print_none
from dlt_bunce.cli.failures import reported
from dlt_bunce.cli.live_progress import figures, terminated_as_interrupted
from dlt_bunce.errors import UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from dlt_bunce.store.letters.selection import Selection


@click.command("replay")
@filters(status=False)
@click.option(
    "--map",
    "maps",
    multiple=True,
    metavar="FIELD=COLUMN",
    help="Column for a Bunce field; may be repeated.",
)
@click.option("--all", "everything", is_flag=True, help="Replay every open dead letter.")
@options.link_option
@options.store_options
def replay_letters(
    selection: Selection,
    maps: tuple[str, ...],
    on_email_taken: str | None,
    everything: bool,
    store_url: str | None,
    account: str | None,
    as_json: bool,
) -> None:
    """Send the stored rows of open dead letters again, with the current mapping and rules.

    Dead letters whose rows are accepted are resolved; the others stay open. If Bunce has since
    accepted another row of the customer, nothing is sent and the dead letter is superseded.

    Example: dlt-bunce dead-letters replay --code missing_phone_no --map phone_no=mobile
    """
    with reported(), terminated_as_interrupted():
        from dlt_bunce.cli.source_args import parse_maps
        from dlt_bunce.operations.replay import replay
        from dlt_bunce.operations.replay_runs import recorded_unconfigured

        mapping = parse_maps(maps)
        _ask_for_all(selection, everything, "replay", store_url, account)
        store = store_of(selection, store_url, account)
        with recorded_unconfigured(selection, lambda: store):
            client = options.client(
                store_url=store_url, account=account, on_email_taken=on_email_taken
            )
        with figures(client.context, as_json):
            replayed = replay(client, selection=selection, mapping=mapping)
        if as_json:
            output.as_json(replayed.summary.as_dict() | {"without_row": replayed.without_row})
            return
        if not replayed.summary.read and not replayed.without_row:
            print_none(store[1], "open dead letters")
            return
        output.print_summary(replayed.summary, "Replayed")
        if replayed.without_row:
            output.console().print(
                f"Skipped {output.counted(replayed.without_row, 'dead letter')} without a stored "
                'row, written with dead_letter_rows = "keys". Load their source again.'
            )


def _ask_for_all(
    selection: Selection, everything: bool, action: str, store_url: str | None, account: str | None
) -> None:
    """Ask on a terminal before every open dead letter is chosen; raise UsageError without one."""
    from dlt_bunce.store.database import Database
    from dlt_bunce.store.letters.dead_letter_query import count
    from dlt_bunce.store.letters.selection import Selection

    if selection != Selection() or everything:
        return
    remedy = "Pass a filter such as --customer, --id, or --code, or --all."
    if not options.can_ask():
        raise UsageError("No dead letters selected.", remedy=remedy)
    url, name = options.store_settings(store_url, account)
    with Database(url, read_only=True) as db:
        found = output.counted(count(db, name, selection), "open dead letter")
    question = f"{action.capitalize()} all {found} of account {name}?"
    click.confirm(question, abort=True, err=True)


@click.command("discard")
@filters(status=False)
@click.option("--all", "everything", is_flag=True, help="Discard every open dead letter.")
@options.store_options
def discard_letters(
    selection: Selection,
    everything: bool,
    store_url: str | None,
    account: str | None,
    as_json: bool,
) -> None:
    """Close open dead letters by hand; their rows are not sent again unless they change.

    Example: dlt-bunce dead-letters discard --code missing_customer_id --until 30d
    """
    with reported():
        from dlt_bunce.store.database import Database
        from dlt_bunce.store.letters.dead_letters import discard

        _ask_for_all(selection, everything, "discard", store_url, account)
        url, name = store_of(selection, store_url, account)
        with Database(url) as db:
            count = discard(db, name, selection)
        if as_json:
            output.as_json({"discarded": count})
        else:
            click.echo(f"Discarded {output.counted(count, 'dead letter')}.")


@click.command("purge")
@click.option(
    "--older-than",
    type=Age(),
    default="0",
    help="Only dead letters closed at least this long ago: 90d, 12w; a number without a unit is "
    "in days. The age of open ones counts from when they were last rejected, or from when their "
    "pipeline last held rows, since theirs may be among those.",
)
@click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice(STATUSES),
    help="Only dead letters with this status; may be repeated (default: all but open).",
)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
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

    Open ones are deleted only with --status open: their rows are then lost, or rejected again the
    next time a load reads them. Deleted data is overwritten in the database files, and its space
    given back to the disk: loads wait while the table is rewritten.

    Example: dlt-bunce dead-letters purge --older-than 90d --yes
    """
    with reported():
        from dlt_bunce.store.accounts import refuse_unknown_account
        from dlt_bunce.store.database import Database
        from dlt_bunce.store.retention import CLOSED, LETTERS, purge

        chosen = tuple(dict.fromkeys(statuses)) or CLOSED
        url, name = options.store_settings(store_url, account)
        with Database(url, read_only=True) as db:
            refuse_unknown_account(db, name)
        if not yes:
            if not options.can_ask():
                raise UsageError(options.NO_TERMINAL, remedy="Pass --yes.")
            question = (
                f"Delete every dead letter of account {name} that is {' or '.join(chosen)} and "
                f"older than {older_than:%Y-%m-%d %H:%M} UTC?"
            )
            click.confirm(question, abort=True, err=True)
        with Database(url) as db:
            before = older_than.isoformat(timespec="microseconds")
            count, size = purge(db, name, before=before, statuses=chosen), db.size(LETTERS)
            # also overwrites what an earlier call could not because the log was being read
            remains = db.overwrite(*([LETTERS] if count else []))
            freed = max(0, size - db.size(LETTERS))
        if as_json:
            output.as_json({"purged": count, "bytes_freed": freed})
        else:
            click.echo(f"Deleted {output.counted(count, 'dead letter')}.")
            if freed:
                click.echo(f"The store takes up {freed / 1000:,.0f} kB less on disk.")
        options.exit_if_remains(remains)
