"""What all parts of a resolver share: the rows, the bound on requests, and look-ups."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Literal

from dlt_bunce.model import Verb
from dlt_bunce.settlement.capabilities import ApiCapabilities
from dlt_bunce.settlement.messages import (
    Answer,
    FindHolders,
    Holders,
    Lookup,
    LookupResult,
    Match,
    Reason,
    Step,
)
from dlt_bunce.settlement.row_result import RowResult
from dlt_bunce.settlement.row_state import RowStates, is_sure, not_linked, same, why_unknown
from dlt_bunce.settlement.stops import Stop, Suspicion
from dlt_bunce.settlement.work_item import WorkItem, joined

NO_REASONS: Mapping[int, Reason] = MappingProxyType({})
NOT_SHOWN = Reason("bad", "accepted, and not among what Bunce's answer shows")
_TELLING = 8
"""So many rows, all absent after a rejection that named none of them, are not all bad by chance."""

Next = list[WorkItem]
Steps = Generator[Step, Answer, Next]


class Resolution:
    """The rows 0 to `count` - 1, all of which want the same `verb` at first.

    `indeterminate`: rows that an earlier run may have delivered. `overwrite`: a customer that
    exists with other content is updated (merge), or left as it is (append). `taken`: rows that an
    earlier request called taken, and its reasons; `lagging` are those of them that this run may
    have created. `probe`: look rows up before they are sent.

    `linked`: rows that are sent as a customer whom Bunce has under another id. `link`: look for
    the customer who has the email of a row that is called taken.

    With `hold`, rows that are called taken and that no look-up shows are left in `held`, to be
    looked up later, and rows of which it is open whether they are bad are set `aside` for a
    `suspicion`, which is given when they come again. With `must_be_shown`, a row that successes
    pass over while they show others is rejected. `stop` says why the load has to end, if it has to.
    """

    def __init__(
        self,
        count: int,
        verb: Verb,
        capabilities: ApiCapabilities,
        *,
        overwrite: bool,
        indeterminate: Iterable[int] = (),
        taken: Mapping[int, Reason] = NO_REASONS,
        lagging: Iterable[int] = (),
        linked: Iterable[int] = (),
        probe: bool = False,
        hold: bool = False,
        must_be_shown: bool = False,
        link: bool = False,
        suspicion: Suspicion | None = None,
    ) -> None:
        self._rows = range(count)
        self._verb: Verb = verb
        self._capabilities = capabilities
        self._overwrite = overwrite
        self._states = RowStates(
            count,
            capabilities,
            overwrite=overwrite,
            indeterminate=indeterminate,
            lagging=lagging,
            linked=linked,
            reasons=taken,
        )
        self._taken_before = list(taken)
        self._probe = probe
        self._hold = hold
        self._must_be_shown = must_be_shown
        self._link = link
        self._is_current = False
        self._suspicion_before = suspicion
        self.suspicion: Suspicion | None = None
        self._passed_over: set[int] = set()
        """Rows that were rejected although others are accepted, since or later in the request."""
        self.held: set[int] = set()
        self.stop: Stop | None = None
        self.calls = 0
        # enough for every tenth row to be bad without a name, or for 8 bad rows of a small batch
        self.max_calls = 16 + 2 * max(8, count // 10) * math.ceil(math.log2(count + 1))

    @property
    def results(self) -> list[RowResult]:
        """What is known by now; rows that are not settled are deferred."""
        return self._states.results

    @property
    def reasons(self) -> Mapping[int, Reason]:
        """What Bunce said last of rows that it named."""
        return self._states.reasons

    @property
    def lagging(self) -> set[int]:
        """Rows held or set aside that this run may have created, whatever look-ups show by now."""
        states = self._states
        return (self.held | self.aside) & states.indeterminate - states.indeterminate_before

    @property
    def aside(self) -> set[int]:
        """Rows that are left until other batches have been tried."""
        return (
            set() if self.suspicion is None else {*self._states.unsettled(self._rows)} - self.held
        )

    @property
    def _is_over(self) -> bool:
        return self.stop is not None or self.suspicion is not None

    def _left_of(self, rows: Iterable[int]) -> tuple[int, ...]:
        """Those of the rows that are neither settled nor held."""
        return tuple(i for i in self._states.unsettled(rows) if i not in self.held)

    # what needs to be divided is told by whoever knows how the rows failed
    def _divide(self, item: WorkItem) -> Steps:
        raise NotImplementedError

    def _look_up(self, item: WorkItem) -> Steps:
        found = yield from self._find(item.rows)
        supported = self._capabilities.lookup_supported or found is not None
        self._capabilities.lookup_supported = supported
        if found is None:
            return (yield from self._without_look_up(item))
        absent = [i for i in item.rows if i not in found]
        if item.failures and any(map(same, found.values())):
            # no answer, and yet it got through
            self._capabilities.note_answer(item.verb, accepted=False)
        created = [i for i, match in found.items() if same(match)] if item.caused_by else []
        if created:
            # the request that was rejected created some, or so it seems
            self._capabilities.note_created(item.verb)
        following: Next = []
        if item.verb == "create":
            left = absent
            self._passed_over.update(i for i in absent if i < max(created, default=0))
            states = self._states
            states.absent_before.update(i for i in absent if i not in states.indeterminate)
            for i, match in found.items():
                following += states.mark_found(i, match)
            following = joined(following)
            self._learn(item, absent, found)
        else:
            left = []
            following += self._states.mark_missing(absent)
            for i, match in found.items():
                # where only the email differs, it may be one that Bunce does not change
                if match.rest and (item.silent or (match.email and is_sure(match))):
                    self._states.updated(i, match, "lookup")
                else:
                    left.append(i)
        if not left:
            return following
        again = item.sent_again(left)
        if item.halve and len(left) == len(item.rows):
            return following + (yield from self._divide(again))
        return [*following, again]

    def _learn(self, item: WorkItem, absent: list[int], found: Mapping[int, Match]) -> None:
        rows = len(item.rows)
        if item.caused_by and not item.suspect and (not item.halve or rows >= _TELLING):
            other = sum(not same(match) for match in found.values())
            self._capabilities.learn(item.caused_by, len(absent), other, looked_up=rows)

    def _without_look_up(self, item: WorkItem) -> Steps:
        again = item.sent_again(item.rows)
        if item.halve:
            # each half that is sent again gets a rejection of its own
            return (yield from self._divide(again))
        if not item.silent:
            return [again]
        if self._must_be_shown and self._capabilities.echoes_rows:
            if item.attempt == 2:
                return [again]
            for i in item.rows:
                self._states.reasons.setdefault(i, NOT_SHOWN)
            self._states.reject(item.rows, "unconfirmed")
            return []
        # where no customer is ever shown, a success is all that such an API says of an update
        if item.attempt == 2 and (item.verb == "create" or self._capabilities.echoes_rows):
            return [again]
        missing: list[int] = []
        if item.verb == "update" and self._capabilities.echoes_rows:
            # others are shown, these are not: their customers may not exist
            missing = [i for i in item.rows if i not in self._states.switched]
        fate: Literal["created", "updated"] = "created" if item.verb == "create" else "updated"
        confirmed = [i for i in item.rows if i not in missing]
        self._states.settle(confirmed, RowResult(fate, "response"))
        return self._states.switch(missing, item.verb)

    def _taken(self, taken: Sequence[int], verb: Verb) -> Steps:
        """Handle rows that Bunce calls taken: delivered already, or the email is another's."""
        states = self._states
        if not taken or verb == "update":
            states.reject(taken, "email_taken")
            return []
        # those of before are looked up again and again anyway
        again = bool(taken) and list(taken) == self._taken_before
        found = yield from (self._found(taken) if again else self._find(taken))
        following: Next = []
        strangers: list[int] = []
        for i in taken:
            maybe_ours = i in states.indeterminate
            if found is not None and i in found:
                following += states.mark_found(i, found[i])
            elif found is not None and maybe_ours and not self._is_gone(i):
                self.held.add(i)
            elif found is not None or (i in states.unknown and not maybe_ours):
                strangers.append(i)
            elif self._overwrite and i not in states.switched:
                # an update tells whether it is the customer that exists
                following += states.switch([i], "create")
            elif i in states.likely_delivered and (i not in states.switched or i in states.unknown):
                states.settle([i], RowResult("created", "conflict"))
            else:
                states.reject([i], "already_taken")
        if strangers and self._link:
            following += yield from self._find_holders(strangers)
        else:
            states.reject(strangers, "email_taken")
        return joined(following)

    def _find_holders(self, rows: Sequence[int]) -> Steps:
        """Find the one customer who has the email of each row, whom the row may be linked to."""
        self.calls += 1
        answer = yield FindHolders(tuple(rows))
        if not isinstance(answer, Holders):
            raise TypeError(answer)
        states = self._states
        following: Next = []
        for i in rows:
            holders = answer.others.get(i)
            ids = [holder_id for holder_id in holders or () if holder_id is not None]
            if i in answer.own:
                # not shown by its id yet
                following += states.mark_found(i, answer.own[i])
            elif holders and len(holders) == len(ids) == 1:
                states.settle([i], self._candidate(i, ids[0], holders[ids[0]]))
            else:
                states.reasons[i] = not_linked(states.reasons.get(i), why_unknown(holders))
                states.reject([i], "email_taken")
        return following

    def _candidate(self, i: int, holder_id: str, match: Match) -> RowResult:
        last = self._states.reasons.get(i) or Reason("taken")
        return RowResult(
            "deferred",
            message=last.text,
            http_status=last.status,
            content_matches=same(match),
            holder_id=holder_id,
        )

    def _is_gone(self, i: int) -> bool:
        """Whether a look-up that does not show a row means that the customer does not exist: what
        this run may have created could still be missing from it.
        """
        return self._is_current or (not self._hold and i in self._states.indeterminate_before)

    def _find(self, rows: Sequence[int]) -> Generator[Step, Answer, dict[int, Match] | None]:
        """Look up which rows exist. For an indeterminate row, absence or other content must be
        confirmed by a second look-up, since a read may lag behind a write.
        """
        found = yield from self._found(rows)
        if found is None:
            return None
        again = [i for i in rows if i in self._states.indeterminate and not same(found.get(i))]
        if again:
            second = yield from self._found(again)
            return None if second is None else {**found, **second}
        return found

    def _found(self, rows: Sequence[int]) -> Generator[Step, Answer, dict[int, Match] | None]:
        self.calls += 1
        answer = yield Lookup(tuple(rows))
        if not isinstance(answer, LookupResult):
            raise TypeError(answer)
        self._is_current = answer.is_current
        return None if answer.matches is None else dict(answer.matches)
