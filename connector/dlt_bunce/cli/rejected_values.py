"""The command `dlt-bunce rejected-values`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dlt_bunce.cli import options, output
from dlt_bunce.cli.failures import reported
from dlt_bunce.cli.printable import echo
from dlt_bunce.errors import UsageError
from dlt_bunce.reject_codes import VALUE_CODES

if TYPE_CHECKING:
    from dlt_bunce.store.rejected_values import ValueSelection

_SHOWN = ("kind", "name", "column_name", "code", "customer_id", "message", "last_seen_at")
_MAX_SHOWN = 50
_FILTERS = (
    click.option(
        "--attribute",
        "attributes",
        multiple=True,
        metavar="NAME",
        help="Only this attribute, by its name in Bunce; may be repeated.",
    ),
    click.option(
        "--segment",
        "segments",
        multiple=True,
        metavar="NAME",
        help="Only this segment, by its name in Bunce; may be repeated.",
    ),
    click.option(
        "--code",
        "codes",
        multiple=True,
        type=click.Choice(list(VALUE_CODES)),
        metavar="CODE",
        help="Only this reject code of values; may be repeated.",
    ),
    click.option(
        "--customer",
        "customers",
        multiple=True,
        metavar="ID",
        help="Only this customer; may be repeated. @FILE reads ids from a file: one per line, or "
        "the customer_id column of a .csv or .parquet.",
    ),
    click.option(
        "--pipeline",
        "pipelines",
        multiple=True,
        metavar="NAME",
        help="Only values that this dlt pipeline loaded last; may be repeated.",
    ),
)


def _filters(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options that select rejected values, passed to the command as one `selection`."""

    @functools.wraps(function)
    def chosen(
        *,
        attributes: tuple[str, ...],
        segments: tuple[str, ...],
        codes: tuple[str, ...],
        customers: tuple[str, ...],
        pipelines: tuple[str, ...],
        **others: Any,
    ) -> None:
        from dlt_bunce.cli.dead_letters.filters import customer_ids
        from dlt_bunce.store.rejected_values import ValueSelection

        with reported():
            ids = customer_ids(customers)
        # an option that is not given is no filter
        given = (chosen or None for chosen in (attributes, segments, codes, ids, pipelines))
        function(selection=ValueSelection(*given), **others)

    for option in reversed(_FILTERS):
        option(chosen)
    return chosen


@click.group("rejected-values")
def command() -> None:
    """List attribute values and segment members that are rejected; have them sent again.

    A rejected value never holds its customer back, so it is not a dead letter: it has no row to
    replay. It stays listed until its value is accepted, or blank.
    """


@command.command("list")
@_filters
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    help=f"Maximum number to show (default: {_MAX_SHOWN}; with --json, all).",
)
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
        from dlt_bunce.store import rejected_values
        from dlt_bunce.store.database import Database

        url, name = _store_of(selection, store_url, account)
        with Database(url, read_only=True) as db:
            total = rejected_values.count(db, name, selection)
            shown = total if as_json and limit is None else limit or _MAX_SHOWN
            rows = rejected_values.some(db, name, selection, limit=shown)
            groups = rejected_values.groups(db, name, selection)
        if as_json:
            output.as_json(rows)
            return
        for group in groups:
            group["remedy"] = VALUE_CODES[group["code"]].remedy
        columns = ("kind", "name", "column_name", "code", "count", "remedy")
        if groups:
            output.print_rows(groups, columns, output.counted(total, "rejected value"))
        output.print_rows(rows, (*_SHOWN, "retry_at"), "Rejected values")
        if total > len(rows):
            output.console().print(
                f"Showing {len(rows):,} of {total:,}. Pass --limit to show more, or use "
                "`dlt-bunce rejected-values export`."
            )


@command.command("export")
@click.argument("file", type=click.Path(path_type=Path))
@_filters
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
        from dlt_bunce.store import rejected_values
        from dlt_bunce.store.database import Database

        url, name = _store_of(selection, store_url, account)
        with Database(url, read_only=True) as db:
            pages = rejected_values.pages(db, name, selection)
            written = write(file, pages, overwrite=overwrite)
        if as_json:
            output.as_json({"file": str(file), "rejected_values": written})
            return
        count = output.counted(written, "rejected value")
        echo(f"Wrote {count} to {file}. The file contains personal data.")


@command.command("retry")
@_filters
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
    them again, for example after the type of the attribute has changed in Bunce.

    Example: dlt-bunce rejected-values retry --code unconfirmed
    """
    with reported():
        from dlt_bunce.operations.rejected_values import retry as release
        from dlt_bunce.store.database import Database

        url, name = _store_of(selection, store_url, account)
        _ask_for_all(selection, everything, url, name)
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


def _ask_for_all(selection: ValueSelection, everything: bool, store_url: str, account: str) -> None:
    """Ask on a terminal before every value is chosen; raise UsageError without one."""
    from dlt_bunce.store import rejected_values
    from dlt_bunce.store.database import Database

    if selection != rejected_values.EVERY or everything:
        return
    if not options.can_ask():
        raise UsageError(
            "No rejected values selected.",
            remedy="Pass a filter such as --attribute, --customer, or --code, or --all.",
        )
    with Database(store_url, read_only=True) as db:
        found = output.counted(rejected_values.count(db, account), "rejected value")
    click.confirm(f"Retry all {found} of account {account}?", abort=True, err=True)


def _store_of(
    selection: ValueSelection, store_url: str | None, account: str | None
) -> tuple[str, str]:
    """Return the store's URL and the account. Raises UsageError for a filter that names nothing."""
    from dlt_bunce.store import rejected_values
    from dlt_bunce.store.accounts import refuse_unknown_account
    from dlt_bunce.store.database import Database

    url, name = options.store_settings(store_url, account)
    with Database(url, read_only=True) as db:
        refuse_unknown_account(db, name)
        rejected_values.refuse_unknown(db, name, selection)
    return url, name
