"""What a load would do and cost, and what is likely to go wrong with it."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dlt

from dlt_bunce.commands import completed
from dlt_bunce.destination.access import client_of
from dlt_bunce.destination.factory import bunce
from dlt_bunce.destination.settings.configuration import BunceConfiguration
from dlt_bunce.errors import ThresholdError
from dlt_bunce.load.dry_run import Preview
from dlt_bunce.load.probed import VALUE_BATCH_SIZE, batch_sizes, in_force, value_batch_sizes
from dlt_bunce.model import RunSummary
from dlt_bunce.operations import estimate
from dlt_bunce.operations.flush import flush_and_run
from dlt_bunce.operations.value_estimate import (
    CheckedTarget,
    RejectedValueShapes,
    Warned,
    available,
    checked_targets,
    rejected_values,
)
from dlt_bunce.records.values.targets import Kind
from dlt_bunce.store import rate_limits
from dlt_bunce.store.accounts import known_account
from dlt_bunce.store.database import Database
from dlt_bunce.store.probes import Probed, latest_probe
from dlt_bunce.store.runs import history, runs

_NO_KEY = Warned(
    "no_api_key",
    "No API key is set, so Bunce was not asked for anything, and a load would fail.",
    "Set DESTINATION__BUNCE__CREDENTIALS__API_KEY.",
)
Around = Callable[[bunce], contextlib.AbstractContextManager[None]]
"""What surrounds the dry run of a destination, such as a progress bar."""


@dataclasses.dataclass(frozen=True)
class Check:
    """What a load would do: its mapping, its counts, and its cost at the pace to expect.

    `summary` has the counts of the load that follows, unless Bunce has customers that the ledger
    does not know. `mode` is `live`, `sandbox`, or `unknown`; `export` names the program that the
    columns show to be that of the source, if it is known. `targets` are the attributes and segments
    that columns feed, with what would become of their values; `available` has the names of those
    that Bunce has, by kind.
    """

    mapping: Sequence[estimate.MappedColumn]
    unmapped: Sequence[str]
    export: str | None
    rejected: Sequence[estimate.RejectedShapes]
    summary: RunSummary
    cost: estimate.Cost
    base_url: str | None
    mode: str
    warnings: Sequence[Warned]
    pace: estimate.ThroughputEstimate
    targets: Sequence[CheckedTarget] = ()
    rejected_values: Sequence[RejectedValueShapes] = ()
    available: Mapping[Kind, Sequence[str]] = dataclasses.field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the result as plain values, for JSON."""
        values = dataclasses.asdict(dataclasses.replace(self, summary=RunSummary()))
        del values["pace"]
        return values | {"summary": self.summary.as_dict()}


def check(
    data: Any,
    destination: bunce | None = None,
    *,
    write_disposition: str | None = None,
    pipeline_name: str | None = None,
    show_values: bool = False,
    around: Around = lambda _: contextlib.nullcontext(),
) -> Check:
    """Read all of `data`, and compare it with the ledger.

    `pipeline_name` names the runs to compare the number of rows with.
    """
    given = destination.config_params if destination is not None else {}
    config, preview = _dry_run(bunce(**given | {"dry_run": True}), data, write_disposition, around)
    last, pace, probed = _expected(config, pipeline_name)
    region = config.default_region
    account = None if config.account == "default" else config.account
    warned = list(estimate.warnings(preview, default_region=region, last=last, probed=probed))
    if not config.credentials.api_key:
        warned.append(_NO_KEY)
    return Check(
        list(estimate.mapped(preview, show_values=show_values)),
        estimate.unmapped(preview),
        None if preview.mapping is None else preview.mapping.export,
        estimate.rejected(preview, show_values=show_values),
        preview.summary,
        estimate.cost(preview, pace),
        config.base_url,
        config.mode,
        [dataclasses.replace(w, remedy=completed(w.remedy, account)) for w in warned],
        pace,
        checked_targets(preview),
        rejected_values(preview, show_values=show_values),
        available(preview),
    )


def _dry_run(
    destination: bunce, data: Any, write_disposition: str | None, around: Around
) -> tuple[BunceConfiguration, Preview]:
    with tempfile.TemporaryDirectory(prefix="dlt-bunce-") as folder:
        pipeline = dlt.pipeline("bunce_check", pipelines_dir=folder, destination=destination)
        config = client_of(pipeline).config
        destination.run_context.reports_faults = True
        given: dict[str, Any] = {"write_disposition": write_disposition}
        try:
            with around(destination):
                summary = flush_and_run(pipeline, data, **given)
        except ThresholdError as error:  # shown among the warnings
            summary = error.summary
        preview = destination.run_context.previews.get(summary.run_id or "") or Preview(summary)
        return config, dataclasses.replace(preview, summary=summary)


def _expected(
    config: BunceConfiguration, pipeline_name: str | None
) -> tuple[RunSummary | None, estimate.ThroughputEstimate, Probed | None]:
    """Return the pipeline's last complete run, the pace to expect of the next one, and the probe
    that it starts from.
    """
    pace = estimate.ThroughputEstimate(
        config.batch_size,
        VALUE_BATCH_SIZE,
        config.max_batch_size,
        config.max_batch_size,
        config.concurrency,
        config.requests_per_minute,
    )
    database = Database(config.store_url, read_only=True)
    if not database.exists():
        return None, pace, None
    with database as db:
        key = config.credentials.api_key or None
        account = known_account(db, config.account, key, host=config.host)
        share, pause_s = rate_limits.share_of(db, config.budget_scope)
        named = pipeline_name is not None
        found = runs.summaries(db, config.account, pipeline_name=pipeline_name) if named else []
        answer_s = history.mean_answer_s(db, config.account)
        probed = in_force(latest_probe(db, config.account, host=config.host))
    last = next((run for run in found if run.read and run.state == "completed"), None)
    values_size, largest_values = value_batch_sizes(account, probed, config.max_batch_size)
    size, largest = batch_sizes(account.batch_size if account else None, probed, config)
    if answer_s is None and probed is not None and "seconds_per_row" in probed.figures:
        answer_s = size * probed.figures["seconds_per_row"]
    pace = dataclasses.replace(
        pace,
        batch_size=size,
        value_batch_size=values_size,
        max_batch_size=largest,
        max_value_batch_size=largest_values,
        concurrency=(account.concurrency if account else None) or config.concurrency,
        share=share,
        pause_s=pause_s,
        answer_s=answer_s,
    )
    return last, pace, probed
