"""Run a pipeline after loading whatever an earlier run left over."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from shlex import quote
from typing import TYPE_CHECKING, Any, Literal

import dlt
from dlt.extract import DltResource, DltSource

from dlt_bunce.commands import naming
from dlt_bunce.destination.access import client_of, context_of
from dlt_bunce.destination.folder.dry_run_state import undo_killed_dry_run
from dlt_bunce.destination.folder.folder_locks import folder_lock
from dlt_bunce.destination.folder.folder_owner import take_folder
from dlt_bunce.destination.folder.pending_packages import has_pending
from dlt_bunce.destination.folder.working_dir import mend
from dlt_bunce.destination.left_overs import (
    can_be_read_again,
    give_up_refused,
    note_refusal,
    refuse_dry_run_over_left_overs,
)
from dlt_bunce.destination.mapping.adapter import (
    adapt,
    chosen_by_default,
    hint_given,
    is_adapted,
    refuse_replace,
)
from dlt_bunce.destination.mapping.deleted_rows import DeletedRows
from dlt_bunce.destination.mapping.discarded_rows import DiscardedRows
from dlt_bunce.destination.mapping.hints_given import hints_of_data
from dlt_bunce.destination.mapping.likely_versions import likely_versions
from dlt_bunce.destination.mapping.mapped_rows import with_mapped_rows
from dlt_bunce.destination.mapping.readable_rows import AfterReadableRows
from dlt_bunce.destination.mapping.table_mapping import with_configured
from dlt_bunce.destination.mapping.wanted_targets import given_for
from dlt_bunce.destination.runs.attempts import recorded_from_start
from dlt_bunce.destination.runs.run_hook import resolve_hook
from dlt_bunce.destination.runs.run_summary import discarded_rows, runs_of, total
from dlt_bunce.destination.runs.run_tracker import group_traces, notify
from dlt_bunce.errors import (
    BunceError,
    ConfigurationError,
    SourceError,
    StoppedError,
    UsageError,
    bunce_error,
)
from dlt_bunce.failures import failure_of, is_stopped, known_mistake
from dlt_bunce.logs import logger
from dlt_bunce.model import RunSummary
from dlt_bunce.operations.column_checks import column_check, refuse_known_key
from dlt_bunce.store.accounts import option_of

if TYPE_CHECKING:
    from dlt.common.destination import TLoaderFileFormat
    from dlt.common.schema.typing import TSchemaContract, TWriteDispositionConfig

    from dlt_bunce.destination.client import BunceClient


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
    """Load what is pending, then `data`; return the summary of `data`, with that of the pending
    rows as its `flushed`.

    Arguments are those of dlt's run(). Without `write_disposition` a resource keeps its own, and
    data that is not a resource is merged.

    On its own, dlt would load a pending package and silently leave `data` for the next run. The
    key, host, ledger, disposition, and columns of Arrow tables are checked before a row is
    extracted, so that a mistake in these leaves no package behind. Raises the BunceError behind
    dlt's exception if there is one, and ThresholdError if everything is loaded but a threshold of
    the settings is exceeded; its `summary` is what would have been returned.
    """
    grouped, held = group_traces(pipeline), folder_lock(pipeline)
    with grouped as started_at, _OwnErrors(), held, _resolved(pipeline) as client:
        if write_disposition is None and not isinstance(data, DltResource | DltSource):
            write_disposition = chosen_by_default(data)
        refuse_replace(write_disposition or getattr(data, "write_disposition", None))
        _take(client, pipeline)
        deleted, dropped, name = DeletedRows(), DiscardedRows(), pipeline.pipeline_name
        with recorded_from_start(client, name, started_at) as begin:
            _check(client)
            hints = hints_of_data(pipeline, data, table_name)
            data = _adapted(data, client, (deleted, dropped), pipeline)
            with client.context.mapped_as(client.owner.name, hints):
                flushed = _flush(pipeline)
            take_folder(client, pipeline)  # the cursor, now that no rows are pending
            begin()
            with given_up_when_refused(pipeline, data):
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
        summary = total(client, runs_of(client, name, pipeline.last_trace), name)
        discarded = dropped.count(pipeline.last_trace) + discarded_rows(pipeline.last_trace)
        added = {**deleted.warnings, **({"discarded_rows": discarded} if discarded else {})}
        if added:
            logger().warning("run.warnings", run=summary.run_id, **added)
        warnings = {**summary.warnings, **added}
        notes = deleted.notes
        if "ids_repeated" in warnings:
            notes |= likely_versions(pipeline.default_schema, client.config)
        summary = replace(summary, warnings=warnings, notes=notes)
        if flushed:
            before = total(client, flushed, name)
            # left-over rows count for the run that loads them
            both = total(client, [*runs_of(client, name, pipeline.last_trace), *flushed], name)
            summary = replace(summary, flushed=before, over_thresholds=both.over_thresholds)
    notify(client, summary)
    summary.raise_if_over_thresholds()
    return summary


def flush(pipeline: dlt.Pipeline) -> RunSummary:
    """Load what an earlier run left over, and nothing else.

    Raises what flush_and_run raises, except for thresholds, which the summary holds.
    """
    with (
        group_traces(pipeline),
        _OwnErrors(),
        folder_lock(pipeline),
        _resolved(pipeline) as client,
    ):
        _take(client, pipeline)
        _check(client)
        summary = total(client, _flush(pipeline), pipeline.pipeline_name)
    notify(client, summary)
    return summary


@contextlib.contextmanager
def given_up_when_refused(pipeline: dlt.Pipeline, data: Any) -> Iterator[None]:
    """Leave no package behind that fails by mistake, so that the next run starts clean."""
    try:
        yield
    except Exception as error:
        note_refusal(pipeline, error)
        # a command reads its source again, whatever dlt makes of it
        is_command = context_of(pipeline).command_source is not None
        kept = give_up_refused(pipeline, keep=not (is_command or can_be_read_again(data)))
        if kept is not None:
            cause = bunce_error(error) or _in_own_words(error)
            # the package is the only copy: the data cannot be read again
            of_account = option_of(client_of(pipeline).config.account)
            command = f"dlt-bunce load {quote(str(kept))}{of_account}"
            raise cause.with_remedy(
                f"The rows that were read are kept. Load them with: {command}"
            ) from None
        raise


def _in_own_words(error: Exception) -> SourceError:
    failure = failure_of(error)
    return SourceError(failure.error, remedy=failure.remedy)


def _flush(pipeline: dlt.Pipeline) -> list[RunSummary]:
    give_up_refused(pipeline)
    if not has_left_overs(pipeline):
        return []
    refuse_dry_run_over_left_overs(pipeline)
    logger().warning("load.flushed", pipeline=pipeline.pipeline_name)
    # not pipeline.run(): if it finds nothing to load, it may put the state into a new package,
    # and the next run() would load that one and skip `data`
    pipeline.normalize()
    info = pipeline.load()
    if info is None or not info.loads_ids:
        return []
    return runs_of(client_of(pipeline), pipeline.pipeline_name, pipeline.last_trace)


class _OwnErrors:
    """Raise the BunceError behind dlt's exception, if there is one; that of a mistake without the
    frames in which it was found, as these are dlt's.
    """

    def __enter__(self) -> None:
        pass

    def __exit__(self, _type: object, error: BaseException | None, _trace: object) -> None:
        if not isinstance(error, Exception):
            return
        cause: BunceError | None = bunce_error(error)
        if cause is None and is_stopped(error):
            cause = StoppedError(
                "Stopped before everything was loaded.",
                remedy="The next run loads the rest; settled rows are not sent again.",
            )
        if cause is None and (known := known_mistake(error)):
            cause = ConfigurationError(known.error, remedy=known.remedy)
        if isinstance(cause, UsageError):
            raise cause.with_traceback(None) from None
        if cause is not None:
            raise cause from None


def has_left_overs(pipeline: dlt.Pipeline) -> bool:
    """Return whether an earlier run left rows over, after repairing its working folder."""
    with folder_lock(pipeline):
        _repair(pipeline)
        return has_pending(pipeline)


def _repair(pipeline: dlt.Pipeline) -> None:
    mend(pipeline)
    undo_killed_dry_run(pipeline)


@contextlib.contextmanager
def _resolved(pipeline: dlt.Pipeline) -> Iterator[BunceClient]:
    """Yield the client; its settings are resolved once for all that happens in the block."""
    client = client_of(pipeline)
    settings = (pipeline.pipeline_name, client.owner.name, client.config)
    with client.context.with_settings(*settings), naming(client.config.account):
        yield client


def _take(client: BunceClient, pipeline: dlt.Pipeline) -> None:
    """Repair the working folder, which must be that of the client's account."""
    _repair(pipeline)
    take_folder(client, pipeline)


