"""From one batch to one result a row: carries out what the machine asks, and reads the answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Protocol

from dlt_bunce.api import outcome
from dlt_bunce.api.batch import Rows
from dlt_bunce.api.reply import Reply
from dlt_bunce.api.throttle import Learner
from dlt_bunce.errors import CredentialsError, UnavailableError
from dlt_bunce.logs import logger
from dlt_bunce.model import Verb
from dlt_bunce.settlement.capabilities import ApiCapabilities
from dlt_bunce.settlement.comparison import compare
from dlt_bunce.settlement.messages import (
    Accepted,
    Answer,
    Find,
    Found,
    Indeterminate,
    Kind,
    Match,
    Rejected,
    Send,
    TooLarge,
)
from dlt_bunce.settlement.resolver import BatchResolver
from dlt_bunce.settlement.row_result import RowResult
from dlt_bunce.settlement.work_item import BatchRejection

__all__ = ["Api", "ApiCapabilities", "RowResult", "Said", "Settlement"]

Said = tuple[str, int]
"""What Bunce has said of a row last, and the status that it came with."""

_EQUAL = Match(email=True, rest=True)
_TOO_LARGE = "the row alone is too large"
_MESSAGES = {
    "email_not_updated": "Bunce has kept the email it had",
    "unconfirmed": "Bunce gives no reason and does not show the customer",
}


class Api(Protocol):
    """What a settlement needs of the wire."""

    def send(
        self, verb: Verb, body: bytes, stopped: Callable[[], bool], *, rows: int, attempt: int
    ) -> Reply | None:
        """One bulk request with this body, tried once; None, with nothing sent, where
        `stopped()` once it is its turn. `rows` are in the body; `attempt` counts from 1.
        """

    def find(self, customer_ids: Sequence[str]) -> dict[str, dict[str, Any]] | None:
        """Customers by id; None when nobody can tell who is there."""

    def pause(self, reply: Reply, attempt: int) -> bool:
        """Waits before another try; False when it is time to give up."""


class Settlement:
    """BackgroundJobs off one batch. `run()` returns a result for every row, in their order.

    `taken` are rows that an earlier request was told are taken, with the words; `caused_by` is the
    refusal that left all of them over. With `probe`, rows are looked up before they are sent. With
    `hold`, some rows are not settled, but told by `held` and `unverified`.
    """

    def __init__(
        self,
        rows: Rows,
        api: Api,
        capabilities: ApiCapabilities,
        learner: Learner,
        *,
        verb: Verb = "create",
        overwrite: bool,
        taken: Mapping[int, Said] = MappingProxyType({}),
        caused_by: BatchRejection | None = None,
        probe: bool = False,
        hold: bool = False,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self._rows = rows
        self._api = api
        self._capabilities = capabilities
        self._learner = learner
        self._stopped = stopped
        self._machine = BatchResolver(
            len(rows),
            verb,
            capabilities,
            overwrite=overwrite,
            indeterminate=rows.indeterminate,
            taken=taken,
            caused_by=caused_by,
            probe=probe,
            hold=hold,
        )
        self._said: dict[int, Said] = dict(taken)
        self._tries = 0
        self.fault: CredentialsError | UnavailableError | None = None

    @property
    def calls(self) -> int:
        """Requests it took, look-ups included."""
        return self._machine.calls

    @property
    def held(self) -> dict[int, Said]:
        """Rows that are left to be looked up together with others."""
        return {i: self._said[i] for i in self._machine.held}

    @property
    def unverified(self) -> Sequence[tuple[Sequence[int], BatchRejection]]:
        """Rows that are left until their refusal's count is believed, or is looked up."""
        return self._machine.unverified

    def run(self) -> list[RowResult]:
        """Settles every row that is not held; `fault` says afterwards why the run must stop."""
        steps = self._machine.run()
        try:
            step = next(steps)
            while not self._stopped():
                answer = self._send(step) if isinstance(step, Send) else self._find(step)
                if answer is None:
                    break
                step = steps.send(answer)
                if self.fault:
                    break
        except StopIteration:
            pass
        except (CredentialsError, UnavailableError) as error:
            self.fault = error
        if self._machine.calls >= self._machine.max_calls:
            # smaller batches need fewer calls where nothing tells which row arrived
            self._learner.took_many_calls(len(self._rows))
        return [self._explained(i, v) for i, v in enumerate(self._machine.results)]

    def _send(self, step: Send) -> Answer | None:
        """What the answer means; None when nothing was carried out and it is time to stop."""
        sent = self._rows.take(step.rows)
        while True:
            reply = self._api.send(
                step.verb, sent.body, self._stopped, rows=len(sent), attempt=self._tries + 1
            )
            if reply is None:
                return None
            read = outcome.read(reply, sent)
            if not isinstance(read, outcome.Limited | outcome.NotSent):
                return self._meaning(step, read, reply)
            if not self._try_again(reply):
                return None

    def _meaning(self, step: Send, read: outcome.Outcome, reply: Reply) -> Answer | None:
        match read:
            case outcome.Unauthorized():
                self.fault = CredentialsError(
                    f"Bunce refuses the API key (HTTP {reply.status}).",
                    remedy="Set a valid key and run again; what was not settled is kept.",
                )
                return None
            case outcome.TooLarge():
                self._tries = 0
                self._learner.too_large(len(step.rows))
                self._said |= dict.fromkeys(step.rows, (_TOO_LARGE, reply.status))
                return TooLarge()
            case outcome.Accepted():
                self._tries = 0
                self._learner.answered(len(step.rows), reply.seconds)
                return Accepted(self._matches(step.rows, read.customers))
            case outcome.Refused():
                self._tries = 0
                if self._capabilities.creates_rest and step.verb == "create":
                    # it took what a success takes
                    self._learner.answered(len(step.rows), reply.seconds)
                return self._blamed(step, read, reply)
        return self._lost(len(step.rows), reply)

    def _lost(self, rows: int, reply: Reply) -> Indeterminate:
        if reply.arrival == "lost":
            self._learner.timed_out(rows)
        self._try_again(reply)
        return Indeterminate()

    def _blamed(self, step: Send, read: outcome.Refused, reply: Reply) -> Rejected:
        texts = {step.rows[position]: text for position, text in read.named.items()}
        if not texts and len(step.rows) == 1 and read.texts:
            texts = {step.rows[0]: "; ".join(read.texts)}
        if not texts:
            logger().info("batch.halved", rows=len(step.rows), status=reply.status)
        self._said |= {i: ("refused", reply.status) for i in step.rows if i not in texts}
        self._said |= {i: (text, reply.status) for i, text in texts.items()}
        return Rejected({i: _kind(text, step.verb) for i, text in texts.items()}, read.counted)

    def _find(self, step: Find) -> Found:
        found = self._api.find([self._rows[i].customer_id for i in step.rows])
        return Found(None if found is None else self._matches(step.rows, found))

    def _matches(
        self, rows: Sequence[int], customers: Mapping[str, Mapping[str, Any]]
    ) -> dict[int, Match]:
        if self._rows.take(rows).are_shown(customers):
            return dict.fromkeys(rows, _EQUAL)
        return {
            i: compare(row.content, customers[row.customer_id])
            for i, row in ((i, self._rows[i]) for i in rows)
            if row.customer_id in customers
        }

    def _try_again(self, reply: Reply) -> bool:
        self._tries += 1
        if self._api.pause(reply, self._tries):
            return True
        self.fault = UnavailableError(
            f"Bunce did not settle a batch in {self._tries} tries: {reply.describe()}.",
            remedy="Run again later: settled rows are not sent again, the others are kept.",
        )
        return False

    def _explained(self, i: int, result: RowResult) -> RowResult:
        """With what Bunce said, where the result makes a dead letter."""
        if result.code is None:
            return result
        text, status = self._said.get(i, ("", None))
        if result.code in _MESSAGES:
            text = _MESSAGES[result.code]
        name = outcome.named_field(text)
        if result.code in {"email_taken", "email_not_updated"}:
            name = "email"
        return replace(result, field=name, message=text, http_status=status)


def _kind(text: str, verb: Verb) -> Kind:
    if outcome.is_taken(text):
        return "taken"
    return "unknown" if verb == "update" and outcome.is_unknown(text) else "bad"
