"""The command `dlt-bunce dead-letters`."""

from __future__ import annotations

import itertools
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from dlt_bunce.cli import options, output
from dlt_bunce.cli.failures import reported
from dlt_bunce.errors import UsageError
from dlt_bunce.model import REJECT_CODES

_STATUSES = ("open", "resolved", "superseded", "discarded", "all")
_SHOWN = ("id", "code", "field", "customer_id", "attempts", "last_seen_at", "status")


@click.group("dead-letters")
def command() -> None:
    """Rows that could not go: look at them, export, replay, or discard them."""


class _LetterId(click.ParamType):  # type: ignore[type-arg]  # not generic in click 8.1
    """The id of a dead letter, or how it begins: anything else would match none, or all."""

    name = "id"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not re.fullmatch("[0-9a-f]+", str(value).lower()):
            self.fail(f"{value!r} is not the beginning of a dead letter's id.", param, ctx)
        return str(value).lower()


def _filters(function: Any) -> Any:
    codes = click.Choice(list(REJECT_CODES))
    function = click.option(
        "--code",
        "codes",
        multiple=True,
        type=codes,
        metavar="CODE",
        help="Only this reject code; may be repeated.",
    )(function)
    return click.option(
        "--id",
        "ids",
        multiple=True,
        type=_LetterId(),
        help="Only this id, or its beginning; may be repeated.",
    )(function)


def _status(function: Any) -> Any:
    return click.option(
        "--status", type=click.Choice(_STATUSES), default="open", show_default=True
    )(function)


def _pages(
    store_url: str | None,
    account: str | None,
    status: str,
    codes: tuple[str, ...] = (),
    ids: tuple[str, ...] = (),
) -> Iterator[list[dict[str, Any]]]:
    """Pages of the chosen letters. Raises UsageError at once for an id that chooses none."""
    from dlt_bunce.store.database import Database
    from dlt_bunce.store.selection import Selection, pages

    store_url, account = options.store_settings(store_url, account)
    chosen = None if status == "all" else status
    with Database(store_url, read_only=True) as db:
        for one in ids:
            if not any(pages(db, account, Selection(status=chosen, ids=[one]), size=1)):
                kind = "" if chosen is None else f"{chosen} "
                raise UsageError(
                    f"No {kind}dead letter begins with {one!r}.",
                    remedy="See their ids with: dlt-bunce dead-letters list --status all",
                )

    def found() -> Iterator[list[dict[str, Any]]]:
        with Database(store_url, read_only=True) as db:
            yield from pages(db, account, Selection(status=chosen, codes=codes, ids=ids))

    return found()


@command.command("list")
@_filters
@_status
@click.option(
    "--limit",
    default=50,
    show_default=True,
    type=click.IntRange(min=1),
    help="How many to show.",
)
@options.store_options
def list_letters(
    codes: tuple[str, ...],
    ids: tuple[str, ...],
    status: str,
    limit: int,
    store_url: str | None,
    account: str | None,
    as_json: bool,
) -> None:
    """List dead letters, without the values of their rows.

    Example: dlt-bunce dead-letters list --code email_taken --limit 200
    """
    with reported():
        pages = _pages(store_url, account, status, codes, ids)
        letters = itertools.islice(itertools.chain.from_iterable(pages), limit)
        rows = [{name: letter[name] for name in _SHOWN} for letter in letters]
        if as_json:
            output.as_json(rows)
            return
        output.print_rows(rows, _SHOWN, f"Dead letters ({status})")
        if len(rows) == limit:
            output.console().print(f"Only the first {limit} are shown: --limit shows more.")


@command.command("show")
@click.argument("letter_id", metavar="ID", type=_LetterId())
@options.store_options
def show(letter_id: str, store_url: str | None, account: str | None, as_json: bool) -> None:
    """Show one dead letter with its row and what Bunce said.

    ID may be shortened to its beginning.

    Example: dlt-bunce dead-letters show 7f3c
    """
    with reported():
        pages = _pages(store_url, account, "all", ids=(letter_id,))
        found = list(itertools.islice(itertools.chain.from_iterable(pages), 2))
        if len(found) > 1:
            raise UsageError(
                f"More than one dead letter begins with {letter_id!r}.",
                remedy="Give more of its id.",
            )
        letter = found[0]
        for name in ("source_row", "payload"):
            letter[name] = json.loads(letter[name]) if letter[name] else None
        known = REJECT_CODES.get(letter["code"])
        if as_json:
            output.as_json(letter | {"remedy": known.remedy if known else None})
            return
        for name, value in letter.items():
            if value is not None:
                click.echo(f"{name:14} {json.dumps(value, ensure_ascii=False, default=str)}")
        if known:
            click.echo(f"{'remedy':14} {known.remedy}")


