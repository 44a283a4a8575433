"""Batches that fail as a whole: what it takes to tell a bad row from a bad day."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal

from dlt_bunce.model import Verb
from dlt_bunce.settlement.capabilities import (
    FEW_ROWS,
    MAX_LONE_ROWS,
    SAME_BATCHES,
    SAME_FIELD,
    SAME_UNKNOWN_WORDS,
    SAME_WORDS,
    is_about_the_account,
)
from dlt_bunce.settlement.messages import (
    Answer,
    Blocked,
    Indeterminate,
    Pause,
    Ping,
    Reason,
    Resumed,
    Send,
    Step,
)
from dlt_bunce.settlement.resolution import Next, Resolution, Steps
from dlt_bunce.settlement.row_state import is_sure, same
from dlt_bunce.settlement.stops import Stop, Suspicion
from dlt_bunce.settlement.work_item import WorkItem, halves, samples

TRIES = 5
"""Requests for the same rows without an answer, while nothing else is answered either."""
_TRIES_AMONG_OTHERS = 2
"""The same, while others are answered: then it is about these rows."""
_TRIES_ALONE = 3
"""Requests for a single row without an answer, after which it is given up."""

Failure = Blocked | Indeterminate


class Failures(Resolution):
    """Rows that nobody answers for, and rows that are rejected without a reason.

    While other requests get through, it is about these rows: they are halved until the one at
    fault is alone. Where nothing gets through, not even one of up to three single rows, it is about
    none of them, and the load stops with all of them deferred.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._unexplained: dict[int, tuple[Verb, str]] = {}
        """Rows rejected alone in words that name no field: operation and code of each."""
        self._last_kind: Literal["blocked", "outage"] = "outage"
        self._creates_refused: dict[int, Reason] = {}
        """Such rows that an update may yet deliver."""

    def _answered(self, item: WorkItem, answer: Answer) -> Steps:
        raise NotImplementedError

    def _left_of(self, rows: Iterable[int]) -> tuple[int, ...]:
        """Those of the rows that are neither settled, held, nor unexplained."""
        return tuple(i for i in super()._left_of(rows) if i not in self._unexplained)

    # no answer

    def _failed(self, item: WorkItem, failure: Failure) -> Steps:
        item = self._with_failure(item, failure)
        others = self._gets_through(item)
        if len(item.rows) == 1:
            alone = others or len(self._rows) > FEW_ROWS
            if item.failures >= (_TRIES_ALONE if alone else TRIES):
                return (yield from self._give_up_row(item, failure, others=others))
            return (yield from self._after_a_pause(item))
        # what turns a request away is not just busy; and a part of what failed is tried once
        once = isinstance(failure, Blocked) or len(item.rows) < len(self._rows)
        tries = 1 if once else _TRIES_AMONG_OTHERS if others else TRIES
        if item.failures < tries:
            return (yield from self._after_a_pause(item))
        divided = replace(item, halve=True)
        return [divided] if item.look_up else (yield from self._divide(divided))

    def _with_failure(self, item: WorkItem, failure: Failure) -> WorkItem:
        self._last_kind = _kind(failure)
        answered = (
            self._capabilities.answered[item.verb] if item.answered is None else item.answered
        )
        item = replace(item, failures=item.failures + 1, answered=answered, caused_by=None)
        seen = failure.seen if isinstance(failure, Indeterminate) else f"HTTP {failure.status}"
        self._states.reasons |= dict.fromkeys(item.rows, Reason("bad", seen, failure.status))
        if isinstance(failure, Blocked):
            return item
        self._states.indeterminate.update(item.rows)
        self._states.likely_delivered.update(item.rows)
        return replace(item, look_up=True)

    def _after_a_pause(self, item: WorkItem) -> Steps:
        answer = yield Pause(item.failures)
        if answer != Resumed(go_on=True):
            self.stop = Stop("outage")
        return [item]

    def _give_up_row(self, item: WorkItem, failure: Failure, *, others: bool) -> Steps:
        """Reject a row that failed alone again and again, if that says something about it."""
        (i,) = item.rows
        if not others and self._may_be_alone(item):
            others = (yield Ping(item.verb)) == Resumed(go_on=True)
        if not others:
            self.stop = Stop(_kind(failure), status=failure.status)
            return []
        found = yield from self._find([i])
        if found is not None and i in found and item.verb == "create":
            return self._states.mark_found(i, found[i])
        if found is not None and same(found.get(i)) and is_sure(found[i]):
            self._states.updated(i, found[i], "lookup")
            return []
        reason = self._states.reasons[i]
        text = f"{reason.text}, {item.failures} times in a row, with no other row in the request"
        self._states.reasons[i] = reason._replace(text=text)
        self._states.reject([i], "undeliverable")
        # it took its share of the bound, and others may be left to be found
        self.max_calls += 8 * math.ceil(math.log2(len(self._rows) + 1))
        return []

    def _are_lone(self, item: WorkItem) -> Generator[Step, Answer, bool]:
        """Whether all of a few rows fail although others got through before, and requests do."""
        few = self._capabilities.lone_rows + len(item.rows) <= MAX_LONE_ROWS
        if not few or not self._capabilities.answered[item.verb]:
            return False
        self._capabilities.lone_rows += len(item.rows)
        return (yield Ping(item.verb)) == Resumed(go_on=True)

    def _may_be_alone(self, item: WorkItem) -> bool:
        """Whether a row may be given up although no other row got through since it failed: others
        did before, or the load has hardly any.
        """
        if self._capabilities.answered[item.verb]:
            return True
        self._capabilities.lone_rows += 1
        return self._capabilities.lone_rows <= MAX_LONE_ROWS

    # no reason

    def _note_unexplained(self, i: int, code: str, verb: Verb, reason: Reason) -> None:
        """Keep a row that was rejected in words that name no field until more is known: when the
        next ones get the same words, and none is accepted, it is about the account. A full account
        does not leave a row out and create later ones.
        """
        self._keep_unexplained(i, code, verb, reason)
        if i not in self._passed_over or is_about_the_account(reason.text):
            self._stop_for_the_account(verb, reason)

    def _keep_unexplained(self, i: int, code: str, verb: Verb, reason: Reason) -> None:
        self._unexplained[i] = verb, code
        self._states.reasons[i] = reason

    def _stop_for_the_account(self, verb: Verb, reason: Reason) -> None:
        """Stop where so many rows in a row were rejected alone in the same words. Where these do
        not speak of an account, set the rest of the batch aside until others have been tried.
        """
        noted, words = self._capabilities, reason.text
        rows, is_clear = noted.note_unexplained(verb, words), is_about_the_account(words)
        sure = is_clear or not noted.accepted[verb]
        if not words or rows < (SAME_WORDS if sure else SAME_UNKNOWN_WORDS):
            return
        if is_clear or not self._hold or noted.note_set_aside(verb, words) >= SAME_BATCHES:
            self.stop = Stop("account", words, reason.status)
        else:
            self.suspicion = Suspicion(verb, reason, noted.accepted[verb])

    def _stop_for_the_field(self, item: WorkItem, reasons: Mapping[int, Reason]) -> None:
        """Stop where nobody was accepted, and so many were rejected alone for the same field."""
        if len(item.rows) > 1 or not item.suspect:
            return
        for reason in reasons.values():
            alike = self._capabilities.note_field(item.verb, reason.text)
            if reason.kind == "bad" and alike >= SAME_FIELD:
                self.stop = Stop("field", reason.text, reason.status)

    def _accepted_since_suspected(self) -> int | None:
        """Return how many requests had been accepted when the rows were set aside. If none has been
        since, stop: it is about the account. Otherwise it is about the rows, each of which may
        have to be sent alone.
        """
        suspicion = self._suspicion_before
        if suspicion is None:
            return None
        if self._capabilities.accepted[suspicion.verb] <= suspicion.accepted:
            self.stop = Stop("account", suspicion.reason.text, suspicion.reason.status)
        self._passed_over.update(self._rows)
        self.max_calls += 4 * len(self._rows)
        return suspicion.accepted if suspicion.verb == self._verb else None

    def _reject_unexplained(self, verb: Verb) -> None:
        """Reject them: another request of that operation was accepted, so it is about them."""
        for i, (noted, code) in list(self._unexplained.items()):
            if noted == verb:
                del self._unexplained[i]
                self._states.reject([i], code)

    def _conclude(self) -> None:
        """Decide about rows that were rejected without a reason, and none accepted since."""
        for i in self._unexplained:
            reason = self._states.reasons[i]
            if is_about_the_account(reason.text):
                self.stop = Stop("account", reason.text, reason.status)
                return
        self._reject_unexplained("create")
        self._reject_unexplained("update")

    # dividing

    def _divide(self, item: WorkItem) -> Steps:
        """Halve rows, once another request shows that it is about them; if need be, one of up to
        three of the rows, sent alone.
        """
        if self._gets_through(item) or item.lone:
            return halves(item)
        if len(self._rows) <= FEW_ROWS:
            if item.failures and (yield Ping(item.verb)) != Resumed(go_on=True):
                self.stop = Stop(self._last_kind)
            return halves(replace(item, lone=bool(item.failures)))
        following, failure = yield from self._try_samples(item)
        queued = {i for other in following for i in other.rows}
        rows = tuple(i for i in self._left_of(item.rows) if i not in queued)
        if not rows:
            return following
        rest = replace(item, rows=rows)
        if failure is None:
            return following + halves(rest)
        if item.failures < TRIES and not isinstance(failure, Blocked):
            return following + (yield from self._after_a_pause(rest))
        if (yield from self._are_lone(rest)):
            return following + halves(replace(rest, lone=True))
        self.stop = Stop(_kind(failure), status=failure.status)
        return following

    def _try_samples(self, item: WorkItem) -> Generator[Step, Answer, tuple[Next, Failure | None]]:
        """Send up to three rows alone, until a request gets through; return what follows, and the
        failure if none does.
        """
        following: Next = []
        failure: Failure | None = None
        for i in samples(item.rows):
            alone = replace(item, rows=(i,), look_up=False, halve=False)
            self.calls += 1
            answer = yield Send(alone.verb, alone.rows)
            if isinstance(answer, Failure):
                self._with_failure(alone, answer)
                # one row may be turned away for itself
                failure = failure if isinstance(failure, Indeterminate) else answer
            else:
                following += yield from self._answered(alone, answer)
            if self._is_over or self._gets_through(item):
                return following, None
        return following, failure

    def _gets_through(self, item: WorkItem) -> bool:
        """Whether a request like this one got through since the trouble with these rows began."""
        noted = self._capabilities
        if item.failures:
            return noted.answered[item.verb] > (item.answered or 0)
        return noted.accepted[item.verb] > (item.accepted or 0)


def _kind(failure: Failure) -> Literal["blocked", "outage"]:
    return "blocked" if isinstance(failure, Blocked) else "outage"
