"""What to ask next, and what each row of a batch has become: a settlement without any I/O.

`BatchResolver.run()` is a generator. It yields what to send or to look up, is sent what the answer
means, and leaves a result for every row. Rows are *in doubt* once a request may have delivered
them without saying so; those are looked up before they are sent again. A refusal that names nobody
is halved, until single rows carry their own reason. Past a bound on calls rows are deferred.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Sequence
from dataclasses import replace
from typing import Literal

from dlt_bunce.model import Verb
from dlt_bunce.settlement.capabilities import ApiCapabilities
from dlt_bunce.settlement.messages import (
    Accepted,
    Answer,
    Find,
    Found,
    Indeterminate,
    Match,
    Rejected,
    Send,
    Step,
    TooLarge,
)
from dlt_bunce.settlement.row_result import RowResult
from dlt_bunce.settlement.row_state import RowStates, same
from dlt_bunce.settlement.work_item import BatchRejection, WorkItem, halves, joined

_MAX_SILENT = 3
"""Successes that do not show a row, after which it is not sent again."""
_TELLING = 8
"""So many rows, all absent after a refusal that named none of them, are not all bad by chance."""

_Next = list[WorkItem]
_Steps = Generator[Step, Answer, _Next]


class BatchResolver:
    """Settles the rows 0 to `count` - 1, all of which want the same `verb` at first.

    `indeterminate`: rows that an earlier run may have delivered. `overwrite`: a customer that
    exists with other content is updated (merge), or else left as it is (append). `taken`: rows that an
    earlier request was told are taken. `caused_by`: the refusal that left the rows over. `probe`:
    rows are looked up before they are sent.

    With `hold`, some rows are not settled: `held` are those that are told to be taken, and not in
    doubt; `unverified` are those left over by refusals whose counts may be believed later.
    """

    def __init__(
        self,
        count: int,
        verb: Verb,
        capabilities: ApiCapabilities,
        *,
        overwrite: bool,
        indeterminate: Iterable[int] = (),
        taken: Iterable[int] = (),
        caused_by: BatchRejection | None = None,
        probe: bool = False,
        hold: bool = False,
    ) -> None:
        self._rows = range(count)
        self._verb: Verb = verb
        self._capabilities = capabilities
        self._overwrite = overwrite
        self._known = RowStates(
            count, capabilities, overwrite=overwrite, indeterminate=indeterminate
        )
        self._taken_before = list(taken)
        self._left_by = caused_by
        self._probe = probe
        self._hold = hold
        self.held: set[int] = set()
        self.unverified: list[tuple[tuple[int, ...], BatchRejection]] = []
        self.calls = 0
        # enough for every tenth row to be bad without a name, or for 8 bad rows of a small batch
        self.max_calls = 16 + 2 * max(8, count // 10) * math.ceil(math.log2(count + 1))

    @property
    def results(self) -> list[RowResult]:
        """What is known by now; what is not settled is deferred."""
        return self._known.results

    def run(self) -> Generator[Step, Answer, None]:
        """Yields steps and takes their answers until every row has a result, or is held."""
        known = self._known.indeterminate.union(self._taken_before)
        others = tuple(i for i in self._rows if i not in known)
        work: _Next = []
        if others:
            work.append(WorkItem(others, self._verb, look_up=self._probe))
        if self._left_by is not None and self._capabilities.believes(self._left_by):
            self._known.settle(self._known.indeterminate, RowResult("created", "count"))
        elif self._known.indeterminate:
            indeterminate = tuple(sorted(self._known.indeterminate))
            work.append(WorkItem(indeterminate, self._verb, look_up=True, caused_by=self._left_by))
        work.extend((yield from self._taken(self._taken_before, self._verb)))
        while work and self.calls < self.max_calls:
            item = work.pop()
            following = self._look_up(item) if item.look_up else self._send(item)
            work.extend(reversed((yield from following)))

    def _send(self, item: WorkItem) -> _Steps:
        self.calls += 1
        answer = yield Send(item.verb, item.rows)
        match answer:
            case Accepted():
                return self._accepted(item, answer)
            case Rejected():
                return (yield from self._refused(item, answer))
            case TooLarge() if len(item.rows) > 1:
                return halves(item)
            case TooLarge():
                self._known.reject(item.rows, "refused")
                return []
            case Indeterminate():
                self._known.indeterminate.update(item.rows)
                return [replace(item, look_up=True)]
        raise TypeError(answer)

    def _accepted(self, item: WorkItem, answer: Accepted) -> _Next:
        following: _Next = []
        self._capabilities.echoes_rows = self._capabilities.echoes_rows or bool(answer.matches)
        created: list[int] = []
        for i, match in answer.matches.items():
            if item.verb == "update":
                self._known.updated(i, match, "response")
            elif same(match) or i in self._known.unknown:
                created.append(i)
            elif i in self._known.switched:
                self._known.reject([i], "unconfirmed")
            else:
                # a repeated id is ignored here, and what was there before is shown
                self._capabilities.counts_unreliable = True
                following += self._known.mark_conflict(i)
        self._known.settle(created, RowResult("created", "response"))
        silent = [i for i in item.rows if i not in answer.matches]
        self._known.indeterminate.update(silent)
        if not silent:
            return following
        if item.attempt < _MAX_SILENT:
            again = replace(item, rows=tuple(silent), look_up=True, silent=True)
            return [*following, replace(again, attempt=item.attempt + 1)]
        if item.verb == "update":
            self._known.settle(silent, RowResult("updated", "response"))
        else:
            self._known.reject(silent, "unconfirmed")
        return following

    def _refused(self, item: WorkItem, answer: Rejected) -> _Steps:
        kinds = answer.kinds
        rest = [i for i in item.rows if i not in kinds]
        fresh = self._known.absent_before.issuperset(rest) and self._known.indeterminate.isdisjoint(
            rest
        )
        if not kinds and len(rest) == 1:
            return (yield from self._refused_without_a_word(item))
        creates = item.verb == "create"
        sort = " ".join(sorted(set(kinds.values())))
        counted, of = creates and answer.counted, len(item.rows)
        refusal = BatchRejection(len(kinds), of, sort, counted=counted, fresh=fresh)
        if self._capabilities.believes(refusal):
            self._known.settle(rest, RowResult("created", "count"))
            rest = []
        # before anything else can fail: these may be there now
        self._known.indeterminate.update(rest)
        self._known.reject([i for i, kind in kinds.items() if kind == "bad"], "refused")
        following = self._known.mark_missing([i for i, kind in kinds.items() if kind == "unknown"])
        taken = [i for i, kind in kinds.items() if kind == "taken"]
        if self._hold and creates:
            known = self._known.indeterminate | self._known.switched | self._known.unknown
            self.held.update(i for i in taken if i not in known)
            taken = [i for i in taken if i not in self.held]
        following += yield from self._taken(taken, item.verb)
        if not rest:
            return following
        left = replace(item.sent_again(rest), halve=not kinds)
        if creates and self._capabilities.partial_success is False:
            again = left.sent_again(rest)
            return following + ([again] if kinds else halves(again))
        waits = not (fresh or item.suspect) and self._known.switched.isdisjoint(rest)
        if self._hold and waits and self._capabilities.may_believe(refusal):
            self._capabilities.request_verification(refusal)
            self.unverified.append((tuple(rest), refusal))
            return following
        return [*following, replace(left, look_up=True, caused_by=refusal)]

    def _refused_without_a_word(self, item: WorkItem) -> _Steps:
        """A single row is refused and nothing says why: it may as well be there already."""
        (i,) = item.rows
        found = yield from self._find(item.rows)
        if found is None and self._overwrite and i not in self._known.switched:
            return self._known.switch([i], item.verb)
        if found is None:
            self._known.reject([i], "unconfirmed" if i in self._known.indeterminate else "refused")
        elif i not in found:
            if item.verb == "update":
                return self._known.mark_missing([i])
            self._known.reject([i], "refused")
        elif item.verb == "create":
            return self._known.mark_found(i, found[i])
        elif i in self._known.indeterminate and same(found[i]):
            self._known.settle([i], RowResult("updated", "lookup"))
        else:
            self._known.reject([i], "refused")
        return []

    def _look_up(self, item: WorkItem) -> _Steps:
        found = yield from self._find(item.rows)
        self._capabilities.lookup_supported = (
            self._capabilities.lookup_supported or found is not None
        )
        if found is None:
            return self._without_look_up(item)
        absent = [i for i in item.rows if i not in found]
        following: _Next = []
        if item.verb == "create":
            left = absent
            self._known.absent_before.update(
                i for i in absent if i not in self._known.indeterminate
            )
            for i, match in found.items():
                following += self._known.mark_found(i, match)
            rows = len(item.rows)
            telling = not item.halve or rows >= _TELLING
            if item.caused_by and telling and not item.suspect:
                other = sum(not same(match) for match in found.values())
                self._capabilities.learn(item.caused_by, len(absent), other, looked_up=rows)
        else:
            left = []
            following += self._known.mark_missing(absent)
            for i, match in found.items():
                # an email alone that is not content_matches may be one that Bunce does not change
                if match.rest and (match.email or item.silent):
                    self._known.updated(i, match, "lookup")
                else:
                    left.append(i)
        if not left:
            return following
        again = item.sent_again(left)
        nobody = item.halve and len(left) == len(item.rows)
        return following + (halves(again) if nobody else [again])

    def _without_look_up(self, item: WorkItem) -> _Next:
        again = item.sent_again(item.rows)
        if item.halve:
            # each half sent again gets a refusal of its own
            return halves(again)
        if not item.silent:
            return [again]
        # where nobody is ever shown, a success is all that such an API says of an update
        if item.attempt == 2 and (item.verb == "create" or self._capabilities.echoes_rows):
            return [again]
        nobody: list[int] = []
        if item.verb == "update" and self._capabilities.echoes_rows:
            # others are shown, these are not: there may be no such customers
            nobody = [i for i in item.rows if i not in self._known.switched]
        fate: Literal["created", "updated"] = "created" if item.verb == "create" else "updated"
        self._known.settle([i for i in item.rows if i not in nobody], RowResult(fate, "response"))
        return self._known.switch(nobody, item.verb)

    def _taken(self, taken: list[int], verb: Verb) -> _Steps:
        """Rows that Bunce calls taken: content_matches already, or the email is somebody else's."""
        if not taken or verb == "update":
            self._known.reject(taken, "email_taken")
            return []
        found = yield from self._find(taken)
        following: _Next = []
        for i in taken:
            if found is not None and i in found:
                following += self._known.mark_found(i, found[i])
            elif found is not None or (
                i in self._known.unknown and i not in self._known.indeterminate
            ):
                self._known.reject([i], "email_taken")
            elif self._overwrite and i not in self._known.switched:
                # an update tells whether it is the customer that exists
                following += self._known.switch([i], "create")
            elif i in self._known.indeterminate and (
                i not in self._known.switched or i in self._known.unknown
            ):
                self._known.settle([i], RowResult("created", "conflict"))
            else:
                self._known.reject([i], "already_taken")
        return joined(following)

    def _find(self, rows: Sequence[int]) -> Generator[Step, Answer, dict[int, Match] | None]:
        """Which rows are there; of a row in doubt, absence or other content must be said twice, for
        a read may lag behind a write.
        """
        found = yield from self._found(rows)
        if found is None:
            return None
        again = [i for i in rows if i in self._known.indeterminate and not same(found.get(i))]
        if again:
            second = yield from self._found(again)
            return None if second is None else {**found, **second}
        return found

    def _found(self, rows: Sequence[int]) -> Generator[Step, Answer, dict[int, Match] | None]:
        self.calls += 1
        answer = yield Find(tuple(rows))
        if not isinstance(answer, Found):
            raise TypeError(answer)
        return None if answer.matches is None else dict(answer.matches)
