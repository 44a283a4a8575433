"""The command `dlt-bunce load`."""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dlt_bunce.cli import options, output
from dlt_bunce.cli.failures import reported
from dlt_bunce.cli.live_progress import hooked, watched
from dlt_bunce.errors import SourceError, ThresholdError

if TYPE_CHECKING:
    import dlt

    from dlt_bunce.cli.source_args import Origin
    from dlt_bunce.destination.factory import bunce
    from dlt_bunce.model import RunSummary

LEFT_BEHIND = "Rows that an earlier run left behind are loaded first."


@click.command("load")
@options.source_options
@click.option("--shard", metavar="K/N", help="Load the K-th of N parts, from 1/N to N/N.")
@click.option("--shard-key", metavar="COLUMN", help="Column by which a database is divided.")
@click.option(
    "--plan",
    default="default",
    show_default=True,
    help="Name under which the store keeps where shards begin.",
)
@click.option("--dry-run", is_flag=True, help="Count what would be sent; send and write nothing.")
@click.option(
    "--max-reject-share",
    type=click.FloatRange(0, 1),
    help="Exit with 3 when a larger share of the rows is rejected or held; all others are loaded.",
)
@click.option(
    "--max-reject-count",
    type=click.IntRange(min=0),
    help="Exit with 3 when more rows are rejected or held; all others are loaded.",
)
@click.option(
    "--min-rows-share-of-last",
    type=click.FloatRange(0, 1),
    help="Exit with 3 when fewer rows are read than this share of what the last run read.",
)
@click.option(
    "--min-rows", type=click.IntRange(min=0), help="Exit with 3 when fewer rows are read."
)
@options.store_options
def command(
    origin: Origin,
    shard: str | None,
    shard_key: str | None,
    plan: str,
    dry_run: bool,
    max_reject_share: float | None,
    max_reject_count: int | None,
    min_rows_share_of_last: float | None,
    min_rows: int | None,
    store_url: str | None,
    account: str | None,
    as_json: bool,
) -> None:
    """Load customers from SOURCE into Bunce.

    SOURCE is a file, folder, or glob of Parquet or CSV, s3://…, postgresql://…, mysql://…,
    duckdb:///…, any SQLAlchemy URL, or env:NAME for a URL in an environment variable, which is the
    place for passwords. CSV (.csv, .csv.gz) is UTF-8 with a header, separated by comma, semicolon,
    tab, or bar; every column is read as text, and an empty cell as null.

    A CSV that `dead-letters export` has written, and a person corrected, is loaded like any other.
    Its column dead_letter_id closes exactly those dead letters whose rows are accepted now; a row
    is counted as superseded, and not sent, when Bunce has accepted other content of its customer
    since the letter was met last. Correct the source as well, or its next load brings the old row.

    Example: dlt-bunce load 'exports/*.parquet' --map phone_no=msisdn --dry-run

    Example: dlt-bunce load customers.csv

    Example: dlt-bunce load env:CRM_URL --table crm.people --version-column updated_at

    Example: dlt-bunce load env:CRM_URL --table crm.people --shard 2/8 --shard-key id
    """
    with reported():
        import dlt

        from dlt_bunce.destination.adapter import bunce_adapter
        from dlt_bunce.destination.run_summary import add_up
        from dlt_bunce.operations.flush import flush_and_run, has_left_overs
        from dlt_bunce.records.cells import LETTER_ID
        from dlt_bunce.sources import Shard

        hints = origin.hints
        one = Shard.parse(shard) if shard else None
        if shard_key and one is None:
            raise SourceError("--shard-key needs --shard.", remedy="Add for example --shard 1/8.")
        few = origin.limit is not None or LETTER_ID in origin.columns
        if few and min_rows_share_of_last is None:
            min_rows_share_of_last = 0.0  # few rows are what was asked for
        destination = options.destination(
            store_url=store_url,
            account=account,
            dry_run=dry_run or None,
            max_reject_share=max_reject_share,
            max_reject_count=max_reject_count,
            min_rows_share_of_last=min_rows_share_of_last,
            min_rows=min_rows,
            version_format=origin.date_format,
        )
        store = options.store_settings(store_url, account)
        name = origin.pipeline_name(*store)
        dry_run = options.is_dry_run(destination)
        with _folder(dry_run) as folder, contextlib.ExitStack() as held:

            def pipeline_of(name: str) -> dlt.Pipeline:
                return dlt.pipeline(name, pipelines_dir=folder, destination=destination)  # type: ignore[arg-type]

            of_shard = one.pipeline_name(name) if one else name
            held.enter_context(_folder_lock(destination, of_shard, folder))
            pipeline = pipeline_of(of_shard)
            kin = _kin(pipeline, origin.family(*store), pipeline.pipeline_name[len(name) :])
            flushed = _flushed(map(pipeline_of, kin))
            pipeline.activate()
            resource = (
                origin.shard(pipeline, one, key=shard_key, plan=plan) if one else origin.resource()
            )
            if has_left_overs(pipeline):
                click.echo(LEFT_BEHIND, err=True)
            over: ThresholdError | None = None
            try:
                with hooked(), watched():
                    summary = flush_and_run(
                        pipeline,
                        bunce_adapter(resource, **hints),
                        write_disposition=origin.disposition,
                    )
            except ThresholdError as error:  # its figures are shown like any others
                summary, over = error.summary, error
        summary = _with_no_rows(summary)
        if flushed:
            before = [one for one in (summary.flushed, *flushed) if one is not None]
            summary = replace(summary, flushed=add_up(before, pipeline.pipeline_name))
        if as_json:
            output.as_json(summary.as_dict())
        else:
            output.print_summary(summary, "Loaded")
            output.print_notes(summary.notes)
            if summary.superseded and LETTER_ID in origin.columns:
                output.console().print(
                    "Superseded rows are not sent: since their dead letters were met last, Bunce "
                    "has accepted other content of these customers. To send such a row all the "
                    f"same, empty its cell {LETTER_ID}."
                )
        _raise_over(over, flushed)


