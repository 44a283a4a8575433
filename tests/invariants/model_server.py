"""A model of Bunce's bulk calls, without HTTP, under any variant of the API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from dlt_bunce.settlement.messages import (
    Accepted,
    Answer,
    Blocked,
    FindHolders,
    Holders,
    Indeterminate,
    Kind,
    Lookup,
    LookupResult,
    Match,
    Pause,
    Ping,
    Reason,
    Rejected,
    Resumed,
    Send,
    Step,
    TooLarge,
)

from .api_variants import ApiVariant

Content = Literal["ours", "moved", "old"]
"""What Bunce has of a customer: our row; our row but for the email; something else."""

MATCHES: dict[Content, Match] = {
    "ours": Match(email=True, rest=True),
    "moved": Match(email=False, rest=True),
    "old": Match(email=True, rest=False),
}


@dataclass(frozen=True)
class Customer:
    """A row to be loaded: whether it is acceptable, and what Bunce has of it beforehand."""

    kind: Literal["good", "bad", "taken", "poison"]
    start: Content | None = None
    strangers: int = 1
    """Customers of other channels who have the email of a `taken` row."""
    stranger: Content = "old"
    """What they have, compared with the row."""
    stays: bool = True
    """Whether they are still there once they are linked."""


FULL = "You have reached the maximum number of customers on your plan"
MAX_TRIES = 5

Fault = Literal["none", "before", "after", "midway", "crash_before", "crash_after"]
FAULTS: tuple[Fault, ...] = ("none", "before", "after", "midway", "crash_before", "crash_after")


class CrashError(Exception):
    """The client's process ends here."""


