"""Replays, discards, and retries that run in the background while pages are served."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from dlt_bunce.store.letters.selection import Selection
from dlt_bunce.store.values.rejected_values import ValueSelection

if TYPE_CHECKING:
    from dlt_bunce.destination.client import BunceClient
    from dlt_bunce.model import RunSummary
    from dlt_bunce.workbench.store import Store

KEPT = 100
"""Number of jobs whose results are kept."""

Figures = dict[str, int]


@dataclass(frozen=True)
class Job:
    """One such action, and the page `back` that it was started from.

    Its `result` is counts by name, or the exception that it ended with: a future that raised it
    would have asyncio print its stack trace.
    """

    number: int
    action: str
    back: str
    result: Future[Figures | BaseException]
    started_at: datetime = field(default_factory=lambda: datetime.now(timezone.utc))


class BackgroundJobs:
    """The actions of this process, each in its own thread.

    The threads are daemons: a replay that is interrupted with the process leaves every dead letter
    correctly open or closed.
    """

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._jobs: dict[int, Job] = {}

    def start(self, action: str, back: str, act: Callable[[], Figures]) -> Job:
        """Run `act` in a new thread; an exception that it raises becomes the result."""
        job = Job(next(self._numbers), action, back, Future())

        def run() -> None:
            try:
                job.result.set_result(act())
            except BaseException as error:  # noqa: BLE001, shown on the job's page
                job.result.set_result(error)

        self._jobs[job.number] = job
        self._jobs.pop(job.number - KEPT, None)
        threading.Thread(target=run, name=f"dlt-bunce-{action}", daemon=True).start()
        return job

    def get(self, number: int) -> Job | None:
        """Return the job with this number, or None if it is no longer kept."""
        return self._jobs.get(number)

    @property
    def running(self) -> list[Job]:
        """The jobs that have not finished."""
        return [job for job in self._jobs.values() if not job.result.done()]


def replayed(store: Store, selection: Selection) -> Figures:
    """Send the selected dead letters again; return their fates, and how many have no stored row."""
    from dlt_bunce.operations.replay import replay

    result = replay(_client(store, selection), selection=selection)
    fates = {str(fate): n for fate, n in result.summary.fates.items() if n}
    counts = {"dead letters replayed": result.summary.read} | fates
    if result.without_row:
        counts["without a stored row"] = result.without_row
    return counts | _values(result.summary) | {"requests": result.summary.requests}


def corrected(store: Store, letter_id: str, changes: Mapping[str, str | None]) -> Figures:
    """Send the corrected row of a dead letter; return its fate and the number of requests."""
    from dlt_bunce.operations.replay import correct

    summary = correct(_client(store, Selection(ids=[letter_id])), letter_id, changes)
    fates = {str(fate): n for fate, n in summary.fates.items() if n}
    return fates | _values(summary) | {"requests": summary.requests}


def _client(store: Store, selection: Selection) -> BunceClient:
    from dlt_bunce.operations.replay_runs import recorded_unconfigured

    with recorded_unconfigured(selection, lambda: (store.url, store.account)):
        return store.client()


def _values(summary: RunSummary) -> Figures:
    """Return the counts of attribute values and segment members, if there are any."""
    return {
        f"values of {kind} {fate}": count
        for kind, counts in (("attributes", summary.attributes), ("segments", summary.segments))
        for fate, count in counts.items()
        if count and fate != "read"
    }


def retried(store_url: str, account: str, selection: ValueSelection) -> Figures:
    """Have the selected values sent again by the next load; return how many there were."""
    from dlt_bunce.operations.rejected_values import retry
    from dlt_bunce.store.database import Database

    with Database(store_url) as db:
        done = retry(db, account, selection)
    counts = {"values to be sent again": done.released}
    if done.validated_again:
        counts["values that every load validates again"] = done.validated_again
    return counts


def discarded(store_url: str, account: str, selection: Selection) -> Figures:
    """Close the selected dead letters; return how many there were."""
    from dlt_bunce.store.database import Database
    from dlt_bunce.store.letters.dead_letters import discard

    with Database(store_url) as db:
        return {"dead letters discarded": discard(db, account, selection)}
