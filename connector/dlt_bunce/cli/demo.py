"""The command `dlt-bunce demo`: three loads into an emulator."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import click

from dlt_bunce.cli import output
from dlt_bunce.cli.failures import reported
from dlt_bunce.errors import UsageError, not_installed

_MARK = ".dlt-bunce-demo"


@click.command("demo")
@click.option(
    "--rows",
    default=10_000,
    show_default=True,
    type=click.IntRange(min=100),
    help="Number of sample customers.",
)
@click.option(
    "--folder",
    default="demo",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Folder for the sample and the store; an earlier demo in it is replaced.",
)
def command(rows: int, folder: Path) -> None:
    """Load a sample of customers three times: new, unchanged, and corrected.

    Everything stays on this machine: Bunce's API is emulated on a free loopback port.
    """
    with reported():
        try:
            from dlt_bunce.emulator import Behavior, Emulator
        except ImportError:
            raise not_installed("The emulator is", "emulator") from None
        _fresh(folder)
        with Emulator(Behavior()) as bunce_api:
            _show_loads(folder, rows, bunce_api)


def _show_loads(folder: Path, rows: int, bunce_api: Any) -> None:
    import pyarrow.parquet as pq

    from dlt_bunce.cli.sample import corrected, sample

    say = output.console().print
    say(f"Bunce's API is emulated at {bunce_api.base_url}; nothing leaves this machine.")
    say()
    table, _ = sample(rows)
    file = folder / "customers.parquet"
    pq.write_table(table, file)
    say(f"Wrote a CRM export of {table.num_rows:,} customers, some with defects, to {file}")

    first = _load(folder, bunce_api.base_url)
    output.print_summary(first, "First load: every customer is new", can_list=False)

    say()
    say("The same file again: customers that Bunce has are not sent, rejected rows are held.")
    second = _load(folder, bunce_api.base_url)
    output.print_summary(second, "Second load: nothing has changed", can_list=False)

    repaired, count = corrected(table)
    pq.write_table(repaired, file)
    say()
    say(f"Corrected {output.counted(count, 'defective row')} in the CRM and exported again.")
    third = _load(folder, bunce_api.base_url)
    output.print_summary(third, "Third load: only corrected rows are sent", can_list=False)
    _show_letters(folder)
    say(f"Bunce now has {len(bunce_api.customers):,} customers.")
    say()

    program = Path(sys.argv[0]).absolute()
    shown = program.relative_to(Path.cwd()) if program.is_relative_to(Path.cwd()) else program.name
    url = f"--store-url sqlite:///{folder / 'bunce.sqlite'}"
    say(f"The sample and the store are in {folder.resolve()}. Explore them with:")
    for words in (
        "status",
        "dead-letters list",
        "dead-letters show ID",
        "dead-letters export rejected.csv",
    ):
        say(f"  {shown} {words} {url}", soft_wrap=True)  # to be copied as one line


def _load(folder: Path, base_url: str) -> Any:
    import dlt

    from dlt_bunce.cli.live_progress import watched
    from dlt_bunce.destination.factory import bunce
    from dlt_bunce.destination.mapping.adapter import bunce_adapter
    from dlt_bunce.operations.flush import flush_and_run
    from dlt_bunce.sources import from_parquet

    destination = bunce(
        credentials="sk_test_emulator",
        base_url=base_url,
        store_url=f"sqlite:///{folder / 'bunce.sqlite'}",
        devices="strict",  # so that every reject code occurs
    )
    pipeline = dlt.pipeline(
        "bunce_demo", pipelines_dir=str(folder / "pipelines"), destination=destination
    )
    customers = bunce_adapter(
        from_parquet(str(folder / "customers.parquet")), phone_no="mobile", version="updated_at"
    )
    with watched(destination):
        return flush_and_run(pipeline, customers, write_disposition="merge")


def _show_letters(folder: Path) -> None:
    from dlt_bunce.store.database import Database

    with Database(f"sqlite:///{folder / 'bunce.sqlite'}", read_only=True) as db:
        rows = db.rows(
            "SELECT status, COUNT(*) AS dead_letters FROM bunce_dead_letters "
            "GROUP BY status ORDER BY status"
        )
    output.print_rows(rows, ("status", "dead_letters"), "Dead letters after three loads")


def _fresh(folder: Path) -> None:
    """Make the folder empty: replace an earlier demo's, and refuse any other that holds files."""
    if folder.exists():
        if not (folder / _MARK).exists() and any(folder.iterdir()):
            raise UsageError(
                f"The folder {folder} exists and holds other files.",
                remedy="Choose another with --folder NAME.",
            )
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / _MARK).touch()
