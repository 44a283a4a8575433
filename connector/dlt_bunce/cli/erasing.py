"""The command `dlt-bunce erase`."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import click

from dlt_bunce.cli import options, output
from dlt_bunce.cli.failures import reported
from dlt_bunce.errors import UsageError


@click.command("erase")
@click.argument("customer_ids", metavar="[CUSTOMER_ID]...", nargs=-1)
@click.option(
    "--from-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Read ids from a file, one a line.",
)
@click.option(
    "--pipelines-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where dlt keeps its pipelines (default: dlt's own).",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@options.store_options
def command(
    customer_ids: tuple[str, ...],
    from_file: Path | None,
    pipelines_dir: Path | None,
    yes: bool,
    store_url: str | None,
    account: str | None,
    as_json: bool,
) -> None:
    """Remove customers from the ledger, the dead letters, and the rows that dlt still holds.

    For whoever asks to be forgotten. What is deleted is overwritten, in SQLite the whole file.
    Bunce keeps the customer: delete them there, too. A source that still has them sends them again.
    """
    with reported():
        from dlt.common.pipeline import get_dlt_pipelines_dir

        from dlt_bunce.erasure import erase
        from dlt_bunce.store.account import refuse_unknown_account
        from dlt_bunce.store.database import Database

        lines = from_file.read_text("utf-8-sig").splitlines() if from_file else []
        ids = [one for one in (*customer_ids, *(line.strip() for line in lines)) if one]
        if not ids:
            raise UsageError("Nobody is named.", remedy="Give ids, or --from-file ids.txt")
        url, name = options.store_settings(store_url, account)
        with Database(url, read_only=True) as db:
            refuse_unknown_account(db, name)
        if not yes:
            if not sys.stdin.isatty():
                raise UsageError("Nobody can be asked.", remedy="Say so beforehand: --yes")
            question = f"Forget {len(ids):,} customers of account {name} for good?"
            click.confirm(question, abort=True, err=True)
        with Database(url) as db:
            erased = erase(db, name, ids, pipelines_dir or Path(get_dlt_pipelines_dir()))
        if as_json:
            output.as_json(dataclasses.asdict(erased))
            return
        click.echo(
            f"Erased from account {name}: {erased.ledger:,} customers of the ledger, "
            f"{erased.dead_letters:,} dead letters, {erased.package_rows:,} rows in dlt's folders."
        )
        for folder in erased.not_searched:
            click.echo(f"Not searched, since this store does not know the pipeline: {folder}")
        click.echo("Bunce still has them: delete them in its dashboard, and at the source.")
