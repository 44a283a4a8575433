"""The command `dlt-bunce dead-letters`."""

from __future__ import annotations

import itertools
import json
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


def _filters(function: Any) -> Any:
    function = click.option("--code", "codes", multiple=True, help="Only this code.")(function)
    return click.option("--id", "ids", multiple=True, help="Only this id, or its beginning.")(
        function
    )


def _status(function: Any) -> Any:
    return click.option(
        "--status", type=click.Choice(_STATUSES), default="open", show_default=True
    )(function)


def _pages(
    store_url: str | None,
    account: str | None,
    status: str,
    codes: tuple[str, ...],
    ids: tuple[str, ...],
) -> Iterator[list[dict[str, Any]]]:
    from dlt_bunce.store.database import Database
    from dlt_bunce.store.dead_letters import select

    unknown = set(codes) - REJECT_CODES.keys()
    if unknown:
        raise UsageError(
            f"There is no reject code {min(unknown)!r}.",
            remedy=f"The codes are: {', '.join(REJECT_CODES)}.",
        )
    store_url, account = options.store_settings(store_url, account)
    with Database(store_url, read_only=True) as db:
        chosen = None if status == "all" else status
        yield from select(db, account, status=chosen, codes=codes, ids=ids)


@command.command("list")
@_filters
@_status
@click.option("--limit", default=50, show_default=True, help="How many to show.")
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
    """List dead letters without the values of their rows."""
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
@click.argument("letter_id", metavar="ID")
@options.store_options
def show(letter_id: str, store_url: str | None, account: str | None, as_json: bool) -> None:
    """Show one dead letter with its row and what Bunce said."""
    with reported():
        pages = _pages(store_url, account, "all", (), (letter_id,))
        found = list(itertools.islice(itertools.chain.from_iterable(pages), 2))
        if len(found) != 1:
            raise UsageError(
                f"{'No' if not found else 'More than one'} dead letter begins with {letter_id!r}.",
                remedy="See their ids with: dlt-bunce dead-letters list",
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
@options.store_options
def export(
    file: Path,
    codes: tuple[str, ...],
    ids: tuple[str, ...],
    status: str,
    store_url: str | None,
    account: str | None,
    as_json: bool,
) -> None:
    """Write dead letters with their rows to FILE: .parquet, .csv, or .jsonl."""
    with reported():
        from dlt_bunce.cli.export import write

        count = write(file, _pages(store_url, account, status, codes, ids))
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
    """Send the stored rows of open dead letters again, with today's mapping and rules."""
    with reported():
        from dlt_bunce.cli.loading import parse_maps
        from dlt_bunce.replay import replay

        client = options.client(store_url=store_url, account=account)
        summary = replay(client, codes=codes, ids=ids, mapping=parse_maps(maps))
        if as_json:
            output.as_json(summary.as_dict())
        else:
            output.print_summary(summary, "Replayed")


@command.command("discard")
@_filters
@click.option("--all", "everything", is_flag=True, help="Every open dead letter.")
@options.store_options
def discard(
    codes: tuple[str, ...],
    ids: tuple[str, ...],
    everything: bool,
    store_url: str | None,
    account: str | None,
    as_json: bool,
) -> None:
    """Close open dead letters by hand: their rows are not sent unless they change."""
    with reported():
        from dlt_bunce.store.database import Database
        from dlt_bunce.store.dead_letters import set_status

        if not (codes or ids or everything):
            raise UsageError("Nothing is chosen.", remedy="Give --id, --code, or --all.")
        url, name = options.store_settings(store_url, account)
        chosen = [
            letter["id"]
            for page in _pages(store_url, account, "open", codes, ids)
            for letter in page
        ]
        with Database(url) as db, db.transaction():
            set_status(db, name, chosen, "discarded")
        if as_json:
            output.as_json({"discarded": len(chosen)})
        else:
            click.echo(f"{len(chosen):,} dead letters discarded.")


@command.command("purge")
@click.confirmation_option(prompt="Delete every dead letter that is not open?")
@options.store_options
def purge_letters(store_url: str | None, account: str | None, as_json: bool) -> None:
    """Delete dead letters that are resolved, superseded, or discarded."""
    with reported():
        from dlt_bunce.store.database import Database
        from dlt_bunce.store.dead_letters import purge

        url, name = options.store_settings(store_url, account)
        with Database(url) as db:
            count = purge(db, name)
        if as_json:
            output.as_json({"purged": count})
        else:
            click.echo(f"{count:,} dead letters deleted.")