@command.command("export")
@click.argument("file", type=click.Path(path_type=Path))
@_filters
@_status
@click.option("--overwrite", is_flag=True, help="Replace FILE if it exists.")
@options.store_options
def export(
    file: Path,
    codes: tuple[str, ...],
    ids: tuple[str, ...],
    status: str,
    overwrite: bool,
    store_url: str | None,
    account: str | None,
    as_json: bool,
) -> None:
    """Write dead letters with their rows to FILE: .parquet, .csv, or .jsonl.

    The columns source_row and payload are JSON text in each of them.

    Example: dlt-bunce dead-letters export rejected.csv --code invalid_phone_no
    """
    with reported():
        from dlt_bunce.cli.export import write

        pages = _pages(store_url, account, status, codes, ids)
        count = write(file, pages, overwrite=overwrite)
        if as_json:
            output.as_json({"file": str(file), "dead_letters": count})
        else:
            click.echo(f"{count:,} dead letters written to {file} (it holds personal data).")


@command.command("replay")
@_filters
@click.option("--map", "maps", multiple=True, metavar="FIELD=COLUMN", help="Column of a field.")
@options.store_options
def replay_letters(
    codes: tuple[str, ...],
    ids: tuple[str, ...],
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
        from dlt_bunce.cli.loading import parse_maps
        from dlt_bunce.replay import replay
        from dlt_bunce.store.selection import Selection

        mapping = parse_maps(maps)
        _pages(store_url, account, "open", ids=ids)
        client = options.client(store_url=store_url, account=account)
        done = replay(client, selection=Selection(codes=codes, ids=ids), mapping=mapping)
        if as_json:
            output.as_json(done.summary.as_dict() | {"without_row": done.without_row})
            return
        output.print_summary(done.summary, "Replayed")
        if done.without_row:
            output.console().print(
                f"{done.without_row:,} dead letters were left alone: they were written with "
                'dead_letter_rows = "keys" and hold no row to send. Load their source again.'
            )


@command.command("discard")
@_filters
@click.option("--all", "everything", is_flag=True, help="Every open dead letter.")
@options.store_options
def discard_letters(
    codes: tuple[str, ...],
    ids: tuple[str, ...],
    everything: bool,
    store_url: str | None,
    account: str | None,
    as_json: bool,
) -> None:
    """Close open dead letters by hand: their rows are not sent unless they change.

    Example: dlt-bunce dead-letters discard --code missing_customer_id
    """
    with reported():
        from dlt_bunce.store.database import Database
        from dlt_bunce.store.dead_letters import discard
        from dlt_bunce.store.selection import Selection

        if not (codes or ids or everything):
            raise UsageError("Nothing is chosen.", remedy="Give --id, --code, or --all.")
        url, name = options.store_settings(store_url, account)
        _pages(store_url, account, "open", ids=ids)
        with Database(url) as db:
            count = discard(db, name, Selection(codes=codes, ids=ids))
        if as_json:
            output.as_json({"discarded": count})
        else:
            click.echo(f"{count:,} dead letters discarded.")


@command.command("purge")
@click.option("--yes", is_flag=True, help="Do not ask.")
@options.store_options
def purge_letters(yes: bool, store_url: str | None, account: str | None, as_json: bool) -> None:
    """Delete dead letters that are resolved, superseded, or discarded."""
    with reported():
        from dlt_bunce.store.database import Database
        from dlt_bunce.store.dead_letters import purge

        _pages(store_url, account, "all")
        if not yes:
            if not sys.stdin.isatty():
                raise UsageError("Nobody can be asked.", remedy="Say so beforehand: --yes")
            question = "Delete every dead letter that is not open?"
            click.confirm(question, abort=True, err=True)
        url, name = options.store_settings(store_url, account)
        with Database(url) as db:
            count = purge(db, name)
        if as_json:
            output.as_json({"purged": count})
        else:
            click.echo(f"{count:,} dead letters deleted.")
