"""Notification at the end of a run: `on_run_end`, and a log event for thresholds exceeded.

dlt ends its trace of every `pipeline.run()` in one place, whether or not the run failed, once
everything is recorded. `flush_and_run` is one run, however many runs of dlt it takes.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlt.common.configuration.exceptions import ConfigurationException
from dlt.pipeline import trace as dlt_trace
from dlt.pipeline.trace import PipelineTrace

from dlt_bunce.destination import data_at_rest, folder_locks
from dlt_bunce.destination import run_hook as hooks
from dlt_bunce.destination.access import client_of, context_of, is_bunce
from dlt_bunce.destination.left_overs import (
    give_up_refused,
    note_refusal,
    refuse_dry_run_over_left_overs,
)
from dlt_bunce.destination.plain_runs import declare_texts
from dlt_bunce.destination.run_summary import add_up, runs_of, total
from dlt_bunce.errors import BunceError, StoppedError, bunce_error, inside
from dlt_bunce.logs import logger
from dlt_bunce.model import RunSummary
from dlt_bunce.thresholds import Thresholds

if TYPE_CHECKING:
    from dlt import Pipeline

    from dlt_bunce.destination.client import BunceClient


@contextmanager
def group_traces(pipeline: Pipeline) -> Iterator[None]:
    """Treat all of dlt's runs in the block as one.

    The caller notifies when they succeed. If an exception leaves the block, the failure is notified
    here.
    """
    with context_of(pipeline).traces() as traces:
        try:
            yield
        except BaseException as error:
            notify_failed(pipeline, error, traces)
            raise


def notify(client: BunceClient, summary: RunSummary) -> None:
    """Call the hook, if there is one and this is not a dry run."""
    hook = hooks.resolve_hook(client.config.on_run_end)
    if hook is not None and not client.config.dry_run:
        hooks.call(hook, summary, client.context.on_hook_failure)


def notify_failed(
    pipeline: Pipeline, error: BaseException, traces: Sequence[PipelineTrace]
) -> None:
    """Call the hook with the recorded figures of a failed run, and the reason it failed."""
    try:
        client = client_of(pipeline)
        hook = hooks.resolve_hook(client.config.on_run_end)
    except Exception:  # noqa: BLE001
        return  # unreadable settings, on_run_end included, are why the run failed
    if hook is None or client.config.dry_run:
        return
    name = pipeline.pipeline_name
    found: list[RunSummary] = []
    with suppress(BunceError):  # an unreadable store may be why, too
        for trace in reversed(traces):
            found += runs_of(client, name, trace)
    summary = add_up(found, name)
    state = "stopped" if is_stopped(error) else "failed"
    notify(client, replace(summary, state=state, error=_reason(error)))


def is_stopped(error: BaseException) -> bool:
    """Return whether a run was ended early by SIGINT or SIGTERM."""
    return any(isinstance(cause, StoppedError | KeyboardInterrupt) for cause in inside(error))


class _Tracker:
    """Tracker that dlt calls for every pipeline of the process."""

    def on_start_trace(self, trace: Any, step: Any, pipeline: Any) -> None:
        """Hold the working folder until the trace ends.

        dlt continues if that fails; the error is raised when it next asks the destination for its
        capabilities.
        """
        check = refuse_dry_run_over_left_overs if step == "run" else None
        if is_bunce(pipeline.destination) and folder_locks.begin(pipeline, check):
            data_at_rest.make_private(pipeline)
            give_up_refused(pipeline)
            states = context_of(pipeline).states
            states[threading.get_ident()] = _state_file(pipeline).read_bytes()

    def on_start_trace_step(self, trace: Any, step: Any, pipeline: Any) -> None:
        """Declare text columns of the extracted rows before dlt infers types."""
        if step == "normalize" and is_bunce(pipeline.destination) and folder_locks.is_held():
            declare_texts(pipeline)

    def on_end_trace_step(
        self, trace: Any, step: Any, pipeline: Any, step_info: Any, send_state: bool
    ) -> None:
        """Do nothing: a step is not a run."""

    def on_end_trace(self, trace: PipelineTrace, pipeline: Any, send_state: bool) -> None:
        """Notify of runs into Bunce, and of manual loads that had something to load."""
        if not is_bunce(pipeline.destination):
            return
        raised = sys.exc_info()[1]
        before = context_of(pipeline).states.pop(threading.get_ident(), None)
        try:
            if folder_locks.is_held():
                if raised is not None:
                    note_refusal(pipeline, raised)
                _tidy_up(pipeline, before)
        finally:
            folder_locks.end(pipeline)
        self._notify(trace, pipeline)

    def _notify(self, trace: PipelineTrace, pipeline: Any) -> None:
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
            _notify_ended(pipeline, trace)


def _tidy_up(pipeline: Pipeline, state: bytes | None) -> None:
    try:
        config = client_of(pipeline).config
    except (BunceError, ConfigurationException):
        return  # without settings nothing was loaded either; the run itself reports why
    data_at_rest.remove_completed_jobs(pipeline, config)
    if not config.dry_run:
        data_at_rest.note_store(pipeline, config)
        data_at_rest.remove_old_rows(pipeline, config)
    if config.dry_run and state is not None:
        # a dry run sends no rows, so the cursor must not move
        _state_file(pipeline).write_bytes(state)


def _state_file(pipeline: Pipeline) -> Path:
    return Path(pipeline.working_dir, pipeline.STATE_FILE)


def _notify_ended(pipeline: Pipeline, trace: PipelineTrace) -> None:
    client = client_of(pipeline)
    config = client.config
    if config.on_run_end is None and config.thresholds == Thresholds():
        return
    name = pipeline.pipeline_name
    summary = total(client, runs_of(client, name, trace), name)
    if summary.over_thresholds:
        # an error raised here would make dlt load the package again and again
        logger().warning("run.over_threshold", run=summary.run_id, **summary.over_thresholds)
    notify(client, summary)


def _reason(error: BaseException) -> str:
    """Return the text of a BunceError, but only the type of others: their text may hold values."""
    found = bunce_error(error)
    if found is not None:
        return str(found)
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return type(error).__name__


_tracker = _Tracker()


def register() -> None:
    """Register the tracker with dlt, once per process."""
    if _tracker not in dlt_trace.TRACKING_MODULES:
        dlt_trace.TRACKING_MODULES.append(_tracker)
