"""Batches on their way to Bunce and back: what a load asks to have its rows settled."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from dlt_bunce.api.client import Session
from dlt_bunce.api.throttle import Throttle
from dlt_bunce.load.dispatch import Batch, Delivered
from dlt_bunce.model import Traffic, Verb
from dlt_bunce.settlement.capabilities import ApiCapabilities
from dlt_bunce.settlement.settlement import Settlement


class Sender(Protocol):
    """Settles batches, one in each of `threads` threads at most."""

    @property
    def threads(self) -> int:
        """Batches that may ever be in flight."""

    def batch_size(self) -> int:
        """Rows that the next batch may have."""

    def in_flight(self) -> int:
        """Batches that may be in flight now."""

    def send(self, batch: Batch, *, overwrite: bool, stopped: Callable[[], bool]) -> Delivered:
        """Settle a batch; nothing more is sent once `stopped()`."""

    def stop(self) -> None:
        """Wake whoever waits: the load is to end."""

    def take_traffic(self) -> Traffic:
        """Return what went over the wire since the last call."""


@dataclass
class BunceSender:
    """Sends batches through a session, as fast as the throttle allows."""

    session: Session
    throttle: Throttle
    link: bool = False
    """Whether to find the customer who has the email of a row that is called taken."""
    _capabilities: ApiCapabilities = field(default_factory=ApiCapabilities)
    _stop: threading.Event = field(default_factory=threading.Event)

    @property
    def threads(self) -> int:
        """Batches that may ever be in flight."""
        return self.throttle.concurrency.most

    def batch_size(self) -> int:
        """Rows that the next batch may have."""
        return self.throttle.size()

    def in_flight(self) -> int:
        """Batches that may be in flight now."""
        return self.throttle.concurrency()

    def send(self, batch: Batch, *, overwrite: bool, stopped: Callable[[], bool]) -> Delivered:
        """Settle a batch; nothing more is sent once `stopped()`."""
        # a row that is called taken was sent as a create, whatever it began as
        verb: Verb = "create" if batch.taken else batch.rows.column("verb")[0].as_py()
        is_new = verb == "create" and not batch.taken
        with self._capabilities.turn(alone=is_new) as probe, self.throttle.slot() as learner:
            settlement = Settlement(
                batch.sent,
                self.session,
                self._capabilities,
                learner,
                verb=verb,
                overwrite=overwrite,
                taken=batch.taken,
                lagging=sorted(batch.lagging),
                probe=probe,
                hold=not batch.last_try,
                link=self.link,
                control=batch.control,
                stopped=stopped,
            )
            results = settlement.run()
        return Delivered(
            batch,
            results,
            settlement.calls,
            settlement.fault,
            settlement.held,
            frozenset(settlement.lagging),
            settlement.held_at,
            settlement.created,
        )

    def stop(self) -> None:
        """Wake whoever waits: the load is to end."""
        self.session.stopping.set()

    def take_traffic(self) -> Traffic:
        """Return what went over the wire since the last call."""
        return self.session.take_traffic()
