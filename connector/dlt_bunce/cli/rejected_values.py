"""The command `dlt-bunce rejected-values`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dlt_bunce.cli import options, output
from dlt_bunce.cli.empty import print_none
from dlt_bunce.cli.failures import reported
from dlt_bunce.cli.lists import print_list
from dlt_bunce.cli.pasteable import pasteable
from dlt_bunce.cli.printable import echo
from dlt_bunce.cli.value_filters import filters, store_of
from dlt_bunce.cli.waiting_values import waiting
from dlt_bunce.errors import UsageError
from dlt_bunce.reject_codes import VALUE_CODES

if TYPE_CHECKING:
    from dlt_bunce.store.values.rejected_values import ValueSelection

_SHOWN = ("kind", "name", "column_name", "code", "customer_id", "message", "last_seen_at")

_OPTIONAL = ("kind", "column_name")
"""Columns that a narrow terminal does without: the groups above the list have them."""


@click.group("rejected-values")
def command() -> None:
    """List attribute values and segment members that are rejected; retry or discard them.

    A rejected value never holds its customer back, so it is not a dead letter: it has no row to
    replay. It stays listed until its value is accepted, or blank, or until it is discarded.
    Values that wait for a customer whom Bunce does not have are not rejected: `waiting` lists whom
    they wait for.
    """


@command.command("list")
@filters()
@options.limit_option
@options.store_options
def list_values(
    selection: ValueSelection,
    limit: int | None,
    store_url: str | None,
    account: str | None,
    as_json: bool,
) -> None:
    """List rejected values by attribute or segment, code, and customer, without the values.

    Example: dlt-bunce rejected-values list --attribute Plan --code refused
    """
    with reported():
        from dlt_bunce.store.database import Database
        from dlt_bunce.store.values import rejected_values

        url, name = store_of(selection, store_url, account)
        with Database(url, read_only=True) as db:
            total = rejected_values.count(db, name, selection)
            shown = total if as_json and limit is None else limit or options.SHOWN
            rows = rejected_values.some(db, name, selection, limit=shown)
            groups = rejected_values.groups(db, name, selection)
        if as_json:
            output.as_json(rows)
            return
        if not rows:
            print_none(name, f"{'discarded' if selection.discarded else 'rejected'} values")
            return
        for group in groups:
            group["remedy"] = VALUE_CODES[group["code"]].remedy
        columns = ("kind", "name", "column_name", "code", "count", "remedy")
        output.print_rows(groups, columns, output.counted(total, "rejected value"))
        print_list(rows, (*_SHOWN, "retry_at"), "Rejected values", _OPTIONAL)
        if total > len(rows):
            console = output.console()
            console.print(f"Showing {len(rows):,} of {total:,}. Pass --limit to show more.")
            export_all = pasteable("dlt-bunce rejected-values export FILE")
            console.print(f"To write all to a file, run: {export_all}", soft_wrap=True)


@command.command("export")
@click.argument("file", type=click.Path(path_type=Path))
@filters()
@click.option("--overwrite", is_flag=True, help="Replace FILE if it exists.")
@options.store_options
def export(
    file: Path,
    selection: ValueSelection,
    overwrite: bool,
    store_url: str | None,
    account: str | None,
    as_json: bool,
) -> None:
    """Write rejected values to FILE, .csv, .parquet, or .jsonl: who, what, and why.

    The values themselves are not stored: correct them at the source.

    Example: dlt-bunce rejected-values export rejected.csv --attribute Balance
    """
    with reported():
        from dlt_bunce.cli.value_writers import write
        from dlt_bunce.store.database import Database
        from dlt_bunce.store.values import rejected_values

        url, name = store_of(selection, store_url, account)
        with Database(url, read_only=True) as db:
            pages = rejected_values.pages(db, name, selection)
            written = write(file, pages, overwrite=overwrite)
        if as_json:
            output.as_json({"file": str(file), "rejected_values": written})
            return
        count = output.counted(written, "rejected value")
        personal = " The file contains personal data." if written else ""
        echo(f"Wrote {count} to {file}.{personal}")


@command.command("retry")
@filters()
@click.option("--all", "everything", is_flag=True, help="Retry every rejected value.")
@options.store_options
def retry(
    selection: ValueSelection,
    everything: bool,
    store_url: str | None,
    account: str | None,
    as_json: bool,
) -> None:
    """Have values that Bunce rejected sent again by the next load that reads their rows.

    Without this, such a value is sent again only once it changes. Nothing is sent now. Values that
    were rejected before they were sent need no retry: every load that reads their rows validates
    them again, for example after the type of the attribute has changed in Bunce. With --discarded,
    discarded values are listed again as well.

    Example: dlt-bunce rejected-values retry --code unconfirmed
    """
    with reported():
        from dlt_bunce.operations.rejected_values import retry as release
        from dlt_bunce.store.database import Database

        url, name = store_of(selection, store_url, account)
        if not options.can_ask():
            _refuse_all(selection, everything)
        if _is_every(selection) and not everything:
            _ask("Retry", selection, url, name)
        with Database(url) as db:
            done = release(db, name, selection)
        if as_json:
            counts = {"released": done.released, "validated_again": done.validated_again}
            output.as_json(counts)
            return
        released = output.counted(done.released, "value")
        echo(f"Released {released}: the next load that reads their rows sends them again.")
        if done.validated_again:
            others = output.counted(done.validated_again, "value")
            echo(
                f"Left {others} that never reached Bunce: every load that reads their rows "
                "validates them again."
            )


@command.command("discard")
@filters(discarded=False)
@click.option("--all", "everything", is_flag=True, help="Discard every rejected value.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@options.store_options
def discard(
    selection: ValueSelection,
    everything: bool,
    yes: bool,
    store_url: str | None,
    account: str | None,
    as_json: bool,
) -> None:
    """Take rejected values off the list; they are not sent again unless they change.

    A load that reads the same value again still counts it as rejected, but neither lists nor sends
    it. Once the value changes, it is sent, and listed again if it is rejected again. A value that
    `retry` has released before is still sent once more. `retry --discarded` undoes a discard.

    Example: dlt-bunce rejected-values discard --attribute Plan --code refused
    """
    with reported():
        from dlt_bunce.operations.rejected_values import discard as take_off
        from dlt_bunce.store.database import Database

        url, name = store_of(selection, store_url, account)
        if yes or not options.can_ask():
            _refuse_all(selection, everything)
        if not yes:
            _ask("Discard", selection, url, name)
        with Database(url) as db:
            count = take_off(db, name, selection)
        if as_json:
            output.as_json({"discarded": count})
        else:
            echo(f"Discarded {output.counted(count, 'rejected value')}.")


def _is_every(selection: ValueSelection) -> bool:
    from dlt_bunce.store.values.rejected_values import EVERY

    return replace(selection, discarded=False) == EVERY


def _refuse_all(selection: ValueSelection, everything: bool) -> None:
    """Raise UsageError if there is no filter, unless `everything` is meant."""
    if _is_every(selection) and not everything:
        raise UsageError(
            "No rejected values selected.",
            remedy="Pass a filter such as --attribute, --customer, or --code, or --all.",
        )


def _ask(action: str, selection: ValueSelection, store_url: str, account: str) -> None:
    """Ask on a terminal whether to act on the selected values; raise UsageError without one."""
    from dlt_bunce.store.database import Database
    from dlt_bunce.store.values import rejected_values

    if not options.can_ask():
        raise UsageError(options.NO_TERMINAL, remedy="Pass --yes.")
    with Database(store_url, read_only=True) as db:
        found = output.counted(rejected_values.count(db, account, selection), "rejected value")
    every = "all " if _is_every(selection) else ""
    click.confirm(f"{action} {every}{found} of account {account}?", abort=True, err=True)


command.add_command(waiting)