@dataclass
class Server:
    """Answers a machine's steps; `state` is what Bunce has."""

    reading: ApiVariant
    customers: Sequence[Customer]
    state: dict[int, Content] = field(default_factory=dict)
    linked: set[int] = field(default_factory=set)
    """Rows that are sent as the stranger who has their email."""
    strangers: dict[int, Content] = field(default_factory=dict)
    sends: int = 0
    times_sent: dict[int, int] = field(default_factory=dict)
    _unseen: dict[int, tuple[Content | None, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.state = {i: c.start for i, c in enumerate(self.customers) if c.start}
        everybody = enumerate(self.customers)
        self.strangers = {i: c.stranger for i, c in everybody if c.kind == "taken" and c.strangers}

    def answer(self, step: Step, fault: Fault = "none") -> Answer:
        """Carry a step out. Raises CrashError."""
        if isinstance(step, Send):
            return self._send(step, fault)
        match step:
            case Lookup():
                return self._find(step.rows)
            case FindHolders():
                return self._find_holders(step.rows)
            case Pause():
                return Resumed(step.tries < MAX_TRIES)
            case Ping():
                return Resumed(self.reading.outage == "none")

    def _send(self, step: Send, fault: Fault) -> Answer:
        self.sends += 1
        for i in step.rows:
            self.times_sent[i] = self.times_sent.get(i, 0) + 1
        if fault == "crash_before":
            raise CrashError
        if self.reading.outage == "blocked":
            return Blocked(403)
        if fault == "before" or self.reading.outage == "lost":
            return Indeterminate()
        if fault == "midway":
            self._apply(Send(step.verb, step.rows[: len(step.rows) // 2]))
            return Indeterminate()
        answer = self._apply(step)
        if fault == "crash_after":
            raise CrashError
        return Indeterminate() if fault == "after" else answer

    def _find(self, rows: Sequence[int]) -> Answer:
        if not self.reading.look_up:
            return LookupResult(None)
        seen: dict[int, Match] = {}
        for i in rows:
            content = self.strangers.get(i) if i in self.linked else self.state.get(i)
            if i in self._unseen:
                before, reads = self._unseen.pop(i)
                content = before
                if reads > 1:
                    self._unseen[i] = (before, reads - 1)
            if content is not None:
                seen[i] = MATCHES[content]
        return LookupResult(seen)

    def _find_holders(self, rows: Sequence[int]) -> Answer:
        if not self.reading.by_email:
            return Holders({})
        others: dict[int, dict[str | None, Match]] = {i: {} for i in rows}
        for i in rows:
            if i in self.strangers:
                count = self.customers[i].strangers
                others[i] = {f"b{i}-{n}": MATCHES[self.strangers[i]] for n in range(count)}
        own = {i: MATCHES[self.state[i]] for i in rows if i in self.state}
        return Holders(others, own)

    def _apply(self, step: Send) -> Answer:
        if len(step.rows) > self.reading.largest:
            return TooLarge()
        poisoned = [i for i in step.rows if self.customers[i].kind == "poison"]
        if poisoned and self.reading.poison == "blocked":
            return Blocked(403)
        if poisoned:
            if self.reading.poison == "midway":
                self._apply(Send(step.verb, step.rows[: step.rows.index(poisoned[0])]))
            return Indeterminate("HTTP 500", 500)
        if self._is_full(step):
            return Rejected(words=FULL, status=402)
        before, strangers = dict(self.state), dict(self.strangers)
        shown, failed = self._every_row(step)
        if failed and self.reading.failure == "atomic":
            self.state, self.strangers = dict(before), strangers
        for i in step.rows:
            if self.reading.lag and self.state.get(i) != before.get(i):
                self._unseen[i] = (before.get(i), self.reading.lag)
        if failed:
            return self._refusal(step, failed)
        hidden = {"nobody": 0, "first": 1, "everybody": len(step.rows)}[self.reading.silent]
        return Accepted({i: match for i, match in shown.items() if i not in step.rows[:hidden]})

    def _is_full(self, step: Send) -> bool:
        room = self.reading.room
        new = sum(i not in self.state for i in step.rows)
        return room is not None and step.verb == "create" and len(self.state) + new > room

    def _every_row(self, step: Send) -> tuple[dict[int, Match], dict[int, Kind]]:
        shown: dict[int, Match] = {}
        failed: dict[int, Kind] = {}
        for i in step.rows:
            outcome = self._row(step, i)
            if isinstance(outcome, Match):
                shown[i] = outcome
            elif outcome is not None:
                failed[i] = outcome
                if self.reading.failure == "prefix":
                    break
        return shown, failed

    def _row(self, step: Send, i: int) -> Kind | Match | None:
        """What becomes of one row: the reason of its refusal, what is shown, or nothing."""
        reading, customer, known = self.reading, self.customers[i], self.state.get(i)
        if customer.kind == "bad":
            return "bad"
        if i in self.linked:
            return self._update_stranger(i)
        if step.verb == "update" and known is None and reading.unknown_update != "created":
            return "unknown" if reading.unknown_update == "refused" else None
        if known is not None and step.verb == "create":
            if reading.repeated == "refused":
                return "taken"
            if reading.repeated == "ignored":
                return MATCHES[known]
        if customer.kind == "taken" and (i in self.strangers or not customer.strangers):
            return "taken"
        stays = step.verb == "update" and known == "moved" and reading.email_update == "ignored"
        self.state[i] = "moved" if stays else "ours"
        return MATCHES[self.state[i]]

    def _update_stranger(self, i: int) -> Kind | Match | None:
        if i not in self.strangers and self.reading.unknown_update != "created":
            return "unknown" if self.reading.unknown_update == "refused" else None
        self.strangers[i] = "ours"
        return MATCHES["ours"]

    def _refusal(self, step: Send, failed: dict[int, Kind]) -> Answer:
        reading = self.reading
        named = dict(failed)
        if reading.errors == "first":
            named = dict([next(iter(failed.items()))])
        elif reading.errors == "three":
            named = dict(list(failed.items())[:3])
        elif reading.errors == "mute" or (reading.errors == "anonymous" and len(step.rows) > 1):
            named = {}
        told = {"true": len(failed), "more": len(failed) + 1, "less": len(failed) - 1}
        count = told.get(reading.count, len(named) if reading.count == "listed" else None)
        reasons = {i: Reason(kind, f"{kind} row", 422) for i, kind in named.items()}
        counted = bool(named) and count == len(named)
        if reading.named == "ids" or len(step.rows) == 1:
            return Rejected(reasons, counted=counted, status=422)
        first = 0 if reading.named == "from_0" else 1
        places = {step.rows.index(i) + first: reason for i, reason in reasons.items()}
        return Rejected({}, counted=counted, positions=places, status=422)
