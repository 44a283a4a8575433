"""`dead-letters export`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from dlt_bunce.cli import options, output
from dlt_bunce.cli.dead_letters.filters import filters, pages_of, store_of
from dlt_bunce.cli.failures import reported
from dlt_bunce.cli.printable import echo
from dlt_bunce.records.mapping.instructions import options as mapping_options

if TYPE_CHECKING:
    from dlt_bunce.cli.dead_letters.spreadsheet import Spreadsheet
    from dlt_bunce.store.letters.selection import Selection


@click.command("export")
@click.argument("file", type=click.Path(path_type=Path))
@filters(status=True)
@click.option(
    "--separator",
    type=click.Choice([",", ";"]),
    default=",",
    show_default=True,
    help="Separator for .csv; in many countries spreadsheets open the file correctly only with ;",
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
    """Write dead letters to FILE: .csv to correct by hand, .parquet or .jsonl for programs.

    A .csv is a spreadsheet with one row per dead letter: dead_letter_id, _code, _field, _message,
    _remedy, and _source (where its row came from), followed by the source's columns as the run read
    them. Correct the cells in Excel, LibreOffice, or Google Sheets, save the file as CSV (UTF-8),
    and load it with the command that is printed: each dead letter is closed when its row is
    accepted. Do not change dead_letter_id.

    A cell that a spreadsheet would run as a formula or reformat, such as a phone number with +, a
    long id, or a date, starts with an apostrophe: leave it in place, and type one before a new
    phone number. `load` removes it. If the dead letters come from runs that mapped columns
    differently, the columns are named after Bunce's fields. A value whose type does not fit its
    field (a number or a date as a name) is left empty for you to fill in.

    In .parquet and .jsonl, source_row and payload are JSON text, next to every other stored column.

    Example: dlt-bunce dead-letters export rejected.csv --code invalid_phone_no
    """
    with reported():
        from dlt_bunce.cli.dead_letters.writers import write
        from dlt_bunce.store.database import Database
        from dlt_bunce.store.runs.mappings import mapping_of, targets_of_runs, targets_of_table

        url, name = store_of(selection, store_url, account)
        runs: list[str] = []
        with Database(url, read_only=True) as db:

            def mapping(run_id: str, pipeline: str, table: str) -> dict[str, Any]:
                runs.append(run_id)
                return mapping_of(db, run_id, pipeline, table)

            written = write(
                file,
                pages_of(selection, url, name),
                mapping,
                records=cache(partial(targets_of_table, db, name)),
                separator=separator,
                overwrite=overwrite,
            )
            targets = {} if written.renamed else targets_of_runs(db, name, runs)
        is_csv = file.suffix.lower() == ".csv"
        load = None
        if is_csv and written.letters:
            load = _load(file, written, targets, store_url, account)
        if as_json:
            extra = (
                {"load": load, "without_row": written.without_row, "too_long": written.too_long}
                if is_csv
                else {}
            )
            output.as_json({"file": str(file), "dead_letters": written.letters} | extra)
            return
        count = output.counted(written.letters, "dead letter")
        personal = " The file contains personal data." if written.letters else ""
        echo(f"Wrote {count} to {file}.{personal}")
        if written.without_row:
            echo(
                f"Left out {output.counted(written.without_row, 'dead letter')} without a stored "
                'row, written with dead_letter_rows = "keys". Correct them at the source.'
            )
        if written.too_long:
            echo(
                f"Left out {output.counted(written.too_long, 'dead letter')} with a row too long "
                "for CSV (over 4 MB). Correct them at the source."
            )
        if written.renamed:
            echo(
                "The runs mapped columns differently, so the columns are named after Bunce's "
                "fields. To keep the source's column names, export one run at a time with --run."
            )
        if load:
            echo("Correct the cells, save the file as CSV (UTF-8), and load it with:")
            echo(f"  {load}")


def _load(
    file: Path,
    written: Spreadsheet,
    targets: Mapping[str, Mapping[str, str]],
    store_url: str | None,
    account: str | None,
) -> str:
    """Return the command that loads the corrected file, with attributes and segments that are not
    configured as the runs had them.
    """
    words = ["dlt-bunce", "load", str(file)]
    words += mapping_options(written.mapping)
    configured = _configured() if any(targets.values()) else {}
    for kind, columns in targets.items():
        if not _is_same(configured.get(kind), columns):
            for column, name in columns.items():
                words += [f"--{kind[:-1]}", f"{column}={name}"]
    words += ["--account", account] if account else []
    # a URL with a password must not end up in a shell's history
    words += ["--store-url", store_url] if store_url and not urlsplit(store_url).password else []
    return shlex.join(words)


def _is_same(configured: Any, columns: Mapping[str, str]) -> bool:
    """Return whether columns feed by the configuration what they have fed in runs."""
    if configured == "*":
        return all(column == name for column, name in columns.items())
    return bool(configured == columns)


def _configured() -> dict[str, Any]:
    """Return the attributes and segments of the configuration, which takes dlt."""
    from dlt_bunce.destination.mapping.wanted_targets import decoded_attributes
    from dlt_bunce.destination.settings.config_file import configured_targets

    attributes, segments = configured_targets()
    return {"attributes": decoded_attributes(attributes), "segments": segments or {}}
