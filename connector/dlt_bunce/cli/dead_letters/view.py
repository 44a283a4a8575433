"""`dead-letters list`, `group`, and `show`."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from dlt_bunce.cli import options, output
from dlt_bunce.cli.dead_letters.filters import filters, store_of
from dlt_bunce.cli.empty import print_none
from dlt_bunce.cli.failures import reported
from dlt_bunce.cli.lists import print_list
from dlt_bunce.cli.pasteable import pasteable
from dlt_bunce.cli.printable import echo
from dlt_bunce.reject_codes import REJECT_CODES

if TYPE_CHECKING:
    from dlt_bunce.store.letters.dead_letter_query import Grouping
    from dlt_bunce.store.letters.selection import Selection

_SHOWN = ("id", "code", "field", "customer_id", "source", "attempts", "last_seen_at", "status")
_OPTIONAL = ("status", "attempts", "field", "source")
"""Columns that a narrow terminal does without, the first ones first; all letters of a list usually
have the same status.
"""
_READ = (*_SHOWN, "source_line")
_GROUPS: dict[str, Grouping] = {
    "code": "code",
    "field": "field",
    "run": "run_id",
    "pipeline": "pipeline_name",
    "status": "status",
}


@click.command("list")
@filters(status=True)
@options.limit_option
@options.store_options
def list_letters(
    selection: Selection,
    limit: int | None,
    store_url: str | None,
    account: str | None,
    as_json: bool,
) -> None:
    """List dead letters, newest first, without the values of their rows.

    Example: dlt-bunce dead-letters list --code email_taken --limit 200

    Example: dlt-bunce dead-letters list --field phone_no --since 24h
    """
    with reported():
        from dlt_bunce.records.row_origin import told
        from dlt_bunce.store.database import Database
        from dlt_bunce.store.letters.dead_letter_query import count, list_recent

        url, name = store_of(selection, store_url, account)
        shown = options.SHOWN if limit is None else limit
        with Database(url, read_only=True) as db:
            if as_json and limit is None:
                shown = count(db, name, selection)
            found = list_recent(db, name, selection, limit=shown + 1, columns=", ".join(_READ))
        rows = found[:shown]
        if as_json:
            output.as_json(rows)
            return
        for row in rows:
            row["source"] = told(row["source"], row["source_line"])
        if not rows:
            print_none(name, _noun(selection))
            return
        optional = [c for c in _OPTIONAL if c != "status" or selection.status]
        left_out = print_list(rows, _SHOWN, f"Dead letters ({selection.status or 'all'})", optional)
        if left_out:
            command = pasteable("dlt-bunce dead-letters show ID")
            console = output.console()
            console.print(f"Not shown: {', '.join(left_out)}")
            console.print(f"To see all of one, run: {command}", soft_wrap=True)
        if len(found) > shown:
            output.console().print(f"Showing the newest {shown:,}. Pass --limit to show more.")


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
        from dlt_bunce.store.letters.dead_letter_query import count_by

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
        if not groups:
            print_none(name, _noun(selection))
            return
        columns = (by, "dead_letters", *(("meaning", "remedy") if by == "code" else ()))
        output.print_rows(groups, columns, f"Dead letters ({selection.status or 'all'}) by {by}")


def _noun(selection: Selection) -> str:
    return f"{selection.status} dead letters" if selection.status else "dead letters"


@click.command("show")
@click.argument("wanted", metavar="[ID]", required=False)
@click.option(
    "--customer",
    "customers",
    multiple=True,
    metavar="ID",
    help="Show every dead letter of this customer; may be repeated. @FILE reads ids from a file.",
)
@options.store_options
def show(
    wanted: str | None,
    customers: tuple[str, ...],
    store_url: str | None,
    account: str | None,
    as_json: bool,
) -> None:
    """Show dead letters with their rows and Bunce's messages.

    ID is a customer's id, which shows all of the customer's dead letters, newest first, or a dead
    letter's id or the start of it: at least 4 digits, or 8 if none of them is a letter.

    Example: dlt-bunce dead-letters show 7f3c

    Example: dlt-bunce dead-letters show --customer 1001
    """
    with reported():
        from dlt_bunce.cli.dead_letters.lookup import found_by
        from dlt_bunce.records.text.text import without_invisible

        wanted = None if wanted is None else without_invisible(wanted)
        letters = found_by(wanted, customers, *options.store_settings(store_url, account))
        for letter in letters:
            for column in ("source_row", "payload", "other_defects"):
                letter[column] = json.loads(letter[column]) if letter[column] else None
            known = REJECT_CODES.get(letter["code"])
            letter["remedy"] = known.remedy if known else None
        if as_json:
            is_one = wanted is not None and letters[0]["customer_id"] != wanted
            output.as_json(letters[0] if is_one else letters)
            return
        for number, letter in enumerate(letters):
            click.echo("" if number else None, nl=bool(number))
            _print_letter(letter)


def _print_letter(letter: dict[str, Any]) -> None:
    for column, value in letter.items():
        if value is not None and column != "remedy":
            echo(f"{column:14} {json.dumps(value, ensure_ascii=False, default=str)}")
    if letter["remedy"]:
        click.echo(f"{'remedy':14} {letter['remedy']}")
