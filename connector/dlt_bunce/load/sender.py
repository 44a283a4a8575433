"""Batches on their way to Bunce and back: what a load asks to have its rows settled."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote

from dlt_bunce.api.client import Session
from dlt_bunce.api.observer import RequestInfo
from dlt_bunce.api.reply import Reply
from dlt_bunce.api.throttle import Throttle
from dlt_bunce.load.alike_rejections import AlikeRejections
from dlt_bunce.load.dispatch import Batch, Delivered, ValueBatch
from dlt_bunce.load.value_names import ValueNames, renamed
from dlt_bunce.model import Traffic, Verb
from dlt_bunce.settlement.capabilities import ApiCapabilities
from dlt_bunce.settlement.deliverables import MEMBERS, VALUES
from dlt_bunce.settlement.settlement import Settlement
from dlt_bunce.settlement.value_replies import required_names


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
    capabilities: ApiCapabilities = field(default_factory=ApiCapabilities)
    """What is known of the API, before the first batch and as the load learns."""
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
        with self.capabilities.turn(alone=is_new) as probe, self.throttle.slot() as learner:
            settlement = Settlement(
                batch.sent,
                self.session,
                self.capabilities,
                learner,
                verb=verb,
                overwrite=overwrite,
                taken=batch.taken,
                lagging=sorted(batch.lagging),
                probe=probe,
                hold=not batch.last_try,
                link=self.link,
                suspicion=batch.suspicion,
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
            frozenset(settlement.aside),
            settlement.suspicion,
        )

    def stop(self) -> None:
        """Wake whoever waits: the load is to end."""
        self.session.stopping.set()

    def take_traffic(self) -> Traffic:
        """Return what went over the wire since the last call."""
        return self.session.take_traffic()


class ValueSender(BunceSender):
    """Sends attribute values and segment members through the same session."""

    def __init__(self, session: Session, throttle: Throttle, *, empty_echo: bool = False) -> None:
        super().__init__(session, throttle)
        self._empty_echo = empty_echo
        self._by_operation: dict[str, ApiCapabilities] = {}
        self._rejections: dict[str, AlikeRejections] = {}
        self._names = ValueNames()

    def send(self, batch: Batch, *, overwrite: bool, stopped: Callable[[], bool]) -> Delivered:
        """Settle a batch; nothing more is sent once `stopped()`."""
        assert isinstance(batch, ValueBatch)  # noqa: S101, nothing else is dispatched to it
        operation = batch.operation
        known = ApiCapabilities(empty_echo=self._empty_echo)
        capabilities = self._by_operation.setdefault(operation, known)
        alike = self._rejections.setdefault(operation, AlikeRejections())
        with self.throttle.slot() as learner:
            settlement = Settlement(
                batch.sent,
                _ValueCalls(self.session, operation, self._names),
                capabilities,
                learner,
                verb="update",
                overwrite=overwrite,
                stopped=stopped,
                deliverable=VALUES if operation == "values" else MEMBERS,
            )
            results = settlement.run()
        fault = alike.note(results) or settlement.fault
        return Delivered(batch, results, settlement.calls, fault)


@dataclass(frozen=True)
class _ValueCalls:
    """The calls of one operation, as a settlement makes them."""

    session: Session
    operation: str
    names: ValueNames

    def send(
        self, verb: Verb, body: bytes, stopped: Callable[[], bool], *, rows: int, attempt: int
    ) -> Reply | None:
        """Send one request; send it again under the names that Bunce asks for, if it does."""
        while True:
            asked = self.names.asked
            reply = self._deliver(renamed(body, asked), stopped, rows=rows, attempt=attempt)
            if reply is None or not self.names.learn(required_names(reply), asked):
                return reply

    def _deliver(
        self, body: bytes, stopped: Callable[[], bool], *, rows: int, attempt: int
    ) -> Reply | None:
        operation, _, segment = self.operation.partition(" ")
        if operation == "values":
            method, path = "POST", "/attributes/customers"
            template = path
        else:
            method, path = _METHODS[operation], f"/segments/{quote(segment, safe='')}/customers"
            template = "/segments/{segment_id}/customers"
        question = RequestInfo(method, template, "values", rows, attempt)
        return self.session.deliver(question, path, body, stopped)

    def find(self, customer_ids: Sequence[str]) -> None:
        """Return None: there is nothing to look up."""

    def find_by_email(self, emails: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
        """Return nobody."""
        return {}

    def pause(self, reply: Reply, attempt: int) -> bool:
        """Wait before another try."""
        return self.session.pause(reply, attempt)


_METHODS = {"add": "POST", "remove": "DELETE"}
