"""From one batch to one verdict a row, whatever the API answers on the way.

A batch is worked off as parcels. A parcel *in doubt* holds rows that an earlier request may have
delivered: they are looked up before they are sent again. A refusal that names nobody is halved,
until single rows carry their own reason. Past a bound on calls, rows are deferred, never blamed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from dlt_bunce.api import outcome
from dlt_bunce.api.pacing import BatchSize
from dlt_bunce.api.reply import Reply
from dlt_bunce.api.traits import Traits
from dlt_bunce.api.verdict import Row, Verdict
from dlt_bunce.errors import CredentialsError, UnavailableError
from dlt_bunce.logs import logger

__all__ = ["Api", "Row", "Settlement", "Traits", "Verdict"]

_MOST_SILENT = 3
"""Tries after which rows that a success never echoes are left alone."""
_TELLING = 8
"""So many rows, all absent after a refusal that named none of them, are not all bad by chance."""
_COMPARED = ("email", "first_name", "last_name", "phone_no")


class Api(Protocol):
    """What a settlement needs of the wire."""

    def create(self, payloads: Sequence[str]) -> Reply:
        """One request with these customers, tried once."""

    def find(self, customer_ids: Sequence[str]) -> dict[str, dict[str, Any]] | None:
        """Customers by id; None when nobody can tell who is there."""

    def pause(self, reply: Reply, attempt: int) -> bool:
        """Waits before another try; False when it is time to give up."""


@dataclass
class _Parcel:
    """Rows that go on together.

    `look_up`: before they are sent. `halve`: they were refused and none of them was named.
    `refusal`: where they are what a refusal left over, what is known of it.
    """

    rows: list[int]
    look_up: bool = False
    attempt: int = 1
    halve: bool = False
    refusal: _Refusal | None = None


@dataclass(frozen=True)
class _Refusal:
    counted: bool
    fresh: bool


class Settlement:
    """Works off one batch. `run()` returns a verdict for every row, in their order."""

    def __init__(
        self,
        rows: Sequence[Row],
        api: Api,
        traits: Traits,
        size: BatchSize,
        *,
        found_fate: Literal["adopted", "skipped"],
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self._rows = rows
        self._api = api
        self._traits = traits
        self._size = size
        self._found_fate = found_fate
        self._stopped = stopped
        self._verdicts: dict[int, Verdict] = {}
        # rows that some earlier request may have delivered without saying so
        self._doubted: set[int] = {i for i, row in enumerate(rows) if row.in_doubt}
        # rows that were not there before any request of ours
        self._absent_before: set[int] = set()
        self._lookup = True
        self._calls = 0
        # enough for every tenth row to be bad without a name, or for 8 bad rows of a small batch
        self._most_calls = 16 + 2 * max(8, len(rows) // 10) * math.ceil(math.log2(len(rows) + 1))
        self.fault: CredentialsError | UnavailableError | None = None

    @property
    def calls(self) -> int:
        """Requests it took, look-ups included."""
        return self._calls

    def run(self) -> list[Verdict]:
        """Settles every row; `fault` says afterwards why the run must stop, if it must."""
        others = [i for i in range(len(self._rows)) if i not in self._doubted]
        work = [_Parcel(others, look_up=self._traits.take_probe())] if others else []
        if self._doubted:
            work.append(_Parcel(sorted(self._doubted), look_up=True))
        try:
            while work:
                if self.fault or self._stopped() or self._calls >= self._most_calls:
                    self._defer(i for parcel in work for i in parcel.rows)
                    break
                work.extend(reversed(self._step(work.pop())))
        except (CredentialsError, UnavailableError) as error:
            self.fault = error
        self._defer(i for i in range(len(self._rows)) if i not in self._verdicts)
        return [self._verdicts[i] for i in range(len(self._rows))]

    def _step(self, parcel: _Parcel) -> list[_Parcel]:
        """One parcel further: looks up what is in doubt, sends, reads the reply."""
        if parcel.look_up:
            return self._look_up(parcel)
        self._calls += 1
        reply = self._api.create([self._rows[i].payload for i in parcel.rows])
        read = outcome.read(reply, [self._rows[i] for i in parcel.rows])
        match read:
            case outcome.Accepted():
                return self._accepted(parcel, read, reply)
            case outcome.Refused():
                return self._refused(parcel, read, reply)
            case outcome.TooLarge() if len(parcel.rows) > 1:
                self._size.too_large(len(parcel.rows))
                return _halves(parcel.rows)
            case outcome.TooLarge():
                self._reject(parcel.rows[0], "refused", "the row alone is too large", reply)
                return []
            case outcome.Unauthorized():
                self.fault = CredentialsError(
                    f"Bunce refuses the API key (HTTP {reply.status}).",
                    remedy="Set a valid key and run again; what was not settled is kept.",
                )
                return [parcel]
            case outcome.Limited() | outcome.NotSent():
                return self._again(parcel, reply)
            case outcome.Unknown():
                if reply.arrival == "lost":
                    self._size.timed_out(len(parcel.rows))
                return self._again(parcel, reply, in_doubt=True)

    def _again(self, parcel: _Parcel, reply: Reply, *, in_doubt: bool = False) -> list[_Parcel]:
        if in_doubt:
            self._doubted.update(parcel.rows)
        if not self._api.pause(reply, parcel.attempt):
            self.fault = UnavailableError(
                f"Bunce did not settle a batch in {parcel.attempt} tries: {reply.describe()}.",
                remedy="Run again later: settled rows are not sent again, the others are kept.",
            )
            return [parcel]
        return [_Parcel(parcel.rows, look_up=in_doubt, attempt=parcel.attempt + 1)]

    def _accepted(self, parcel: _Parcel, read: outcome.Accepted, reply: Reply) -> list[_Parcel]:
        self._size.answered(len(parcel.rows), reply.seconds)
        echoed = {i for i in parcel.rows if self._rows[i].customer_id in read.echoed}
        self._verdicts |= {i: Verdict("created", "response") for i in echoed}
        silent = [i for i in parcel.rows if i not in echoed]
        if not silent:
            return []
        self._doubted.update(silent)
        if parcel.attempt < _MOST_SILENT:
            return [_Parcel(silent, look_up=True, attempt=parcel.attempt + 1)]
        if self._lookup:
            self._defer(silent)
        else:
            # success is all that such an API ever says
            self._verdicts |= {i: Verdict("created", "response") for i in silent}
        return []

    def _refused(self, parcel: _Parcel, read: outcome.Refused, reply: Reply) -> list[_Parcel]:
        named = {parcel.rows[position]: text for position, text in read.named.items()}
        rest = [i for i in parcel.rows if i not in named]
        if not named and len(parcel.rows) == 1:
            named, rest = {parcel.rows[0]: "; ".join(read.texts) or "refused"}, []
        believed = read.counted and self._traits.counts_are_believed
        refusal = _Refusal(
            counted=read.counted,
            fresh=self._absent_before.issuperset(rest) and self._doubted.isdisjoint(rest),
        )
        if believed:
            self._verdicts |= {i: Verdict("created", "count") for i in rest}
            rest = []
        # before anything else can fail: these may be there now
        self._doubted.update(rest)
        taken = [i for i, text in named.items() if outcome.is_taken(text)]
        for i, text in named.items():
            if i not in taken:
                self._reject(i, "refused", text, reply)
        self._taken(taken, named, reply)
        if not rest:
            return []
        if not named:
            logger().info("batch.halved", rows=len(rest), status=reply.status)
        if self._traits.partial is False:
            return [_Parcel(rest)] if named else _halves(rest)
        return [_Parcel(rest, look_up=True, halve=not named, refusal=refusal)]

    def _look_up(self, parcel: _Parcel) -> list[_Parcel]:
        found = self._find(parcel.rows)
        if found is None:
            # each half sent again is an attempt of its own: it gets a refusal of its own
            return (
                _halves(parcel.rows)
                if parcel.halve
                else [_Parcel(parcel.rows, attempt=parcel.attempt)]
            )
        absent = [i for i in parcel.rows if self._rows[i].customer_id not in found]
        self._absent_before.update(i for i in absent if i not in self._doubted)
        for i in parcel.rows:
            if i not in absent:
                self._verdicts[i] = self._present(i, found[self._rows[i].customer_id])
        if parcel.refusal and (not parcel.halve or len(parcel.rows) >= _TELLING):
            self._traits.learn(
                absent=len(absent),
                of=len(parcel.rows),
                counted=parcel.refusal.counted,
                fresh=parcel.refusal.fresh,
            )
        if not absent:
            return []
        if parcel.halve and len(absent) == len(parcel.rows):
            return _halves(absent)
        return [_Parcel(absent, attempt=parcel.attempt)]

    def _taken(self, taken: list[int], texts: Mapping[int, str], reply: Reply) -> None:
        """Rows that Bunce calls taken: ours already, or the email is somebody else's."""
        if not taken:
            return
        found = self._find(taken)
        for i in taken:
            row = self._rows[i]
            if found is None and i in self._doubted:
                self._verdicts[i] = Verdict("created", "conflict")
            elif found is None:
                self._reject(i, "already_taken", texts[i], reply)
            elif row.customer_id in found:
                self._verdicts[i] = self._present(i, found[row.customer_id])
                if i in self._doubted and self._traits.partial is False:
                    # an earlier refusal did create it, the hint was wrong
                    self._traits.partial = None
            else:
                self._reject(i, "email_taken", texts[i], reply)

    def _present(self, i: int, customer: Mapping[str, Any]) -> Verdict:
        """A row that a look-up has found: with our content it is delivered."""
        row = self._rows[i]
        same = all(
            str(customer.get(name) or "").casefold() == row.content[name].casefold()
            for name in _COMPARED
        )
        if same:
            return Verdict("created" if i in self._doubted else "adopted", "lookup")
        return Verdict(self._found_fate, "lookup", ours=False)

    def _find(self, rows: Sequence[int]) -> dict[str, dict[str, Any]] | None:
        """Which rows are there; a row in doubt is absent only when it is said twice, for a read
        may lag behind a write.
        """
        self._calls += 1
        found = self._api.find([self._rows[i].customer_id for i in rows])
        if found is not None:
            missed = [i for i in rows if self._rows[i].customer_id not in found]
            again = [self._rows[i].customer_id for i in missed if i in self._doubted]
            if again:
                self._calls += 1
                second = self._api.find(again)
                found = None if second is None else {**found, **second}
        self._lookup = found is not None
        return found

    def _reject(self, i: int, code: str, text: str, reply: Reply) -> None:
        name = "email" if code == "email_taken" else outcome.named_field(text)
        self._verdicts[i] = Verdict(
            "rejected", code=code, field=name, message=text, http_status=reply.status
        )

    def _defer(self, rows: Any) -> None:
        for i in rows:
            self._verdicts.setdefault(i, Verdict("deferred", in_doubt=i in self._doubted))


def _halves(rows: list[int]) -> list[_Parcel]:
    middle = (len(rows) + 1) // 2
    return [_Parcel(half) for half in (rows[:middle], rows[middle:]) if half]
