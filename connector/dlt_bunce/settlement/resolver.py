"""What to ask next, and what each row of a batch has become: a settlement without any I/O.

`BatchResolver.run()` is a generator. It yields what to send or to look up, is sent what the answer
means, and leaves a result for every row. Rows are *indeterminate* once a request may have delivered
them without saying so; those are looked up before they are sent again. A batch that is rejected
without naming a row, or that keeps failing while others get through, is halved until single rows
are left. Past a bound on requests, rows are deferred.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import replace

from dlt_bunce.model import Verb
from dlt_bunce.settlement.failures import Failure, Failures
from dlt_bunce.settlement.messages import (
    Accepted,
    Answer,
    Kind,
    Misfit,
    Reason,
    Rejected,
    Send,
    Step,
    TooLarge,
)
from dlt_bunce.settlement.resolution import Next, Steps
from dlt_bunce.settlement.row_result import RowResult
from dlt_bunce.settlement.row_state import same
from dlt_bunce.settlement.stops import Stop
from dlt_bunce.settlement.work_item import BatchRejection, WorkItem, halves, joined

_MAX_SILENT = 3
"""Successes that do not show a row, after which it is not sent again."""


class BatchResolver(Failures):
    """Settles a batch; see Resolution for what it is given and leaves behind."""

    def run(self) -> Generator[Step, Answer, None]:
        """Yield steps and take their answers until every row has a result or is held."""
        taken = set(self._taken_before)
        indeterminate = tuple(sorted(self._states.indeterminate - taken))
        apart = taken.union(indeterminate)
        others = tuple(i for i in self._rows if i not in apart)
        work: Next = []
        accepted = self._accepted_since_suspected()
        if others:
            work.append(WorkItem(others, self._verb, look_up=self._probe, accepted=accepted))
        if indeterminate:
            work.append(WorkItem(indeterminate, self._verb, look_up=True, accepted=accepted))
        work.extend((yield from self._taken(self._taken_before, self._verb)))
        yield from self._work_off(work)
        if not self._is_over:
            self._conclude()

    def _work_off(self, work: Next) -> Steps:
        while work and self.calls < self.max_calls and not self._is_over:
            item = work.pop()
            steps = self._look_up(item) if item.look_up else self._send(item)
            work.extend(reversed((yield from steps)))
        return work

    def _send(self, item: WorkItem) -> Steps:
        self.calls += 1
        answer = yield Send(item.verb, item.rows)
        if isinstance(answer, Failure):
            return (yield from self._failed(item, answer))
        return (yield from self._answered(item, answer))

    def _answered(self, item: WorkItem, answer: Answer) -> Steps:
        match answer:
            case Accepted():
                return self._accepted(item, answer)
            case Rejected():
                return (yield from self._rejected(item, answer))
            case TooLarge() if len(item.rows) > 1:
                return halves(item)
            case TooLarge():
                reason = Reason("bad", "the row alone is too large", answer.status)
                self._states.reasons |= dict.fromkeys(item.rows, reason)
                self._states.reject(item.rows, "refused")
                return []
            case Misfit():
                self.stop = Stop("form", answer.names, answer.status)
                return []
        raise TypeError(answer)

    def _accepted(self, item: WorkItem, answer: Accepted) -> Next:
        following: Next = []
        self._capabilities.note_answer(item.verb, accepted=True)
        self._reject_unexplained(item.verb)
        self._capabilities.echoes_rows |= bool(answer.matches) or self._shows_none(answer)
        created: list[int] = []
        for i, match in answer.matches.items():
            if item.verb == "update":
                self._states.updated(i, match, "response")
            elif same(match) or i in self._states.unknown:
                created.append(i)
            elif i in self._states.switched:
                self._states.reject([i], "unconfirmed")
            else:
                # a repeated id is ignored here, and what existed before is shown
                self._capabilities.counts_unreliable = True
                following += self._states.mark_conflict(i)
        following = joined(following)
        self._states.settle(created, RowResult("created", "response"))
        silent = [i for i in item.rows if i not in answer.matches]
        self._states.indeterminate.update(silent)
        self._states.likely_delivered.update(silent)
        if not silent:
            return following
        if item.attempt < _MAX_SILENT:
            again = replace(item, rows=tuple(silent), look_up=True, silent=True)
            return [*following, replace(again, attempt=item.attempt + 1)]
        if item.verb == "update":
            self._states.settle(silent, RowResult("updated", "response"))
        else:
            self._states.reject(silent, "unconfirmed")
        return following

    def _shows_none(self, answer: Accepted) -> bool:
        """Whether a success has taken none of its rows, where those that it takes are shown."""
        return self._must_be_shown and answer.is_empty and not self._capabilities.empty_echo

    def _rejected(self, item: WorkItem, answer: Rejected) -> Steps:
        left_over = [i for i in item.rows if i not in answer.reasons]
        certain = [i for i in left_over if i not in self._states.indeterminate]
        fresh = self._are_fresh(left_over)
        if answer.positions:
            # before anything else can fail: any of them may exist now
            self._states.indeterminate.update(left_over)
            self._states.likely_delivered.update(left_over)
        following, reasons = (yield from self._find_first_index(item, answer)), {**answer.reasons}
        reasons |= self._by_position(item, answer)
        rows = self._left_of(item.rows)
        reasons = {i: reason for i, reason in reasons.items() if i in rows}
        rest = [i for i in rows if i not in reasons]
        if not rows or self._is_over:
            return following
        if not reasons and len(item.rows) == 1:
            # an answer all the same: requests get through
            self._capabilities.note_answer(item.verb, accepted=False)
            alone = replace(item, rows=rows)
            return following + (yield from self._unexplained_row(alone, answer))
        if reasons:
            self._capabilities.note_answer(item.verb, accepted=False)
            self._states.reasons |= reasons
        rejection = self._rejection(item, answer, reasons, fresh=fresh)
        if self._capabilities.believes(rejection):
            self._states.settle(rest, RowResult("created", "count"))
            rest = []
        # before anything else can fail: these may exist now
        self._states.indeterminate.update(rest)
        self._states.indeterminate.difference_update(i for i in certain if i in reasons)
        if reasons or answer.positions:
            # and if they are called taken next, then most likely by themselves
            self._states.likely_delivered.update(rest)
        following += yield from self._named(reasons, item.verb)
        self._stop_for_the_field(item, reasons)
        if not rest:
            return following
        left = replace(item.sent_again(rest), halve=not reasons)
        if left.accepted is None:
            left = replace(left, accepted=self._capabilities.accepted[item.verb])
        if item.verb == "create" and self._capabilities.partial_success is False:
            again = left.sent_again(rest)
            return following + ([again] if reasons else (yield from self._divide(again)))
        return [*following, replace(left, look_up=True, caused_by=rejection)]

    def _are_fresh(self, rows: list[int]) -> bool:
        """Whether none of the rows existed before they were sent."""
        states = self._states
        return states.absent_before.issuperset(rows) and states.indeterminate.isdisjoint(rows)

    def _rejection(
        self, item: WorkItem, answer: Rejected, reasons: Mapping[int, Reason], *, fresh: bool
    ) -> BatchRejection:
        sort = " ".join(sorted({reason.kind for reason in reasons.values()}))
        counted = item.verb == "create" and answer.counted
        return BatchRejection(len(reasons), len(item.rows), sort, counted=counted, fresh=fresh)

    def _named(self, reasons: Mapping[int, Reason], verb: Verb) -> Steps:
        """Handle the rows that a rejection names, each for its reason."""
        states = self._states
        kinds = {i: reason.kind for i, reason in reasons.items()}
        states.reject([i for i in kinds if kinds[i] == "bad"], "refused")
        unknown = [i for i in kinds if kinds[i] == "unknown"]
        for i in self._creates_refused.keys() & unknown:
            self._keep_unexplained(i, "refused", "create", self._creates_refused[i])
        following = states.mark_missing([i for i in unknown if i not in self._creates_refused])
        taken = [i for i in kinds if kinds[i] == "taken"]
        if self._hold and verb == "create":
            known = states.indeterminate | states.switched | states.unknown
            self.held.update(i for i in taken if i not in known)
        taken = [i for i in taken if i not in self.held]
        return following + (yield from self._taken(taken, verb))

    def _find_first_index(self, item: WorkItem, answer: Rejected) -> Steps:
        """Learn whether errors count rows from 0 or from 1, where they name rows by position: send
        alone the two rows that a position may mean; the one that is rejected again is the one.
        """
        left: Next = []
        by_content = sorted(answer.positions, key=lambda at: answer.positions[at].kind != "bad")
        for position in by_content:
            if self._capabilities.first_index is not None:
                break
            places = {first: position - first for first in (0, 1)}
            rows = {
                first: item.rows[at] for first, at in places.items() if 0 <= at < len(item.rows)
            }
            if len(rows) == 1:
                (self._capabilities.first_index,) = rows
                break
            for i in self._left_of(rows.values()):
                left += yield from self._work_off(
                    [WorkItem((i,), item.verb, look_up=True, suspect=True)]
                )
            kind = answer.positions[position].kind
            named = [first for first, i in rows.items() if not self._is_cleared(i, kind)]
            if len(named) == 1 and self._is_rejected_for(rows[named[0]], kind):
                (self._capabilities.first_index,) = named
        return left

    def _is_cleared(self, i: int, kind: Kind) -> bool:
        """Whether a rejection of this kind cannot have been about the row."""
        result = self._states.results[i]
        if kind == "taken":
            # one that a look-up finds may have existed all along
            return result.confirmation == "response" and i not in self._states.switched
        return result.fate not in {"rejected", "deferred"}

    def _is_rejected_for(self, i: int, kind: Kind) -> bool:
        reason = self._states.reasons.get(i)
        if not (i in self.held or self._states.is_rejected(i)) or reason is None:
            return False
        # what was switched had been called taken first
        return reason.kind == kind or (kind == "taken" and i in self._states.switched)

    def _by_position(self, item: WorkItem, answer: Rejected) -> Mapping[int, Reason]:
        first = self._capabilities.first_index
        if first is None:
            return {}
        places = {position - first: reason for position, reason in answer.positions.items()}
        return {item.rows[at]: why for at, why in places.items() if 0 <= at < len(item.rows)}

    def _unexplained_row(self, item: WorkItem, answer: Rejected) -> Steps:
        """Handle a single row that is rejected without a reason of its own: it may exist already,
        or nothing may be wrong with it.
        """
        (i,) = item.rows
        reason = Reason("bad", answer.words, answer.status)
        found = yield from self._find(item.rows)
        states = self._states
        if found is None and self._overwrite and i not in states.switched:
            self._stop_for_the_account(item.verb, reason)
            if item.verb == "create":
                self._creates_refused[i] = reason
            return states.switch([i], item.verb)
        if found is None:
            code = "unconfirmed" if i in states.indeterminate else "refused"
            self._note_unexplained(i, code, item.verb, reason)
        elif i not in found and item.verb == "update":
            return states.mark_missing([i])
        elif i not in found:
            states.indeterminate.discard(i)
            self._note_unexplained(i, "refused", item.verb, reason)
        elif item.verb == "create":
            return states.mark_found(i, found[i])
        elif i in states.indeterminate and same(found[i]):
            states.settle([i], RowResult("updated", "lookup"))
        else:
            self._note_unexplained(i, "refused", item.verb, reason)
        return []
