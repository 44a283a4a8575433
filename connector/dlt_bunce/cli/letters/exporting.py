"""`dead-letters export`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dlt_bunce.cli import options, output
from dlt_bunce.cli.failures import reported
from dlt_bunce.cli.letters.choosing import filters, pages_of, store_of

if TYPE_CHECKING:
    from dlt_bunce.store.selection import Selection


@click.command("export")
@click.argument("file", type=click.Path(path_type=Path))
@filters(status=True)
@click.option("--overwrite", is_flag=True, help="Replace FILE if it exists.")
@options.store_options
def export(
    file: Path,
    selection: Selection,
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

        url, name = store_of(selection, store_url, account)
        count = write(file, pages_of(selection, url, name), overwrite=overwrite)
        if as_json:
            output.as_json({"file": str(file), "dead_letters": count})
        else:
            click.echo(f"{count:,} dead letters written to {file} (it holds personal data).")
