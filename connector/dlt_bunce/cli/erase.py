"""The command `dlt-bunce erase`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dlt_bunce.cli import options, output
from dlt_bunce.cli.failures import reported
from dlt_bunce.errors import UsageError

if TYPE_CHECKING:
    from dlt_bunce.erasure import Erased

_BUNCE_HOLDS = (
    "Bunce still has them, and its API has no call that deletes: have them deleted there, and at "
    "the source, whose next load would create them anew. Exports of dead letters, backups, and "
    "other machines' folders are not reached."
)


@click.command("erase")
@click.argument("customer_ids", nargs=-1, metavar="[CUSTOMER_ID]...")
@click.option(
    "--from-file",
    "file",
    type=click.Path(path_type=Path),
    help="Ids in a file: one a line, or the column of a .csv or .parquet that is customer_id.",
)
@click.option(
    "--map",
    "maps",
    multiple=True,
    metavar="FIELD=COLUMN",
    help="Column of customer_id or email, in files that do not tell.",
)
@click.option(
    "--related", is_flag=True, help="Letters of others that share an email or phone, too."
)
@click.option(
    "--pipelines-dir",
    "pipelines_dirs",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A further folder of dlt's working folders; may be repeated.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@options.store_options
def command(
    customer_ids: tuple[str, ...],
    file: Path | None,
    maps: tuple[str, ...],
    related: bool,
    pipelines_dirs: tuple[Path, ...],
    yes: bool,
    store_url: str | None,
    account: str | None,
    as_json: bool,
) -> None:
    """Remove persons from all that dlt-bunce keeps on this machine and in the store.

    They go from the ledger, from the dead letters, and from the files in dlt's working folders:
    pending, failed, kept, and given up. A letter without an id goes where it has the email of one
    of them; letters of other customers that share an email or phone are told, and stay without
    --related. What was deleted is overwritten in the database's files. No load may run meanwhile:
    one on this machine is waited for, and one elsewhere is refused while it sends. Either all that
    was found goes, or nothing.

    Example: dlt-bunce erase 1017 --yes
    """
    with reported():
        from dlt_bunce.cli.source_args import parse_maps
        from dlt_bunce.erasure import Request, erase
        from dlt_bunce.store.database import Database

        ids = [*customer_ids, *(_ids_in(file, parse_maps(maps)) if file else ())]
        url, name = options.store_settings(store_url, account)
        with Database(url, read_only=True):
            pass  # there is one
        if ids and not yes:
            if not sys.stdin.isatty():
                raise UsageError("Nobody can be asked.", remedy="Say so beforehand: --yes")
            question = f"Erase {len(set(ids)):,} persons from account {name}, for good?"
            click.confirm(question, abort=True, err=True)
        request = Request(
            ids,
            url,
            name,
            mapping=parse_maps(maps),
            configured=options.configured_mapping(),
            related=related,
            pipelines_dirs=pipelines_dirs,
            wait_s=options.wait_for_run,
        )
        with options.waiting_told():
            done = erase(request)
        if as_json:
            output.as_json(done.as_dict())
        else:
            _print(done, name)
        options.exit_if_remains(done.remains)


def _print(done: Erased, account: str) -> None:
    click.echo(
        f"Erased from account {account}: {done.ledger:,} customers of the ledger, "
        f"{done.dead_letters:,} dead letters, {done.package_rows:,} rows in dlt's folders."
    )
    for path, count in done.files.items():
        click.echo(f"  {count:,} rows of {path}")
    for one in done.nowhere:
        click.echo(f"Nothing was found of {one}.")
    for told, found in (
        ("Letters of others that share an email or phone, and stay", done.related),
        ("Pipelines that may be loading elsewhere; erase again when they have ended", done.running),
        ("Not searched, since nothing tells whose rows these are", done.not_searched),
    ):
        if found:
            click.echo(f"{told}: {', '.join(found)}")
    click.echo(_BUNCE_HOLDS)


def _ids_in(file: Path, maps: dict[str, str]) -> Sequence[str]:
    """Raises UsageError for a file that cannot be read."""
    from dlt_bunce.cli.id_files import ids_in

    return ids_in(file, maps.get("customer_id"))
