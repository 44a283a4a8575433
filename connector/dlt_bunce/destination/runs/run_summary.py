"""Figures of a pipeline's last run, to check and to print."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from dlt_bunce.errors import RunInProgressError, UsageError
from dlt_bunce.logs import logger
from dlt_bunce.model import FATES, RunSummary

if TYPE_CHECKING:
    from datetime import datetime

    from dlt import Pipeline
    from dlt.common.pipeline import ExtractInfo
    from dlt.pipeline.trace import PipelineTrace

    from dlt_bunce.destination.client import BunceClient


def run_summary(pipeline: Pipeline) -> RunSummary:
    """Return the fates, requests, and reject codes of the pipeline's last run, and the thresholds
    of the destination's settings that it exceeds.

    A run that had nothing to load returns zeros, never the figures of an earlier run; one that has
    failed returns its state and the reason, with the figures up to then. In a process that has not
    run the pipeline, the newest run in the store is returned. Raises ConservationError if the fates
    do not add up to the rows read.
    """
    from dlt_bunce.destination.access import client_of

    client, name, trace = client_of(pipeline), pipeline.pipeline_name, pipeline.last_trace
    for failed in reversed(client.context.failures):
        if trace is not None and failed.transaction == trace.transaction_id:
            return failed.summary
    return total(client, runs_of(client, name, trace), name)


def summary_since(client: BunceClient, pipeline_name: str, moment: datetime) -> RunSummary:
    """Return one summary of all runs of a pipeline that began at `moment` or later, in any process,
    without those that failed and were tried again.

    Raises ConservationError if the fates do not add up to the rows read, and UsageError if the
    store does not know the pipeline: zeros would exceed no threshold.
    """
    from dlt_bunce.store.dlt_state import latest_state
    from dlt_bunce.store.runs import runs
    from dlt_bunce.store.runs.retried import retried

    account = client.config.account
    found, is_known = list[RunSummary](), False
    if client.database().exists():
        with client.database() as db:
            own = partial(runs.summaries, db, account, pipeline_name=pipeline_name)
            again = retried(db, account, pipeline_name, moment)
            found = [r for r in own(since=moment, limit=1_000) if r.run_id not in again]
            # one whose source was empty so far has a state at most
            is_known = bool(found or own(limit=1) or latest_state(db, pipeline_name, account))
    if not is_known:
        raise UsageError(
            f"The store has no run of a pipeline {pipeline_name!r} in account {account}.",
            remedy="Write the name as in dlt.pipeline(…). If it is right, use the account and the "
            "store that its destination has: DESTINATION__BUNCE__ACCOUNT, and "
            "DESTINATION__BUNCE__STORE_URL.",
        )
    return total(client, found, pipeline_name)


def runs_of(
    client: BunceClient, pipeline_name: str, trace: PipelineTrace | None
) -> list[RunSummary]:
    """Return one summary per load package of the trace, newest first; without a trace, the newest
    run.
    """
    from dlt_bunce.store.runs import runs

    previews = client.context.previews
    info = trace.last_load_info if trace else None
    load_ids = None if trace is None else list(info.loads_ids) if info else []
    if load_ids and all(load_id in previews for load_id in load_ids):
        return [previews[load_id].summary for load_id in load_ids]
    if load_ids == []:
        return []
    database = client.database()
    if not database.exists():
        return []
    with database as db:
        return runs.summaries(
            db,
            client.config.account,
            run_ids=load_ids,
            pipeline_name=pipeline_name,
            limit=1 if load_ids is None else 1_000,
        )


def total(client: BunceClient, found: Sequence[RunSummary], pipeline_name: str) -> RunSummary:
    """Return one summary of several load packages, newest first, with the thresholds exceeded.

    Raises ConservationError if the fates do not add up to the rows read.
    """
    summary = add_up(list(found), pipeline_name)
    summary.raise_if_unbalanced()
    summary = replace(summary, account=client.config.account)
    return replace(summary, over_thresholds=_over_thresholds(client, found, summary))


def _over_thresholds(
    client: BunceClient, found: Sequence[RunSummary], summary: RunSummary
) -> dict[str, str]:
    from dlt_bunce.store.runs import history, runs

    thresholds = client.config.thresholds
    ids = [run.run_id for run in found if run.run_id and run.state != "dry_run"]
    if summary.state not in {"completed", "dry_run"} or any(i.startswith(runs.REPLAY) for i in ids):
        return {}
    last_read = None
    if thresholds.min_rows_share_of_last is not None and client.database().exists():
        with client.database() as db:
            last_read = history.last_read(
                db, client.config.account, summary.pipeline_name or "", ids
            )
    return summary.judged(thresholds, last_read) | _kept_members(client, summary)


def _kept_members(client: BunceClient, summary: RunSummary) -> dict[str, str]:
    """Return why absent members were not removed from their segments, by setting name."""
    found = {}
    if kept := summary.warnings.get("absent_members_kept"):
        found["segments_min_share"] = (
            f"{kept} absent members of segments were not removed, since too many members or rows "
            f"are missing (threshold: {client.config.segments_min_share:.2%} must be there)"
        )
    if rows := summary.warnings.get("absent_members_unknown"):
        have, were, are = ("has", "was", "is") if rows == 1 else ("have", "were", "are")
        found["segments_whole"] = (
            f"no absent member of a segment was removed, because of {rows} row"
            f"{'s' if rows != 1 else ''} that {have} no usable customer id, {were} not loaded, or "
            f"{are} a part of the source"
        )
    return found


def log_finished(summary: RunSummary, account: str, *, summary_returned: bool) -> None:
    """Log what a run did, in one line.

    Of a plain `pipeline.run()`, orchestrators show nothing else, so rejected rows are a warning.
    """
    from dlt_bunce.store.accounts import option_of

    fates = {str(fate): count for fate, count in summary.fates.items() if count}
    figures = {"read": summary.read, **fates, "requests": summary.requests}
    values = {
        kind: {fate: n for fate, n in counts.items() if n}
        for kind, counts in summary.value_counts.items()
    }
    log = logger().bind(run=summary.run_id, pipeline=summary.pipeline_name, **figures, **values)
    what_now: dict[str, object] = {}
    of_account = option_of(account)
    if summary.rejected or summary.held:
        letters = f"dlt-bunce dead-letters list --run {summary.run_id}"
        if not summary.rejected:  # they belong to earlier runs
            letters = "dlt-bunce dead-letters list"
        letters += of_account
        what_now = {"reject_codes": dict(summary.reject_codes), "dead_letters": letters}
    if any("rejected" in counts for counts in values.values()):
        what_now["rejected_values"] = f"dlt-bunce rejected-values list{of_account}"
    if what_now and not summary_returned:
        log.warning("run.finished", **what_now)
    else:
        log.info("run.finished")


def discarded_rows(trace: PipelineTrace | None) -> int:
    """Return how many rows a schema contract dropped of rows in dicts, after extraction."""
    if trace is None or trace.last_extract_info is None or trace.last_normalize_info is None:
        return 0
    extracted = _extracted(trace.last_extract_info)
    kept = trace.last_normalize_info.row_counts
    return sum(max(count - kept.get(table, 0), 0) for table, count in extracted.items())


def refuse_lost_rows(pipeline: Pipeline, trace: PipelineTrace, there: Sequence[str]) -> None:
    """Raise RunInProgressError if a run has extracted rows, and their load package is not there.

    That happens if another run starts in the same working folder meanwhile, since dlt clears it
    then, and the lock of the folder does not reach that run.
    """
    if trace.last_extract_info is None:
        return
    if rows := _extracted(trace.last_extract_info, but=there).total():
        raise RunInProgressError(
            f"{rows:,} rows were extracted into {pipeline.working_dir!r}, but are gone: another "
            "run has used this folder at the same time, and its file system let it.",
            remedy="Delete the folder and run again: its cursors are restored from the store. "
            "Give runs that overlap folders of their own, with pipelines_dir or DLT_DATA_DIR.",
        )


def _extracted(info: ExtractInfo, *, but: Sequence[str] = ()) -> Counter[str]:
    """Return how many rows each table of the source has had, in all packages but these."""
    rows: Counter[str] = Counter()
    for load_id in info.metrics.keys() - {*but}:
        for package in info.metrics[load_id]:
            for table, figures in package["table_metrics"].items():
                if not table.startswith("_dlt"):
                    rows[table] += figures.items_count
    return rows


def add_up(found: list[RunSummary], pipeline_name: str) -> RunSummary:
    """Return one summary of several load packages, with the run id of the newest."""
    if not found:
        return RunSummary(pipeline_name=pipeline_name)
    codes: Counter[str] = Counter()
    warnings: Counter[str] = Counter()
    attributes: Counter[str] = Counter()
    segments: Counter[str] = Counter()
    rejected_values: dict[str, Counter[str]] = {}
    value_rows: Counter[str] = Counter()
    absent_members: Counter[str] = Counter()
    for run in found:
        codes.update(run.reject_codes)
        warnings.update(run.warnings)
        attributes.update(run.attributes)
        segments.update(run.segments)
        for name, counts in run.rejected_values.items():
            rejected_values.setdefault(name, Counter()).update(counts)
        value_rows.update(run.value_rows)
        absent_members.update(run.absent_members)
    numbers = (
        "read",
        *FATES,
        "requests",
        "bulk_requests",
        "lookups",
        "retries",
        "linked",
        "seconds",
    )
    return RunSummary(
        run_id=found[0].run_id,
        pipeline_name=pipeline_name,
        account=found[0].account,
        source=found[0].source,
        disposition=found[0].disposition,
        state=found[0].state,
        reject_codes=dict(codes),
        warnings=dict(warnings),
        attributes=dict(attributes),
        segments=dict(segments),
        rejected_values={name: dict(counts) for name, counts in rejected_values.items()},
        value_rows=dict(value_rows),
        absent_members=dict(absent_members),
        **{name: sum(getattr(run, name) for run in found) for name in numbers},
    )