def _check(client: BunceClient) -> None:
    resolve_hook(client.config.on_run_end)
    if not client.config.dry_run:
        client.preflight()


_Counters = tuple[DeletedRows, DiscardedRows]


def _adapted(data: Any, client: BunceClient, counters: _Counters, pipeline: dlt.Pipeline) -> Any:
    """Return the data with its mapping, which replaces an earlier run's, and with a check of its
    columns before they are extracted.
    """
    if isinstance(data, DltSource):
        source = data.clone()
        for name, resource in source.resources.items():
            if name in client.config.own_tables or is_adapted(resource):
                _prepare(resource, client, counters, pipeline)
        return source
    if not isinstance(data, DltResource):
        return data
    resource = data.with_name(data.name)
    _prepare(resource, client, counters, pipeline)
    return resource


def _prepare(
    resource: DltResource, client: BunceClient, counters: _Counters, pipeline: dlt.Pipeline
) -> None:
    deleted, dropped = counters
    if not is_adapted(resource):
        adapt(resource, {}, by_names=True)
    hint = with_configured(hint_given(resource), str(resource.table_name), client.config)
    values_only = hint.get("values_only", False)
    given = {**({} if values_only else client.config.mapping or {}), **hint["columns"]}
    with_mapped_rows(resource, given, *given_for(hint, client.config))
    refuse_known_key(resource, client, given)
    if not values_only:
        resource.add_step(AfterReadableRows(deleted))
    resource.add_step(AfterReadableRows(column_check(resource, client, pipeline)))
    dropped.watch(resource)


@contextlib.contextmanager
def run_folder() -> Iterator[str]:
    """Yield a `pipelines_dir` for a single run, removed when the run ends.

    For schedulers, which run one pipeline several times at once, on any machine: dlt's state comes
    from the store, and a retry reads again the rows that a failed run left over.
    """
    with tempfile.TemporaryDirectory(prefix="dlt-bunce-") as folder:
        yield folder
