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
from dlt_bunce.cli.live_progress import figures, hooked, terminated_as_interrupted, watched
from dlt_bunce.cli.mapped import mapping_shown
from dlt_bunce.cli.unrecorded import recorded_if_known
from dlt_bunce.errors import SourceError, ThresholdError

if TYPE_CHECKING:
    import dlt

    from dlt_bunce.cli.source_args import Origin
    from dlt_bunce.destination.factory import bunce
    from dlt_bunce.model import RunSummary
    from dlt_bunce.sources import Shard

LEFT_BEHIND = "Loading rows left over from an earlier run first."


@click.command("load")
@options.source_options
@click.option("--shard", metavar="K/N", help="Load part K of N, from 1/N to N/N.")
@click.option(
    "--shard-key",
    metavar="COLUMN",
    help="Column that divides a database table into shards.",
)
@click.option(
    "--plan",
    default="default",
    show_default=True,
    help="Name under which the store keeps the shard boundaries.",
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Count what would be sent, without sending or writing.",
)
@options.link_option
@click.option(
    "--max-reject-share",
    type=click.FloatRange(0, 1),
    help="Exit with 3 if more than this share of rows is rejected or held; the rest are loaded.",
)
@click.option(
    "--max-reject-count",
    type=click.IntRange(min=0),
    help="Exit with 3 if more rows than this are rejected or held; the rest are loaded.",
)
@click.option(
    "--min-rows-share-of-last",
    type=click.FloatRange(0, 1),
    help="Exit with 3 if fewer rows are read than this share of the last run's rows.",
)
@click.option(
    "--min-rows",
    type=click.IntRange(min=0),
    help="Exit with 3 if fewer rows than this are read.",
)
@options.store_options
def command(
    origin: Origin,
    shard: str | None,
    shard_key: str | None,
    plan: str,
    dry_run: bool,
    on_email_taken: str | None,
    max_reject_share: float | None,
    max_reject_count: int | None,
    min_rows_share_of_last: float | None,
    min_rows: int | None,
    store_url: str | None,
    account: str | None,
    as_json: bool,
) -> None:
    """Load customers from SOURCE into Bunce.

    SOURCE is a file, folder, or glob of files, s3://…, postgresql://…, mysql://…, duckdb:///…, any
    SQLAlchemy URL, or env:NAME for a URL in an environment variable, which is where a password
    belongs. Files are CSV with a header (.csv, .tsv, .txt), Parquet, JSON (.jsonl, .json), Excel
    (.xlsx), Avro, or Arrow, text also compressed; a Delta or Iceberg table is given by its folder.
    Every column of a CSV is read as text, and an empty cell as null. A line that cannot be read is
    the dead letter unreadable_row.

    A CSV that `dead-letters export` wrote and a person corrected is loaded like any other. Its
    column dead_letter_id closes exactly the dead letters whose rows are accepted. A row is counted
    as superseded, and not sent, if Bunce has accepted other content for its customer since the
    dead letter was last seen, or any if the dead letter is gone; so are its attribute values and
    segments. Correct the source as well, or its next load brings the old row back.

    Example: dlt-bunce load 'exports/*.parquet' --map phone_no=msisdn --dry-run

    Example: dlt-bunce load customers.csv --encoding cp1250

    Example: dlt-bunce load customers.xlsx --sheet Contacts

    Example: dlt-bunce load env:CRM_URL --table crm.people --version-column updated_at

    Example: dlt-bunce load env:CRM_URL --table crm.people --shard 2/8 --shard-key id
    """
    with (
        reported(),
        terminated_as_interrupted(),
        recorded_if_known(origin, shard, store_url, account) as began_at,
    ):
        import dlt

        from dlt_bunce.destination.access import client_for
        from dlt_bunce.destination.folder.source_store import refuse_other_store
        from dlt_bunce.destination.mapping.adapter import bunce_adapter
        from dlt_bunce.operations.flush import flush_and_run, has_left_overs
        from dlt_bunce.records.cells import LETTER_ID
        from dlt_bunce.sources import Shard

        hints = origin.hints
        part = Shard.parse(shard) if shard else None
        if shard_key and part is None:
            raise SourceError(
                "--shard-key requires --shard.", remedy="Add, for example, --shard 1/8."
            )
        few = origin.limit is not None or LETTER_ID in origin.columns
        if few and min_rows_share_of_last is None:
            min_rows_share_of_last = 0.0  # a few rows are expected
        destination = options.destination(
            ask=not dry_run,
            store_url=store_url,
            account=account,
            dry_run=dry_run or None,
            on_email_taken=on_email_taken,
            max_reject_share=max_reject_share,
            max_reject_count=max_reject_count,
            min_rows_share_of_last=min_rows_share_of_last,
            min_rows=min_rows,
            **origin.settings,
        )
        store = options.store_settings(store_url, account)
        _describe_run(destination, origin, part, began_at)
        name = origin.pipeline_name(*store)
        own_name = part.pipeline_name(name) if part else name
        client = client_for(destination, own_name)
        with _folder(client.config.dry_run) as folder, contextlib.ExitStack() as held:

            def pipeline_of(name: str) -> dlt.Pipeline:
                return dlt.pipeline(name, pipelines_dir=folder, destination=destination)  # type: ignore[arg-type]

            held.enter_context(_folder_lock(destination, own_name, folder))
            held.enter_context(mapping_shown(destination, origin.other_columns, quiet=as_json))
            pipeline = pipeline_of(own_name)
            refuse_other_store(client)
            siblings = _siblings(
                pipeline, origin.family(*store), pipeline.pipeline_name[len(name) :]
            )
            flushed = _flushed(destination, map(pipeline_of, siblings))
            pipeline.activate()
            resource = (
                origin.shard(pipeline, part, key=shard_key, plan=plan)
                if part
                else origin.resource()
            )
            if has_left_overs(pipeline):
                click.echo(LEFT_BEHIND, err=True)
            over: ThresholdError | None = None
            try:
                with (
                    hooked(destination),
                    watched(destination),
                    figures(destination.run_context, as_json),
                ):
                    summary = flush_and_run(
                        pipeline,
                        bunce_adapter(
                            resource,
                            **hints,
                            attributes=origin.attributes,
                            segments=origin.segments,
                            segments_whole=origin.is_whole,
                            values_only=origin.values_only,
                        ),
                        write_disposition=origin.disposition,
                    )
            except ThresholdError as error:  # its summary is shown like any other
                summary, over = error.summary, error
        summary = _with_flushed(_with_no_rows(summary), flushed, own_name)
        if as_json:
            output.as_json(summary.as_dict())
        else:
            output.print_summary(summary, "Loaded")
            output.print_notes(summary.notes)
            if LETTER_ID in origin.columns:
                _print_overtaken(summary, LETTER_ID)
        _raise_over(over, flushed)


