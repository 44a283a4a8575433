"""The end of a run: failures recorded, `on_run_end`, and a log event for thresholds exceeded.

dlt ends its trace of every `pipeline.run()` in one place, whether or not the run failed, once
everything is recorded. `flush_and_run` is one run, however many runs of dlt it takes.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from dlt.common.pipeline import ExtractInfo
from dlt.pipeline import trace as dlt_trace
from dlt.pipeline.trace import PipelineTrace

from dlt_bunce.destination.access import client_of, context_of, is_bunce
from dlt_bunce.destination.folder import data_at_rest, folder_locks, run_lock
from dlt_bunce.destination.folder.dry_run_state import put_back_state
from dlt_bunce.destination.left_overs import note_refusal
from dlt_bunce.destination.mapping.hints_given import forget_earlier
from dlt_bunce.destination.mapping.plain_runs import declare_texts
from dlt_bunce.destination.runs import failed_runs
from dlt_bunce.destination.runs import run_hook as hooks
from dlt_bunce.destination.runs.run_context import FailedRun
from dlt_bunce.destination.runs.run_start import begin, owner_name, settings_key
from dlt_bunce.destination.runs.run_summary import add_up, refuse_lost_rows, runs_of, total
from dlt_bunce.errors import BunceError
from dlt_bunce.failures import failure_of, is_stopped
from dlt_bunce.logs import logger
from dlt_bunce.model import RunSummary
from dlt_bunce.store.database import utc_now
from dlt_bunce.thresholds import Thresholds

if TYPE_CHECKING:
    from dlt import Pipeline

    from dlt_bunce.destination.client import BunceClient
    from dlt_bunce.destination.factory import bunce
    from dlt_bunce.destination.settings.configuration import BunceConfiguration


@contextmanager
def group_traces(pipeline: Pipeline) -> Iterator[str]:
    """Treat all of dlt's runs in the block as one; yield when it began (as of `utc_now`).

    The caller notifies when they succeed. If an exception leaves the block, the failure is recorded
    and notified here.
    """
    started_at = context_of(pipeline).began_at or utc_now()
    with context_of(pipeline).traces() as traces:
        try:
            yield started_at
        except BaseException as error:
            notify_failed(pipeline, error, traces, started_at)
            raise


def notify(client: BunceClient, summary: RunSummary) -> None:
    """Call the hook, if there is one and this is not a dry run."""
    hook = hooks.resolve_hook(client.config.on_run_end)
    if hook is not None and not client.config.dry_run:
        run_lock.close_kept(client.working_dir)
        hooks.call(hook, summary, client.context.on_hook_failure)


def notify_failed(
    pipeline: Pipeline,
    error: BaseException,
    traces: Sequence[PipelineTrace],
    started_at: str | None = None,
) -> None:
    """Record why a run failed, and call the hook with its figures and the reason.

    The run began at `started_at` (as of `utc_now`), by default with its first trace.
    """
    name, failure = pipeline.pipeline_name, failure_of(error)
    state = "stopped" if is_stopped(error) else "failed"
    began = started_at or _began(traces)
    try:
        client = client_of(pipeline)
    except Exception:  # noqa: BLE001, the settings are why the run failed
        failed_runs.record_unconfigured(
            error,
            lambda known: known == name,
            started_at=began,
            source=context_of(pipeline).source,
            **{each: _given(pipeline, each) for each in ("store_url", "account", "on_run_end")},
        )
        return
    found: dict[str | None, RunSummary] = {}
    if not client.config.dry_run:
        failed_runs.record(client, Path(pipeline.working_dir), error, state, began)
        with suppress(BunceError):  # an unreadable store may be why, too
            for trace in reversed(traces):
                # dlt goes on with the trace of the step before
                found |= {run.run_id: run for run in runs_of(client, name, trace)}
    total = add_up(list(found.values()), name)
    summary = failed_runs.failed(total, failure, state, client.context.source)
    transaction = traces[-1].transaction_id if traces else None
    client.context.failures.append(FailedRun(summary, transaction, client.config.dry_run))
    if client.config.dry_run:
        return
    try:
        hook = hooks.resolve_hook(client.config.on_run_end)
    except BunceError:
        return  # on_run_end itself is why the run failed
    if hook is not None:
        hooks.call(hook, summary, client.context.on_hook_failure)


def _given(pipeline: Pipeline, name: str) -> Any:
    """Return a setting as the destination was called with."""
    return cast("bunce", pipeline.destination).config_params.get(name)


def _began(traces: Sequence[PipelineTrace]) -> str:
    if not traces:
        return utc_now()
    return traces[0].started_at.astimezone(timezone.utc).isoformat(timespec="microseconds")


class _Tracker:
    """Tracker that dlt calls for every pipeline of the process."""

    def __init__(self) -> None:
        # by thread and folder, since the resource of one pipeline may run another one
        self._steps: dict[tuple[int, str], str] = {}
        self._begun: set[tuple[int, str]] = set()

    def on_start_trace(self, trace: Any, step: Any, pipeline: Any) -> None:
        """Hold the working folder until the trace ends.

        dlt continues if that fails; the error is raised when it next asks the destination for its
        capabilities.
        """
        self._steps[_of_thread(pipeline)] = step
        self._begin(pipeline)

    def _begin(self, pipeline: Any) -> bool:
        """Begin once it is known that the trace goes to Bunce; return whether it does.

        A `pipeline.run(…, destination=bunce())` sets its destination only after the trace starts.
        """
        trace = _of_thread(pipeline)
        if not is_bunce(pipeline.destination) or trace not in self._steps:
            return False
        if trace not in self._begun:
            self._begun.add(trace)
            begin(self._steps[trace], pipeline)
        return True

    def on_start_trace_step(self, trace: Any, step: Any, pipeline: Any) -> None:
        """Declare text columns of the extracted rows before dlt infers types; stop a run whose rows
        are gone before they are loaded.
        """
        if not self._begin(pipeline) or not folder_locks.is_held():
            return
        if step != "run":
            run_lock.close_kept(Path(pipeline.working_dir))  # rows come from code of others
        config = context_of(pipeline).settings.get(settings_key(pipeline))
        try:
            if step == "normalize" and config is not None:
                declare_texts(pipeline, config)
            if step == "load":
                refuse_lost_rows(pipeline, trace, pipeline.list_normalized_load_packages())
        except Exception as error:  # noqa: BLE001, dlt would log it and go on
            folder_locks.stop(error)

    def on_end_trace_step(
        self, trace: Any, step: Any, pipeline: Any, step_info: Any, send_state: bool
    ) -> None:
        """Forget the mappings of earlier runs once rows are extracted."""
        if step.step_exception is not None:
            return  # dlt has put the schema back, or has none yet
        extracted = step.step == "extract" and isinstance(step_info, ExtractInfo)
        if extracted and is_bunce(pipeline.destination) and folder_locks.is_held():
            forget_earlier(pipeline, step_info)

    def on_end_trace(self, trace: PipelineTrace, pipeline: Any, send_state: bool) -> None:
        """Notify of runs into Bunce, and of manual loads that had something to load."""
        key = _of_thread(pipeline)
        self._steps.pop(key, None)
        if key not in self._begun:
            return
        self._begun.remove(key)
        if not is_bunce(pipeline.destination):  # the run was given another one
            folder_locks.end(pipeline)
            return
        raised = sys.exc_info()[1]
        config = context_of(pipeline).settings.pop(settings_key(pipeline), None)
        try:
            if folder_locks.is_held():
                if raised is not None:
                    note_refusal(pipeline, raised)
                steps, context = {step.step for step in trace.steps}, context_of(pipeline)
                if steps & {"run", "load"} and not context.is_flushing(owner_name(pipeline)):
                    context.map_as_extracted(owner_name(pipeline))
                _tidy_up(pipeline, config)
        finally:
            folder_locks.end(pipeline)
        self._notify(trace, pipeline, config)

    def _notify(
        self, trace: PipelineTrace, pipeline: Any, config: BunceConfiguration | None
    ) -> None:
        if context_of(pipeline).collects(trace):
            return
        steps = {step.step for step in trace.steps}
        info = trace.last_load_info
        if "run" not in steps and not (info and info.loads_ids):
            return
        raised = sys.exc_info()[1]
        # dlt records no exception that stops the process; an exception of the caller does not count
        failed = any(step.step_exception for step in trace.steps)
        if raised is not None and (failed or not isinstance(raised, Exception)):
            notify_failed(pipeline, raised, [trace])
        else:
            _notify_ended(pipeline, trace, config)


def _of_thread(pipeline: Pipeline) -> tuple[int, str]:
    return threading.get_ident(), pipeline.working_dir


def _tidy_up(pipeline: Pipeline, config: BunceConfiguration | None) -> None:
    put_back_state(pipeline)
    if config is None:
        return  # without settings nothing was loaded either
    data_at_rest.remove_completed_jobs(pipeline, config)
    if not config.dry_run:
        data_at_rest.remove_old_rows(pipeline, config)


def _notify_ended(
    pipeline: Pipeline, trace: PipelineTrace, config: BunceConfiguration | None
) -> None:
    client = client_of(pipeline, config)
    config = client.config
    if config.on_run_end is None and config.thresholds == Thresholds():
        return
    name = pipeline.pipeline_name
    summary = total(client, runs_of(client, name, trace), name)
    if summary.over_thresholds:
        # an error raised here would make dlt load the package again and again
        logger().warning("run.over_threshold", run=summary.run_id, **summary.over_thresholds)
    notify(client, summary)


_tracker = _Tracker()


def register() -> None:
    """Register the tracker with dlt, once per process."""
    if _tracker not in dlt_trace.TRACKING_MODULES:
        dlt_trace.TRACKING_MODULES.append(_tracker)
