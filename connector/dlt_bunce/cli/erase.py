"""The command `dlt-bunce erase`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dlt_bunce.cli import options, output
from dlt_bunce.cli.failures import reported
from dlt_bunce.cli.printable import echo
from dlt_bunce.errors import UsageError

if TYPE_CHECKING:
    from dlt_bunce.erasure import Erased

_BUNCE_HOLDS = (
    "Bunce still has these customers, and its API cannot delete them. Have them deleted in Bunce "
    "and at the source, or the next load creates them again. Exports of dead letters, backups, and "
    "folders on other machines are not erased."
)


@click.command("erase")
@click.argument("customer_ids", nargs=-1, metavar="[CUSTOMER_ID]...")
@click.option(
    "--from-file",
    "file",
    type=click.Path(path_type=Path),
    help="File of ids: one per line, or the customer_id column of a .csv or .parquet file.",
)
@click.option(
    "--map",
    "maps",
    multiple=True,
    metavar="FIELD=COLUMN",
    help="Column of customer_id or email, for files where it cannot be inferred.",
)
@click.option(
    "--related",
    is_flag=True,
    help="Also delete other customers' dead letters that share an email or phone number.",
)
@click.option(
    "--pipelines-dir",
    "pipelines_dirs",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Another folder that holds dlt's working folders; may be repeated.",
)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
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
    """Erase customers from everything that dlt-bunce keeps on this machine and in the store.

    They are removed from the ledger, the dead letters, and the files in dlt's working folders:
    pending, failed, kept, and given up. A dead letter without an id is removed if it has the email
    of one of them. Other customers' dead letters that share an email or phone number are listed,
    and removed only with --related. Deleted data is overwritten in the database files. No load may
    run at the same time: erase waits for one on this machine, and fails while one elsewhere is
    sending. Either everything that was found is erased, or nothing. Cursors of dlt and shard plans
    may hold single ids, and are kept.

    Example: dlt-bunce erase 1017 --yes
    """
    with reported():
        from dlt_bunce.cli.source_args import parse_maps
        from dlt_bunce.erasure import Request, erase
        from dlt_bunce.store.database import Database

        ids = [*customer_ids, *(_ids_in(file, parse_maps(maps)) if file else ())]
        url, name = options.store_settings(store_url, account)
        with Database(url, read_only=True):
            pass  # raises if there is no store
        if ids and not yes:
            if not options.can_ask():
                raise UsageError(options.NO_TERMINAL, remedy="Pass --yes.")
            customers = output.counted(len(set(ids)), "customer")
            question = f"Permanently erase {customers} from account {name}?"
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
            on_wait=[options.report_waiting],
        )
        erased = erase(request)
        if as_json:
            output.as_json(erased.as_dict())
        else:
            _print(erased, name)
        options.exit_if_remains(erased.remains)


def _print(erased: Erased, account: str) -> None:
    customers = output.counted(erased.ledger, "customer")
    letters = output.counted(erased.dead_letters, "dead letter")
    rows = output.counted(erased.package_rows, "row")
    values = output.counted(erased.rejected_values, "rejected value")
    echo(
        f"Erased from account {account}: {customers} in the ledger, {letters}, "
        + (f"{values}, " if erased.rejected_values else "")
        + f"and {rows} in dlt's folders."
    )
    for path, count in erased.files.items():
        echo(f"  {output.counted(count, 'row')} in {path}")
    if erased.bunce_ids:
        echo(f"Their ids in Bunce: {', '.join(erased.bunce_ids)}")
    for customer_id in erased.nowhere:
        echo(f"Nothing found for {customer_id}.")
    for label, names in (
        (
            "Kept dead letters of other customers that share an email or phone number",
            erased.related,
        ),
        ("Pipelines that may be running elsewhere; erase again once they finish", erased.running),
        (
            "Not searched, because they are another user's or their customers cannot be identified",
            erased.not_searched,
        ),
    ):
        if names:
            echo(f"{label}: {', '.join(names)}")
    echo(_BUNCE_HOLDS)


def _ids_in(file: Path, maps: Mapping[str, Any]) -> Sequence[str]:
    """Return the ids in a file. Raises UsageError for one that cannot be read."""
    from dlt_bunce.cli.id_files import ids_in

    return ids_in(file, maps.get("customer_id"))
