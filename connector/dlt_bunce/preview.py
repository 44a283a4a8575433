"""What a load would do, by the same stages, with nothing sent and nothing written."""

from __future__ import annotations

from collections import Counter
from typing import Any

from dlt_bunce.load import Settings, Source
from dlt_bunce.model import FATES, RunSummary
from dlt_bunce.records.prepare import prepare
from dlt_bunce.store.database import Database
from dlt_bunce.store.ledger import Job, Ledger


def preview(source: Source, job: Job, settings: Settings, store_url: str) -> RunSummary:
    """Counts by fate-to-be: `created` and `updated` are the rows that would be sent.

    Rows that share a key over several chunks are each judged against the ledger as it is now.
    """
    counts: Counter[str] = Counter()
    codes: Counter[str] = Counter()
    known = Database(store_url).exists()
    for number, table in enumerate(source.chunks(20_000)):
        prepared = prepare(table, settings.mapping, settings.rules)
        counts["read"] += prepared.read
        counts["superseded"] += prepared.superseded
        counts["rejected"] += prepared.rejected.num_rows
        codes.update(prepared.rejected.column("code").to_pylist())
        if not known:
            counts["new"] += prepared.accepted.num_rows
        else:
            with Database(store_url) as db:
                verdicts = Ledger(db, job).judge(prepared.accepted, number)
            counts.update(verdicts.column("verdict").to_pylist())
            counts["unchanged"] += prepared.accepted.num_rows - verdicts.num_rows
        settings.progress(table.num_rows)
    counts["created"] += counts.pop("new", 0)
    counts["skipped" if job.disposition == "append" else "updated"] += counts.pop("changed", 0)
    counts["deferred"] += counts.pop("busy", 0)
    fates: dict[str, Any] = {fate: counts[fate] for fate in FATES}
    summary = RunSummary(
        run_id=job.run_id,
        pipeline_name=job.pipeline_name,
        disposition=job.disposition,
        state="dry_run",
        read=counts["read"],
        reject_codes=dict(codes),
        **fates,
    )
    summary.raise_if_unbalanced()
    return summary
