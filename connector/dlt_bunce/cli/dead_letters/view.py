"""`dead-letters list`, `group`, and `show`."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from dlt_bunce.cli import options, output
from dlt_bunce.cli.dead_letters.filters import LetterId, filters, store_of
from dlt_bunce.cli.failures import reported
from dlt_bunce.errors import UsageError
from dlt_bunce.reject_codes import REJECT_CODES

if TYPE_CHECKING:
    from dlt_bunce.store.dead_letter_query import Grouping, Selection

_SHOWN = ("id", "code", "field", "customer_id", "attempts", "last_seen_at", "status")
_GROUPS: dict[str, Grouping] = {
    "code": "code",
    "field": "field",
    "run": "run_id",
    "pipeline": "pipeline_name",
    "status": "status",
}


@click.command("list")
@filters(status=True)
@click.option(
    "--limit",
    default=50,
    show_default=True,
    type=click.IntRange(min=1),
    help="Maximum number to show.",
)
@options.store_options
def list_letters(
    selection: Selection, limit: int, store_url: str | None, account: str | None, as_json: bool
) -> None:
    """List dead letters, newest first, without the values of their rows.

    Example: dlt-bunce dead-letters list --code email_taken --limit 200

    Example: dlt-bunce dead-letters list --field phone_no --since 24h
    """
    with reported():
        from dlt_bunce.store.database import Database
        from dlt_bunce.store.dead_letter_query import list_recent

        url, name = store_of(selection, store_url, account)
        with Database(url, read_only=True) as db:
            found = list_recent(db, name, selection, limit=limit + 1)
        rows = [{column: letter[column] for column in _SHOWN} for letter in found[:limit]]
        if as_json:
            output.as_json(rows)
            return
        output.print_rows(rows, _SHOWN, f"Dead letters ({selection.status or 'all'})")
        if len(found) > limit:
            output.console().print(f"Showing the newest {limit}. Pass --limit to show more.")


@click.command("group")
@click.option(
    "--by",
    type=click.Choice(list(_GROUPS)),
    default="code",
    show_default=True,
    help="What to count by. By status, all statuses are counted unless --status is given.",
)
@filters(status=True)
@options.store_options
@click.pass_context
def group_letters(
    context: click.Context,
    by: str,
    selection: Selection,
    store_url: str | None,
    account: str | None,
    as_json: bool,
) -> None:
    """Count dead letters by code, field, run, pipeline, or status, largest group first.

    Codes are shown with their meaning and remedy.

    Example: dlt-bunce dead-letters group --by run --since 7d
    """
    with reported():
        from dlt_bunce.store.database import Database
        from dlt_bunce.store.dead_letter_query import count_by

        if by == "status" and context.get_parameter_source("status") is ParameterSource.DEFAULT:
            selection = replace(selection, status=None)
        url, name = store_of(selection, store_url, account)
        with Database(url, read_only=True) as db:
            counts = count_by(db, name, selection, _GROUPS[by])
        groups: list[dict[str, Any]] = [
            {by: value or None, "dead_letters": count} for value, count in counts.items()
        ]
        if by == "code":
            for group in groups:
                known = REJECT_CODES.get(group["code"])
                group["meaning"] = known.meaning if known else None
                group["remedy"] = known.remedy if known else None
        if as_json:
            output.as_json(groups)
            return
        columns = (by, "dead_letters", *(("meaning", "remedy") if by == "code" else ()))
        output.print_rows(groups, columns, f"Dead letters ({selection.status or 'all'}) by {by}")


@click.command("show")
@click.argument("letter_id", metavar="ID", type=LetterId())
@options.store_options
def show(letter_id: str, store_url: str | None, account: str | None, as_json: bool) -> None:
    """Show one dead letter with its row and Bunce's message.

    ID may be a prefix of the full id.

    Example: dlt-bunce dead-letters show 7f3c
    """
    with reported():
        from dlt_bunce.store.database import Database
        from dlt_bunce.store.dead_letter_query import Selection, list_recent

        selection = Selection(status=None, ids=[letter_id])
        url, name = store_of(selection, store_url, account)
        with Database(url, read_only=True) as db:
            found = list_recent(db, name, selection, limit=2)
        if len(found) > 1:
            raise UsageError(
                f"More than one dead letter has an id starting with {letter_id!r}.",
                remedy="Give more of the id.",
            )
        letter = found[0]
        for column in ("source_row", "payload"):
            letter[column] = json.loads(letter[column]) if letter[column] else None
        known = REJECT_CODES.get(letter["code"])
        if as_json:
            output.as_json(letter | {"remedy": known.remedy if known else None})
            return
        for column, value in letter.items():
            if value is not None:
                click.echo(f"{column:14} {json.dumps(value, ensure_ascii=False, default=str)}")
        if known:
            click.echo(f"{'remedy':14} {known.remedy}")