def _print_overtaken(summary: RunSummary, letter_id: str) -> None:
    """Print why corrected rows, or their values, were not sent."""
    values = (summary.attributes, summary.segments)
    if summary.superseded or any(counts.get("superseded") for counts in values):
        output.console().print(
            "What is superseded was not sent: Bunce has accepted other content for these customers "
            "since their dead letters were last seen, or their dead letters are gone. To send such "
            f"a row anyway, clear its {letter_id} cell."
        )


def _describe_run(destination: bunce, origin: Origin, part: Shard | None, began_at: str) -> None:
    context = destination.run_context
    context.source = f"{origin.label} {part}" if part else origin.label
    context.command_source, context.began_at = origin.command_source, began_at


@contextlib.contextmanager
def _folder_lock(destination: bunce, name: str, folder: str | None) -> Iterator[None]:
    """Run one command at a time per source, and print a line if this one has to wait."""
    from dlt_bunce.destination.folder.folder_locks import lock_for

    destination.run_context.on_wait.append(options.report_waiting)
    with lock_for(destination, name, folder):
        yield


def _siblings(pipeline: dlt.Pipeline, family: str, shard: str) -> list[str]:
    """Return pipelines that the same command used when its file had other columns."""
    pattern = re.compile(f"{family}(_[0-9a-f]+)?{shard}")
    folders = Path(pipeline.pipelines_dir).glob(f"{family}*")
    found = sorted(folder.name for folder in folders if pattern.fullmatch(folder.name))
    return [name for name in found if name != pipeline.pipeline_name]


def _flushed(destination: bunce, pipelines: Iterable[dlt.Pipeline]) -> list[RunSummary]:
    """Load the rows that earlier runs of these pipelines left over."""
    from dlt_bunce.operations.flush import flush, has_left_overs

    found: list[RunSummary] = []
    for pipeline in pipelines:
        if has_left_overs(pipeline):
            click.echo(LEFT_BEHIND, err=True)
            with watched(destination):
                found.append(flush(pipeline))
    return found


def _with_no_rows(summary: RunSummary) -> RunSummary:
    """Add the warning no_rows: unlike a pipeline with a cursor, a command reads a whole source."""
    if summary.rows_read:
        return summary
    return replace(summary, warnings={**summary.warnings, "no_rows": 0})


def _with_flushed(summary: RunSummary, flushed: list[RunSummary], name: str) -> RunSummary:
    """Add what was loaded of other pipelines to what the one of this name has flushed."""
    from dlt_bunce.destination.runs.run_summary import add_up

    if not flushed:
        return summary
    before = [run for run in (summary.flushed, *flushed) if run is not None]
    return replace(summary, flushed=add_up(before, name))


def _raise_over(over: ThresholdError | None, flushed: Iterable[RunSummary]) -> None:
    """Raise the first ThresholdError among all loaded runs."""
    if over is not None:
        raise over
    for summary in flushed:
        summary.raise_if_over_thresholds()


@contextlib.contextmanager
def _folder(throwaway: bool) -> Iterator[str | None]:
    """Yield a temporary folder for a dry run, which must leave nothing for a later run to load."""
    if not throwaway:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="dlt-bunce-") as folder:
        yield folder
