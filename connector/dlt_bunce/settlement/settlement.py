"""From one batch to one result a row: carries out what the resolver asks, and reads the answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Protocol

from dlt_bunce.api.batch import Row, Rows, ValueRows
from dlt_bunce.api.reply import Reply
from dlt_bunce.api.throttle import Learner
from dlt_bunce.errors import BunceError, CredentialsError, UnavailableError
from dlt_bunce.logs import logger
from dlt_bunce.model import Verb
from dlt_bunce.settlement import replies
from dlt_bunce.settlement.capabilities import ApiCapabilities
from dlt_bunce.settlement.comparison import compare
from dlt_bunce.settlement.deliverables import CUSTOMERS, Deliverable
from dlt_bunce.settlement.messages import (
    Accepted,
    Answer,
    Blocked,
    FindHolders,
    Holders,
    Indeterminate,
    Lookup,
    LookupResult,
    Pause,
    Ping,
    Reason,
    Rejected,
    Resumed,
    Send,
    Step,
    TooLarge,
)
from dlt_bunce.settlement.resolver import BatchResolver
from dlt_bunce.settlement.row_result import RowResult
from dlt_bunce.settlement.stops import KEPT, Suspicion, fault_of

__all__ = ["Api", "ApiCapabilities", "RowResult", "Settlement"]

_NO_REASONS: Mapping[int, Reason] = MappingProxyType({})


class Api(Protocol):
    """What a settlement needs of the wire, for one deliverable."""

    def send(
        self, verb: Verb, body: bytes, stopped: Callable[[], bool], *, rows: int, attempt: int
    ) -> Reply | None:
        """Send one bulk request with this body, once; return None, with nothing sent, if
        `stopped()` is true when its turn comes. `rows` are in the body; `attempt` counts from 1.
        """

    def find(self, customer_ids: Sequence[str]) -> dict[str, dict[str, Any]] | None:
        """Return customers by id; None where customers cannot be looked up."""

    def find_by_email(self, emails: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
        """Return everybody who has each email; one that cannot be looked up is left out."""

    def pause(self, reply: Reply, attempt: int) -> bool:
        """Wait before another try; return False to give up."""


class Settlement:
    """Works off one batch. `run()` returns a result for every row, in their order.

    See BatchResolver for `taken`, `lagging`, `probe`, `hold`, `link`, and `suspicion`; `held`,
    `aside`, and `lagging` tell afterwards which rows are not settled but left for later. `control`
    is a customer who was created after all of the rows were sent: a look-up that shows it, with the
    content that was sent, is current.
    """

    def __init__(
        self,
        rows: Rows | ValueRows,
        api: Api,
        capabilities: ApiCapabilities,
        learner: Learner,
        *,
        verb: Verb = "create",
        overwrite: bool,
        taken: Mapping[int, Reason] = _NO_REASONS,
        lagging: Sequence[int] = (),
        probe: bool = False,
        hold: bool = False,
        link: bool = False,
        suspicion: Suspicion | None = None,
        control: Row | None = None,
        stopped: Callable[[], bool] = lambda: False,
        deliverable: Deliverable = CUSTOMERS,
    ) -> None:
        self._rows = rows
        self._api = api
        self._capabilities = capabilities
        self._learner = learner
        self._stopped = stopped
        self._deliverable = deliverable
        self._resolver = BatchResolver(
            len(rows),
            verb,
            capabilities,
            overwrite=overwrite,
            indeterminate=rows.indeterminate,
            taken=taken,
            lagging=lagging,
            linked=rows.linked,
            probe=probe,
            hold=hold,
            must_be_shown=deliverable.must_be_shown,
            link=link,
            suspicion=suspicion,
        )
        self._control = control
        self.held_at = 0.0
        """When all rows that are held had been sent, by the monotonic clock."""
        self.created: tuple[float, Row] | None = None
        """The customer created last, and when it was sent."""
        self._tries = 0
        self._last = Reply("not_sent")
        self.fault: BunceError | None = None

    @property
    def calls(self) -> int:
        """Requests it took, look-ups included."""
        return self._resolver.calls

    @property
    def held(self) -> dict[int, Reason]:
        """Rows that are left to be looked up later, and what Bunce said of them."""
        return {i: self._resolver.reasons[i] for i in self._resolver.held}

    @property
    def aside(self) -> set[int]:
        """Rows that are left until other batches have been tried."""
        return self._resolver.aside

    @property
    def suspicion(self) -> Suspicion | None:
        """Why they are."""
        return self._resolver.suspicion

    @property
    def lagging(self) -> set[int]:
        """Rows held or set aside that this run may have created."""
        return self._resolver.lagging

    def run(self) -> list[RowResult]:
        """Settle every row that is not held; `fault` says afterwards why the load must stop."""
        steps = self._resolver.run()
        try:
            step = next(steps)
            while not self._stopped():
                answer = self._answer(step)
                if answer is None:
                    break
                step = steps.send(answer)
        except StopIteration:
            pass
        except (CredentialsError, UnavailableError) as error:
            self.fault = error
        if self._resolver.held:
            # the last step may have held some
            self.held_at = time.monotonic()
        if self._resolver.stop is not None and self.fault is None:
            noun, seen = self._deliverable.noun, replies.seen(self._last)
            self.fault = fault_of(self._resolver.stop, noun, seen)
        if self._resolver.calls >= self._resolver.max_calls:
            # smaller batches need fewer calls where nothing tells which row arrived
            self._learner.took_many_calls(len(self._rows))
        return [
            result if result.code is None else self._explained(result)
            for result in self._resolver.results
        ]

    def _answer(self, step: Step) -> Answer | None:
        """Return the answer to a step; None when nothing was carried out and it is time to stop."""
        match step:
            case Send():
                return self._send(step)
            case Lookup():
                return self._look_up(step)
            case FindHolders():
                return self._find_holders(step)
            case Pause():
                return Resumed(self._api.pause(self._last, step.tries))
            case Ping():
                reply = self._api.send(
                    step.verb,
                    self._deliverable.nothing,
                    self._stopped,
                    rows=0,
                    attempt=self._tries + 1,
                )
                return None if reply is None else Resumed(replies.gets_through(reply))

    def _look_up(self, step: Lookup) -> LookupResult:
        if isinstance(self._rows, ValueRows):
            return LookupResult(None)
        control = [] if self._control is None else [self._control.customer_id]
        rows = self._rows[:]
        ids = [rows[i].customer_id for i in step.rows]
        found = self._api.find([*ids, *control])
        if found is None:
            return LookupResult(None)
        sent = self._rows.take(step.rows)
        return LookupResult(
            replies.matches(sent, step.rows, found), is_current=self._is_current(found)
        )

    def _find_holders(self, step: FindHolders) -> Holders:
        every = self._rows[:]
        rows = {i: row for i in step.rows if isinstance(row := every[i], Row)}
        found = self._api.find_by_email([row.email for row in rows.values()])
        return replies.holders(rows, found)

    def _is_current(self, found: Mapping[str, Mapping[str, Any]]) -> bool:
        control = self._control
        if control is None or control.customer_id not in found:
            return False
        return compare(control.content, found[control.customer_id]).exact

    def _send(self, step: Send) -> Answer | None:
        sent = self._rows.take(step.rows)
        tries = 0
        while True:
            started = time.monotonic()
            reply = self._api.send(
                step.verb, sent.body, self._stopped, rows=len(sent), attempt=self._tries + 1
            )
            if reply is None:
                return None
            self._last = reply
            read = self._deliverable.read(reply, sent, step.rows, step.verb)
            if isinstance(read, replies.Unauthorized):
                raise CredentialsError(
                    f"Bunce did not accept the API key (HTTP {reply.status}).",
                    remedy="Set a valid key and run again; what was not settled is kept.",
                )
            if not isinstance(read, replies.RateLimited | replies.NotSent):
                self._learn(step, read, reply, started)
                return read
            tries += 1
            self._try_again(reply, tries)

    def _learn(self, step: Send, read: replies.Bulk, reply: Reply, started: float) -> None:
        """Tell the throttle how the batch fared."""
        rows = len(step.rows)
        self._tries = self._tries + 1 if isinstance(read, Indeterminate | Blocked) else 0
        match read:
            case TooLarge():
                self._learner.too_large(rows)
            case Accepted():
                self._learner.answered(rows, reply.seconds)
                if step.verb == "create" and read.matches and isinstance(self._rows, Rows):
                    self.created = started, self._rows[max(read.matches)]
            case Rejected() if self._capabilities.creates_rest and step.verb == "create":
                # it took what a success takes
                self._learner.answered(rows, reply.seconds)
            case Indeterminate() if reply.arrival == "lost":
                self._learner.timed_out(rows)
        if isinstance(read, Rejected) and not read.reasons and not read.positions:
            logger().info("batch.halved", rows=rows, status=reply.status)

    def _try_again(self, reply: Reply, tries: int) -> None:
        self._tries += 1
        if not self._api.pause(reply, tries):
            raise UnavailableError(
                f"A batch could not be delivered in {tries} tries: {reply.describe()}.",
                remedy=KEPT,
            )

    def _explained(self, result: RowResult) -> RowResult:
        """Add the field that its message is about to a result that makes a dead letter."""
        deliverable, code = self._deliverable, result.code or ""
        text = deliverable.messages.get(code, result.message)
        return replace(result, field=deliverable.field_of(code, text), message=text)
