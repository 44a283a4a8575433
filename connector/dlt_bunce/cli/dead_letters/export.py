"""`dead-letters export`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from dlt_bunce.cli import options, output
from dlt_bunce.cli.dead_letters.filters import filters, pages_of, store_of
from dlt_bunce.cli.failures import reported
from dlt_bunce.records.mapping import VERSION

if TYPE_CHECKING:
    from dlt_bunce.cli.dead_letters.spreadsheet import Spreadsheet
    from dlt_bunce.store.dead_letter_query import Selection


@click.command("export")
@click.argument("file", type=click.Path(path_type=Path))
@filters(status=True)
@click.option(
    "--separator",
    type=click.Choice([",", ";"]),
    default=",",
    show_default=True,
    help="Of a .csv: spreadsheets of many countries open it by a double click only with ;",
)
@click.option("--overwrite", is_flag=True, help="Replace FILE if it exists.")
@options.store_options
def export(
    file: Path,
    selection: Selection,
    separator: str,
    overwrite: bool,
    store_url: str | None,
    account: str | None,
    as_json: bool,
) -> None:
    """Write dead letters to FILE: .csv for a person, .parquet or .jsonl for programs.

    A .csv is a spreadsheet: a row for each letter, with the columns of the source as the run read
    them, behind dead_letter_id, _code, _field, _message, and _remedy. Correct its cells in Excel,
    LibreOffice, or Google Sheets, save it as CSV (UTF-8), and load it with the command that is
    printed: the letters are closed as their rows are accepted. Leave dead_letter_id as it is.

    A cell that a spreadsheet would run as a formula or write differently, such as a phone number
    with +, a long id, or a date, begins with an apostrophe: leave it there, and type one before a
    new phone number. `load` takes it off. Where letters come from runs that mapped their columns
    differently, these stand under the names of Bunce's fields. A value of a type that its field
    cannot have (a number as a name) is left empty, to be filled in.

    In .parquet and .jsonl, source_row and payload are JSON text, beside all that the store has.

    Example: dlt-bunce dead-letters export rejected.csv --code invalid_phone_no
    """
    with reported():
        from dlt_bunce.cli.dead_letters.writers import write
        from dlt_bunce.store.database import Database
        from dlt_bunce.store.mappings import mapping_of

        url, name = store_of(selection, store_url, account)
        with Database(url, read_only=True) as db:
            done = write(
                file,
                pages_of(selection, url, name),
                lambda run_id, pipeline: mapping_of(db, run_id, pipeline),
                separator=separator,
                overwrite=overwrite,
            )
        is_csv = file.suffix.lower() == ".csv"
        load = _load(file, done, store_url, account) if is_csv and done.letters else None
        if as_json:
            told = {"load": load, "without_row": done.without_row} if is_csv else {}
            output.as_json({"file": str(file), "dead_letters": done.letters} | told)
            return
        click.echo(f"{done.letters:,} dead letters written to {file} (it holds personal data).")
        if done.without_row:
            click.echo(
                f"{done.without_row:,} dead letters are left out: they were written with "
                'dead_letter_rows = "keys" and hold no row. Correct their source.'
            )
        if done.renamed:
            click.echo(
                "Their runs mapped columns differently, so these stand under the names of Bunce's "
                "fields. To have the source's own names, export run by run, with --run."
            )
        if load:
            click.echo(f"Correct its cells, save it as CSV (UTF-8), and load it with:\n  {load}")


def _load(file: Path, done: Spreadsheet, store_url: str | None, account: str | None) -> str:
    """The command that loads the file once it is corrected."""
    words = ["dlt-bunce", "load", str(file)]
    for name, column in done.mapping.items():
        words += ["--version-column", column] if name == VERSION else ["--map", f"{name}={column}"]
    words += ["--account", account] if account else []
    # a password in it belongs into no terminal's history
    words += ["--store-url", store_url] if store_url and not urlsplit(store_url).password else []
    return shlex.join(words)
