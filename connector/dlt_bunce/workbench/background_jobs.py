"""Replays and discards that go on while pages are served."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from dlt_bunce.store.dead_letter_query import Selection

if TYPE_CHECKING:
    from dlt_bunce.destination.client import BunceClient

KEPT = 100
"""Pieces of work of which the result can still be looked at."""

Figures = dict[str, int]


@dataclass(frozen=True)
class Work:
    """One replay or discard; its result are counts by name. `back` is where it was ordered."""

    number: int
    action: str
    back: str
    result: Future[Figures]
    started_at: datetime = field(default_factory=lambda: datetime.now(timezone.utc))


class BackgroundJobs:
    """What this process was told to do, each in a thread of its own.

    The threads are daemons: a replay that is broken off with the process leaves every letter open
    or closed as it should be.
    """

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._works: dict[int, Work] = {}

    def start(self, action: str, back: str, act: Callable[[], Figures]) -> Work:
        """Begins; what `act` raises is the result's exception."""
        work = Work(next(self._numbers), action, back, Future())

        def run() -> None:
            try:
                work.result.set_result(act())
            except BaseException as error:  # noqa: BLE001, told on the page of the work
                work.result.set_exception(error)

        self._works[work.number] = work
        self._works.pop(work.number - KEPT, None)
        threading.Thread(target=run, name=f"dlt-bunce-{action}", daemon=True).start()
        return work

    def get(self, number: int) -> Work | None:
        """The work of that number, while it is kept."""
        return self._works.get(number)

    @property
    def running(self) -> list[Work]:
        """Those that have not ended."""
        return [work for work in self._works.values() if not work.result.done()]


def replayed(client: BunceClient, selection: Selection) -> Figures:
    """Sends the letters of a selection again; their fates, and those that hold no row to send."""
    from dlt_bunce.operations.replay import replay

    done = replay(client, selection=selection)
    fates = {str(fate): n for fate, n in done.summary.fates.items() if n}
    counts = {"letters taken up": done.summary.read} | fates
    if done.without_row:
        counts["without a stored row"] = done.without_row
    return counts | {"requests": done.summary.requests}


def discarded(store_url: str, account: str, selection: Selection) -> Figures:
    """Closes the letters of a selection; how many."""
    from dlt_bunce.store.database import Database
    from dlt_bunce.store.dead_letters import discard

    with Database(store_url) as db:
        return {"letters discarded": discard(db, account, selection)}
