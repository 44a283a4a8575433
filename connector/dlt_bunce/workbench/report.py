"""Report on the runs of an account, as part of a page and as a standalone file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import cached_property
from typing import Any

from dlt_bunce.model import Fate
from dlt_bunce.store.runs.history import Run, rejects
from dlt_bunce.store.runs.runs import REPLAY
from dlt_bunce.workbench.charts import MAX_BARS, Chart, charts
from dlt_bunce.workbench.pages import render

_DELIVERED: tuple[Fate, ...] = ("created", "updated", "adopted")
_FAILED = ("failed", "interrupted")
_COLUMNS: dict[str, tuple[Fate, ...]] = {
    "Delivered": _DELIVERED,
    "Unchanged": ("unchanged",),
    "Rejected": ("rejected",),
    "Held": ("held",),
    "Not sent": ("skipped", "superseded"),
    "Deferred": ("deferred",),
}


@dataclass(frozen=True)
class Report:
    """Data of the report; `runs` are newest first, `requests_per_minute` is the current setting."""

    account: str
    runs: Sequence[Run]
    requests_per_minute: int
    max_bars: int = MAX_BARS
    made_at: datetime = field(default_factory=lambda: datetime.now(timezone.utc))

    @property
    def charts(self) -> list[Chart]:
        """Charts of the latest runs."""
        return charts(self.runs, self.requests_per_minute)

    @cached_property
    def columns(self) -> dict[str, tuple[Fate, ...]]:
        """The columns of rows that are not empty: a heading, and the fates to add up."""
        return {
            name: fates
            for name, fates in _COLUMNS.items()
            if any(run.count(fates) for run in self.runs)
        }

    @property
    def codes(self) -> dict[str, int]:
        """Rows rejected in all runs by code, the most frequent first."""
        return rejects(self.runs)

    @property
    def _latest(self) -> list[Run]:
        """The newest completed run of each pipeline."""
        found: dict[str, Run] = {}
        for run in self.runs:
            if run.state == "completed" and run.read and not run.run_id.startswith(REPLAY):
                found.setdefault(run.pipeline_name, run)
        return list(found.values())

    @property
    def totals(self) -> dict[str, Any]:
        """Totals over the runs; the budget share covers only runs that have ended."""
        runs = self.runs
        requests = sum(run.requests for run in runs)
        budgets = [run.budget(self.requests_per_minute) for run in runs]
        total_budget = sum(budget or 0 for budget in budgets)
        used = sum(run.requests for run, budget in zip(runs, budgets, strict=True) if budget)
        return {
            "read": sum(run.read for run in runs),
            "delivered": sum(run.count(_DELIVERED) for run in runs),
            "rejected": sum(run.fates["rejected"] for run in runs),
            # the same rows are held by every run, so those of the latest runs are all of them
            "held": sum(run.fates["held"] for run in self._latest),
            "failed": sum(run.state in _FAILED for run in runs),
            "requests": requests,
            "budget_share": used / total_budget if total_budget else None,
            "mean_answer_seconds": sum(r.answer_seconds for r in runs) / requests
            if requests
            else None,
            "slowest_answer_seconds": max((r.slowest_answer_seconds for r in runs), default=None),
        }


def as_html(report: Report) -> str:
    """Render the report as one self-contained HTML file."""
    return render("report.html", report=report)
