"""What to ask next, and what each row of a batch has become: a settlement without any I/O.

`Machine.run()` is a generator. It yields what to send or to look up, is sent what the answer
means, and leaves a verdict for every row. Rows are *in doubt* once a request may have delivered
them without saying so; those are looked up before they are sent again. A refusal that names nobody
is halved, until single rows carry their own reason. Past a bound on calls rows are deferred.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Sequence
from dataclasses import replace
from typing import Literal

from dlt_bunce.model import Verb
from dlt_bunce.settlement.capabilities import Traits
from dlt_bunce.settlement.row_state import Standing, same
from dlt_bunce.settlement.steps import (
    Answer,
    Blamed,
    Echoed,
    Find,
    Found,
    Lost,
    Match,
    Oversized,
    Send,
    Step,
)
from dlt_bunce.settlement.verdict import Verdict
from dlt_bunce.settlement.work_item import Parcel, Refusal, halves, joined

_MOST_SILENT = 3
"""Successes that do not show a row, after which it is not sent again."""
_TELLING = 8
"""So many rows, all absent after a refusal that named none of them, are not all bad by chance."""

_Next = list[Parcel]
_Steps = Generator[Step, Answer, _Next]


class Machine:
    """Settles the rows 0 to `count` - 1, all of which want the same `verb` at first.

    `in_doubt`: rows that an earlier run may have delivered. `overwrite`: a customer that exists
    with other content is updated (merge), or else left as it is (append). `taken`: rows that an
    earlier request was told are taken. `left_by`: the refusal that left the rows over. `probe`:
    rows are looked up before they are sent.

    With `hold`, some rows are not settled: `held` are those that are told to be taken, and not in
    doubt; `unproven` are those left over by refusals whose counts may be believed later.
    """

    def __init__(
        self,
        count: int,
        verb: Verb,
        traits: Traits,
        *,
        overwrite: bool,
        in_doubt: Iterable[int] = (),
        taken: Iterable[int] = (),
        left_by: Refusal | None = None,
        probe: bool = False,
        hold: bool = False,
    ) -> None:
        self._rows = range(count)
        self._verb: Verb = verb
        self._traits = traits
        self._overwrite = overwrite
        self._known = Standing(count, traits, overwrite=overwrite, in_doubt=in_doubt)
        self._taken_before = list(taken)
        self._left_by = left_by
        self._probe = probe
        self._hold = hold
        self.held: set[int] = set()
        self.unproven: list[tuple[tuple[int, ...], Refusal]] = []
        self.calls = 0
        # enough for every tenth row to be bad without a name, or for 8 bad rows of a small batch
        self.most_calls = 16 + 2 * max(8, count // 10) * math.ceil(math.log2(count + 1))

    @property
    def verdicts(self) -> list[Verdict]:
        """What is known by now; what is not settled is deferred."""
        return self._known.verdicts

    def run(self) -> Generator[Step, Answer, None]:
        """Yields steps and takes their answers until every row has a verdict, or is held."""
        known = self._known.doubted.union(self._taken_before)
        others = tuple(i for i in self._rows if i not in known)
        work: _Next = []
        if others:
            work.append(Parcel(others, self._verb, look_up=self._probe))
        if self._left_by is not None and self._traits.believes(self._left_by):
            self._known.settle(self._known.doubted, Verdict("created", "count"))
        elif self._known.doubted:
            doubted = tuple(sorted(self._known.doubted))
            work.append(Parcel(doubted, self._verb, look_up=True, left_by=self._left_by))
        work.extend((yield from self._taken(self._taken_before, self._verb)))
        while work and self.calls < self.most_calls:
            parcel = work.pop()
            following = self._look_up(parcel) if parcel.look_up else self._send(parcel)
            work.extend(reversed((yield from following)))

    def _send(self, parcel: Parcel) -> _Steps:
        self.calls += 1
        answer = yield Send(parcel.verb, parcel.rows)
        match answer:
            case Echoed():
                return self._accepted(parcel, answer)
            case Blamed():
                return (yield from self._refused(parcel, answer))
            case Oversized() if len(parcel.rows) > 1:
                return halves(parcel)
            case Oversized():
                self._known.reject(parcel.rows, "refused")
                return []
            case Lost():
                self._known.doubted.update(parcel.rows)
                return [replace(parcel, look_up=True)]
        raise TypeError(answer)

    def _accepted(self, parcel: Parcel, answer: Echoed) -> _Next:
        following: _Next = []
        self._traits.echoes = self._traits.echoes or bool(answer.matches)
        created: list[int] = []
        for i, match in answer.matches.items():
            if parcel.verb == "update":
                self._known.updated(i, match, "response")
            elif same(match) or i in self._known.unknown:
                created.append(i)
            elif i in self._known.switched:
                self._known.reject([i], "unconfirmed")
            else:
                # a repeated id is ignored here, and what was there before is shown
                self._traits.counts_lie = True
                following += self._known.exists(i)
        self._known.settle(created, Verdict("created", "response"))
        silent = [i for i in parcel.rows if i not in answer.matches]
        self._known.doubted.update(silent)
        if not silent:
            return following
        if parcel.attempt < _MOST_SILENT:
            again = replace(parcel, rows=tuple(silent), look_up=True, silent=True)
            return [*following, replace(again, attempt=parcel.attempt + 1)]
        if parcel.verb == "update":
            self._known.settle(silent, Verdict("updated", "response"))
        else:
            self._known.reject(silent, "unconfirmed")
        return following

    def _refused(self, parcel: Parcel, answer: Blamed) -> _Steps:
        kinds = answer.kinds
        rest = [i for i in parcel.rows if i not in kinds]
        fresh = self._known.absent_before.issuperset(rest) and self._known.doubted.isdisjoint(rest)
        if not kinds and len(rest) == 1:
            return (yield from self._refused_without_a_word(parcel))
        creates = parcel.verb == "create"
        sort = " ".join(sorted(set(kinds.values())))
        counted, of = creates and answer.counted, len(parcel.rows)
        refusal = Refusal(len(kinds), of, sort, counted=counted, fresh=fresh)
        if self._traits.believes(refusal):
            self._known.settle(rest, Verdict("created", "count"))
            rest = []
        # before anything else can fail: these may be there now
        self._known.doubted.update(rest)
        self._known.reject([i for i, kind in kinds.items() if kind == "bad"], "refused")
        following = self._known.nobody([i for i, kind in kinds.items() if kind == "unknown"])
        taken = [i for i, kind in kinds.items() if kind == "taken"]
        if self._hold and creates:
            known = self._known.doubted | self._known.switched | self._known.unknown
            self.held.update(i for i in taken if i not in known)
            taken = [i for i in taken if i not in self.held]
        following += yield from self._taken(taken, parcel.verb)
        if not rest:
            return following
        left = replace(parcel.sent_again(rest), halve=not kinds)
        if creates and self._traits.partial is False:
            again = left.sent_again(rest)
            return following + ([again] if kinds else halves(again))
        waits = not (fresh or parcel.suspect) and self._known.switched.isdisjoint(rest)
        if self._hold and waits and self._traits.may_believe(refusal):
            self._traits.seek_proof(refusal)
            self.unproven.append((tuple(rest), refusal))
            return following
        return [*following, replace(left, look_up=True, left_by=refusal)]

    def _refused_without_a_word(self, parcel: Parcel) -> _Steps:
        """A single row is refused and nothing says why: it may as well be there already."""
        (i,) = parcel.rows
        found = yield from self._find(parcel.rows)
        if found is None and self._overwrite and i not in self._known.switched:
            return self._known.switch([i], parcel.verb)
        if found is None:
            self._known.reject([i], "unconfirmed" if i in self._known.doubted else "refused")
        elif i not in found:
            if parcel.verb == "update":
                return self._known.nobody([i])
            self._known.reject([i], "refused")
        elif parcel.verb == "create":
            return self._known.present(i, found[i])
        elif i in self._known.doubted and same(found[i]):
            self._known.settle([i], Verdict("updated", "lookup"))
        else:
            self._known.reject([i], "refused")
        return []

    def _look_up(self, parcel: Parcel) -> _Steps:
        found = yield from self._find(parcel.rows)
        self._traits.sees = self._traits.sees or found is not None
        if found is None:
            return self._without_look_up(parcel)
        absent = [i for i in parcel.rows if i not in found]
        following: _Next = []
        if parcel.verb == "create":
            left = absent
            self._known.absent_before.update(i for i in absent if i not in self._known.doubted)
            for i, match in found.items():
                following += self._known.present(i, match)
            rows = len(parcel.rows)
            telling = not parcel.halve or rows >= _TELLING
            if parcel.left_by and telling and not parcel.suspect:
                other = sum(not same(match) for match in found.values())
                self._traits.learn(parcel.left_by, len(absent), other, looked_up=rows)
        else:
            left = []
            following += self._known.nobody(absent)
            for i, match in found.items():
                # an email alone that is not ours may be one that Bunce does not change
                if match.rest and (match.email or parcel.silent):
                    self._known.updated(i, match, "lookup")
                else:
                    left.append(i)
        if not left:
            return following
        again = parcel.sent_again(left)
        nobody = parcel.halve and len(left) == len(parcel.rows)
        return following + (halves(again) if nobody else [again])

    def _without_look_up(self, parcel: Parcel) -> _Next:
        again = parcel.sent_again(parcel.rows)
        if parcel.halve:
            # each half sent again gets a refusal of its own
            return halves(again)
        if not parcel.silent:
            return [again]
        # where nobody is ever shown, a success is all that such an API says of an update
        if parcel.attempt == 2 and (parcel.verb == "create" or self._traits.echoes):
            return [again]
        nobody: list[int] = []
        if parcel.verb == "update" and self._traits.echoes:
            # others are shown, these are not: there may be no such customers
            nobody = [i for i in parcel.rows if i not in self._known.switched]
        fate: Literal["created", "updated"] = "created" if parcel.verb == "create" else "updated"
        self._known.settle([i for i in parcel.rows if i not in nobody], Verdict(fate, "response"))
        return self._known.switch(nobody, parcel.verb)

    def _taken(self, taken: list[int], verb: Verb) -> _Steps:
        """Rows that Bunce calls taken: ours already, or the email is somebody else's."""
        if not taken or verb == "update":
            self._known.reject(taken, "email_taken")
            return []
        found = yield from self._find(taken)
        following: _Next = []
        for i in taken:
            if found is not None and i in found:
                following += self._known.present(i, found[i])
            elif found is not None or (i in self._known.unknown and i not in self._known.doubted):
                self._known.reject([i], "email_taken")
            elif self._overwrite and i not in self._known.switched:
                # an update tells whether it is the customer that exists
                following += self._known.switch([i], "create")
            elif i in self._known.doubted and (
                i not in self._known.switched or i in self._known.unknown
            ):
                self._known.settle([i], Verdict("created", "conflict"))
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
        again = [i for i in rows if i in self._known.doubted and not same(found.get(i))]
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
