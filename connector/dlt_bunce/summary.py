"""What a pipeline's last run did, as figures to check and to print."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from dlt_bunce.model import FATES, RunSummary

if TYPE_CHECKING:
    from dlt import Pipeline


def run_summary(pipeline: Pipeline) -> RunSummary:
    """The fates, requests, and reject codes of the pipeline's last run.

    A run that had nothing to load gives zeros, never the figures of an earlier run. In a process
    that has not run the pipeline, the newest run that the store knows is returned. Raises
    ConservationError when the fates do not add up to the rows read.
    """
    from dlt_bunce.client import BunceClient
    from dlt_bunce.job import previews
    from dlt_bunce.store import runs

    with pipeline.destination_client() as client:
        if not isinstance(client, BunceClient):
            raise TypeError(f"pipeline {pipeline.pipeline_name!r} does not load into bunce")
        trace = pipeline.last_trace
        info = trace.last_load_info if trace else None
        load_ids = None if trace is None else list(info.loads_ids) if info else []
        if load_ids and all(load_id in previews for load_id in load_ids):
            found = [previews[load_id].summary for load_id in load_ids]
        elif load_ids == []:
            found = []
        else:
            with client.database() as db:
                found = runs.summaries(
                    db,
                    client.config.account,
                    run_ids=load_ids,
                    pipeline_name=pipeline.pipeline_name,
                    limit=1 if load_ids is None else 1_000,
                )
    summary = add_up(found, pipeline.pipeline_name)
    summary.raise_if_unbalanced()
    return summary


def add_up(found: list[RunSummary], pipeline_name: str) -> RunSummary:
    """One summary of several load packages, named by the newest."""
    if not found:
        return RunSummary(pipeline_name=pipeline_name)
    codes: Counter[str] = Counter()
    for one in found:
        codes.update(one.reject_codes)
    numbers = ("read", *FATES, "requests", "bulk_requests", "lookups", "retries", "seconds")
    return RunSummary(
        run_id=found[0].run_id,
        pipeline_name=pipeline_name,
        disposition=found[0].disposition,
        state=found[0].state,
        reject_codes=dict(codes),
        **{name: sum(getattr(one, name) for one in found) for name in numbers},
    )
