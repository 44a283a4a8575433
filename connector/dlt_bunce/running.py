"""Runs a pipeline so that no row waits unseen: what an earlier run left behind goes first."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import dlt
from dlt.extract import DltResource, DltSource

from dlt_bunce.adapter import chosen_by_default, refuse_replace
from dlt_bunce.alerts import is_stopped, one_run, tell
from dlt_bunce.destinations import client_of
from dlt_bunce.errors import ConfigurationError, StoppedError, bunce_error
from dlt_bunce.hooks import resolved
from dlt_bunce.logs import logger
from dlt_bunce.model import RunSummary
from dlt_bunce.store.account import is_untouched
from dlt_bunce.summary import runs_of, total
from dlt_bunce.working_folder import mend

if TYPE_CHECKING:
    from dlt.common.destination import TLoaderFileFormat
    from dlt.common.destination.typing import PreparedTableSchema
    from dlt.common.schema.typing import TSchemaContract, TWriteDispositionConfig

    from dlt_bunce.client import BunceClient


def flush_and_run(
    pipeline: dlt.Pipeline,
    data: Any,
    *,
    write_disposition: TWriteDispositionConfig | None = None,
    table_name: str | None = None,
    primary_key: str | Sequence[str] | None = None,
    columns: Any = None,
    schema_contract: TSchemaContract | None = None,
    refresh: Literal["drop_sources", "drop_resources", "drop_data"] | None = None,
    loader_file_format: TLoaderFileFormat | None = None,
) -> RunSummary:
    """Loads what is pending, then `data`; the summary covers both.

    Arguments are those of dlt's run(). Without `write_disposition` a resource keeps its own, and
    rows that are no resource are merged.

    dlt alone would load a pending package and silently leave `data` for the run after. Key, host,
    ledger, disposition, and the columns of Arrow tables are checked before a row is extracted, so
    that no mistake of these leaves a package behind. Raises the BunceError behind dlt's exception
    where there is one, and ThresholdError where all is loaded but a threshold of the settings is
    exceeded; its `summary` is what would have been returned.
    """
    with one_run(pipeline), _own_errors():
        if write_disposition is None and not isinstance(data, DltResource | DltSource):
            write_disposition = chosen_by_default(data)
        refuse_replace(write_disposition or getattr(data, "write_disposition", None))
        client = client_of(pipeline)
        _check(client)
        data = _with_checked_columns(data, client)
        flushed = _flush(pipeline)
        _refuse_cursor_without_ledger(pipeline, client)
        with _cursor_kept(pipeline, client.config.dry_run):
            pipeline.run(
                data,
                write_disposition=write_disposition,  # type: ignore[arg-type]
                table_name=table_name,  # type: ignore[arg-type]
                primary_key=primary_key,  # type: ignore[arg-type]
                columns=columns,
                schema_contract=schema_contract,  # type: ignore[arg-type]
                refresh=refresh,  # type: ignore[arg-type]
                loader_file_format=loader_file_format,  # type: ignore[arg-type]
            )
        name = pipeline.pipeline_name
        summary = total(client, [*runs_of(client, name, pipeline.last_trace), *flushed], name)
    tell(client, summary)
    summary.raise_if_over_thresholds()
    return summary


@contextlib.contextmanager
def _cursor_kept(pipeline: dlt.Pipeline, dry_run: bool) -> Iterator[None]:
    """After a dry run the cursor is where it was: its rows have not been sent."""
    path = Path(pipeline.working_dir, "state.json")
    before = path.read_bytes()
    try:
        yield
    finally:
        if dry_run:
            path.write_bytes(before)


def flush(pipeline: dlt.Pipeline) -> RunSummary:
    """Loads what an earlier run has left behind, and nothing else.

    Raises as flush_and_run does, but for thresholds: the summary tells of those.
    """
    with one_run(pipeline), _own_errors():
        client = client_of(pipeline)
        _check(client)
        summary = total(client, _flush(pipeline), pipeline.pipeline_name)
    tell(client, summary)
    return summary


def _flush(pipeline: dlt.Pipeline) -> list[RunSummary]:
    if not has_left_overs(pipeline):
        return []
    logger().warning("load.flushed", pipeline=pipeline.pipeline_name)
    # not pipeline.run(): where it finds nothing to load it may put the state into a new
    # package, and the next run() would load that and leave `data` out
    pipeline.normalize()
    info = pipeline.load()
    if info is None or not info.loads_ids:
        return []
    return runs_of(client_of(pipeline), pipeline.pipeline_name, pipeline.last_trace)


def _refuse_cursor_without_ledger(pipeline: dlt.Pipeline, client: BunceClient) -> None:
    """A cursor that another store has seen would silently leave out all rows before it."""
    if client.config.dry_run or not _has_cursor(pipeline):
        return
    with client.database() as db:
        if not is_untouched(db, client.config.account):
            return
    raise ConfigurationError(
        f"Pipeline {pipeline.pipeline_name!r} goes on from a cursor, but the ledger is empty: rows "
        "before the cursor would never arrive.",
        remedy="For another store or account, run under another pipeline name, or delete "
        f"{pipeline.working_dir} to read from the start. After a lost store, first run: "
        "dlt-bunce adopt",
    )


def _has_cursor(pipeline: dlt.Pipeline) -> bool:
    sources = pipeline.state.get("sources", {})
    resources = [one for source in sources.values() for one in source.get("resources", {}).values()]
    return any(resources)


@contextlib.contextmanager
def _own_errors() -> Iterator[None]:
    """Raises the BunceError behind dlt's exception, where there is one."""
    try:
        yield
    except Exception as error:
        cause = bunce_error(error)
        if cause is None and is_stopped(error):
            cause = StoppedError(
                "Stopped before everything was loaded.",
                remedy="The next run takes up the rest; what is settled is not sent again.",
            )
        if cause is None:
            raise
        raise cause from None


def has_left_overs(pipeline: dlt.Pipeline) -> bool:
    """Whether an earlier run has left rows behind, in a working folder that is usable again."""
    mend(pipeline)
    return pipeline.has_pending_data


def _check(client: BunceClient) -> None:
    resolved(client.config.on_run_end)
    if not client.config.dry_run:
        client.preflight()


def _with_checked_columns(data: Any, client: BunceClient) -> Any:
    """The same resource, refusing its first Arrow table when the mapping does not fit it.

    Rows in dicts are left to the load: a column may be missing in the first of them only.
    """
    if not isinstance(data, DltResource):
        return data
    resource = data.with_name(data.name)
    unchecked = True

    def check(item: Any) -> Any:
        nonlocal unchecked
        columns = getattr(item, "column_names", None) or getattr(item, "schema", None)
        if unchecked and columns is not None:
            unchecked = False
            names = list(getattr(columns, "names", columns))
            table = cast("PreparedTableSchema", resource.compute_table_schema(item))
            client.mapping(table, names)
        return item

    return resource.add_map(check)