@contextlib.contextmanager
def _folder_lock(destination: bunce, name: str, folder: str | None) -> Iterator[None]:
    """One command at a time for one source; who has to wait is told so."""
    from dlt_bunce.destination.folder_locks import lock_for

    with options.waiting_told(), lock_for(destination, name, folder):
        yield


def _kin(pipeline: dlt.Pipeline, family: str, shard: str) -> list[str]:
    """Pipelines that the same command has had when its file had other columns."""
    name = re.compile(f"{family}(_[0-9a-f]+)?{shard}")
    folders = Path(pipeline.pipelines_dir).glob(f"{family}*")
    found = sorted(folder.name for folder in folders if name.fullmatch(folder.name))
    return [one for one in found if one != pipeline.pipeline_name]


def _flushed(pipelines: Iterable[dlt.Pipeline]) -> list[RunSummary]:
    """Loads what they have left behind."""
    from dlt_bunce.operations.flush import flush, has_left_overs

    found: list[RunSummary] = []
    for pipeline in pipelines:
        if has_left_overs(pipeline):
            click.echo(LEFT_BEHIND, err=True)
            with watched():
                found.append(flush(pipeline))
    return found


def _with_no_rows(summary: RunSummary) -> RunSummary:
    """A command reads all of a source; a pipeline with a cursor may well find nothing new."""
    if summary.read:
        return summary
    return replace(summary, warnings={**summary.warnings, "no_rows": 0})


def _raise_over(over: ThresholdError | None, flushed: Iterable[RunSummary]) -> None:
    """Raises the first ThresholdError of all that was loaded."""
    if over is not None:
        raise over
    for summary in flushed:
        summary.raise_if_over_thresholds()


@contextlib.contextmanager
def _folder(throwaway: bool) -> Iterator[str | None]:
    """A dry run must leave nothing behind that a later run would take for its own."""
    if not throwaway:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="dlt-bunce-") as folder:
        yield folder
