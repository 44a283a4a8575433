"""The command `dlt-bunce load`."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dlt_bunce.cli import options, output
from dlt_bunce.cli.failures import BAD_URL, reported
from dlt_bunce.errors import MappingError, SourceError, ThresholdError

if TYPE_CHECKING:
    import dlt
    from dlt.extract import DltResource

    from dlt_bunce.sources import Shard


@click.command("load")
@click.argument("source")
@click.option("--table", help="Table or view of a database, with its schema if needed.")
@click.option("--query", help="Query of a database.")
@click.option("--map", "maps", multiple=True, metavar="FIELD=COLUMN", help="Column of a field.")
@click.option(
    "--disposition",
    type=click.Choice(["append", "merge"]),
    default="merge",
    show_default=True,
    help="append creates only; merge creates and updates.",
)
@click.option("--version-column", help="Column that grows whenever a row changes.")
@click.option("--shard", metavar="K/N", help="Load the K-th of N parts, from 1/N to N/N.")
@click.option("--shard-key", metavar="COLUMN", help="Column by which a database is divided.")
@click.option(
    "--plan",
    default="default",
    show_default=True,
    help="Name under which the store keeps where shards begin.",
)
@click.option("--limit", type=click.IntRange(min=1), help="Read so many rows only.")
@click.option("--dry-run", is_flag=True, help="Count what would be sent; send and write nothing.")
@click.option(
    "--max-reject-share",
    type=click.FloatRange(0, 1),
    help="Exit with 3 when a larger share of the rows is rejected; all others are loaded.",
)
@click.option(
    "--max-reject-count",
    type=click.IntRange(min=0),
    help="Exit with 3 when more rows are rejected; all others are loaded.",
)
@click.option(
    "--min-rows-share-of-last",
    type=click.FloatRange(0, 1),
    help="Exit with 3 when fewer rows are read than this share of what the last run read.",
)
@click.option("--pipeline-name", help="Name of the dlt pipeline (default: made from the source).")
@options.store_options
def command(
    source: str,
    table: str | None,
    query: str | None,
    maps: tuple[str, ...],
    disposition: str,
    version_column: str | None,
    shard: str | None,
    shard_key: str | None,
    plan: str,
    limit: int | None,
    dry_run: bool,
    max_reject_share: float | None,
    max_reject_count: int | None,
    min_rows_share_of_last: float | None,
    pipeline_name: str | None,
    store_url: str | None,
    account: str | None,
    as_json: bool,
) -> None:
    """Load customers from SOURCE into Bunce.

    SOURCE is a Parquet file, folder, or glob, s3://…, postgresql://…, duckdb:///…, any SQLAlchemy
    URL, or env:NAME for a URL in an environment variable, which is the place for passwords.

    Example: dlt-bunce load 'exports/*.parquet' --map phone_no=msisdn --dry-run

    Example: dlt-bunce load env:CRM_URL --table crm.people --version-column updated_at

    Example: dlt-bunce load env:CRM_URL --table crm.people --shard 2/8 --shard-key id
    """
    with reported():
        import dlt

        from dlt_bunce.adapter import bunce_adapter
        from dlt_bunce.running import flush_and_run, has_left_overs
        from dlt_bunce.sources import Shard, limited

        hints = parse_maps(maps)
        if version_column:
            hints["version"] = version_column
        one = Shard.parse(shard) if shard else None
        if shard_key and one is None:
            raise SourceError("--shard-key needs --shard.", remedy="Add for example --shard 1/8.")
        if limit is not None and min_rows_share_of_last is None:
            min_rows_share_of_last = 0.0  # few rows are what was asked for
        destination = options.destination(
            store_url=store_url,
            account=account,
            dry_run=dry_run or None,
            max_reject_share=max_reject_share,
            max_reject_count=max_reject_count,
            min_rows_share_of_last=min_rows_share_of_last,
        )
        store = options.store_settings(store_url, account)
        name = pipeline_name or _name(str(Path.cwd()), source, table, query, *store)
        with _folder(dry_run) as folder:
            pipeline = dlt.pipeline(
                one.pipeline_name(name) if one else name,
                pipelines_dir=folder,  # type: ignore[arg-type]
                destination=destination,
            )
            resource = _resource(
                pipeline, source, one, table=table, query=query, key=shard_key, plan=plan
            )
            if limit is not None:
                resource = limited(resource, limit)
            if has_left_overs(pipeline):
                click.echo("Rows that an earlier run left behind are loaded first.", err=True)
            over: ThresholdError | None = None
            try:
                with _hooks(), progress(not as_json):
                    summary = flush_and_run(
                        pipeline, bunce_adapter(resource, **hints), write_disposition=disposition
                    )
            except ThresholdError as error:  # its figures are shown like any others
                summary, over = error.summary, error
        if as_json:
            output.as_json(summary.as_dict())
        else:
            output.print_summary(summary, "Dry run: nothing was sent" if dry_run else "Loaded")
        if over is not None:
            raise over


def _resource(
    pipeline: dlt.Pipeline,
    source: str,
    shard: Shard | None,
    *,
    table: str | None,
    query: str | None,
    key: str | None,
    plan: str,
) -> DltResource:
    from dlt_bunce.sources import open_source, shard_source

    try:
        if shard is None:
            return open_source(source, table=table, query=query)
        return shard_source(pipeline, source, shard, table=table, query=query, key=key, plan=plan)
    except ValueError:  # its text may hold a part of the URL, and so of a password
        raise SourceError(BAD_URL) from None


def parse_maps(maps: tuple[str, ...]) -> dict[str, str]:
    """Field to column, out of repeated FIELD=COLUMN. Raises MappingError."""
    from dlt_bunce.records.schema import FIELDS

    parsed: dict[str, str] = {}
    for text in maps:
        field, separator, column = text.partition("=")
        if not separator or not column or field not in FIELDS:
            raise MappingError(
                f"--map {text!r} is not FIELD=COLUMN.",
                remedy=f"The fields are: {', '.join(FIELDS)}.",
            )
        parsed[field] = column
    return parsed


@contextlib.contextmanager
def progress(wanted: bool) -> Iterator[None]:
    """Rows as they are read, on a terminal only."""
    from dlt_bunce.job import row_listeners

    with output.counting(wanted, "rows") as count:
        row_listeners.append(count)
        try:
            yield
        finally:
            row_listeners.remove(count)


@contextlib.contextmanager
def _hooks() -> Iterator[None]:
    """Functions for on_run_end are found in the working directory, and their failures told."""
    from dlt_bunce.hooks import failure_listeners

    def tell(line: str) -> None:
        click.echo(f"Warning: {line}", err=True)

    here = str(Path.cwd())
    sys.path.append(here)
    failure_listeners.append(tell)
    try:
        yield
    finally:
        failure_listeners.remove(tell)
        sys.path.remove(here)


@contextlib.contextmanager
def _folder(throwaway: bool) -> Iterator[str | None]:
    """A dry run must leave nothing behind that a later run would take for its own."""
    if not throwaway:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="dlt-bunce-") as folder:
        yield folder


def _name(*parts: str | None) -> str:
    """The same command in the same folder gets the same pipeline, and so takes up what it left
    behind; another store or folder never gets those rows.
    """
    key = "\x1f".join(part or "" for part in parts)
    return f"bunce_load_{blake2b(key.encode(), digest_size=5).hexdigest()}"
