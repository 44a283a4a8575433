"""From one batch to one verdict a row, whatever the API answers on the way.

A batch is worked off as parcels. A parcel *in doubt* holds rows that an earlier request may have
delivered: they are looked up before they are sent again. A refusal that names nobody is halved,
until single rows carry their own reason. Past a bound on calls, rows are deferred, never blamed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from dlt_bunce.api import outcome
from dlt_bunce.api.outcome import Sent
from dlt_bunce.api.pacing import BatchSize
from dlt_bunce.api.reply import Reply
from dlt_bunce.errors import CredentialsError, UnavailableError
from dlt_bunce.logs import logger

Confirmation = Literal["response", "count", "lookup", "conflict"]
_MOST_SILENT = 3
"""Tries after which rows that a success never echoes are left alone."""
_COMPARED = ("email", "first_name", "last_name", "phone_no")


class Api(Protocol):
    """What a settlement needs of the wire."""

    def create(self, payloads: Sequence[str]) -> Reply:
        """One request with these customers, tried once."""

    def find(self, customer_ids: Sequence[str]) -> dict[str, dict[str, Any]] | None:
        """Customers by id; None when the API has no look-up."""

    def pause(self, reply: Reply, attempt: int) -> bool:
        """Waits before another try; False when it is time to give up."""


@dataclass(frozen=True)
class Row(Sent):
    """A row to be settled: `content` are the fields to compare with what a look-up finds."""

    payload: str = field(repr=False, default="")
    content: Mapping[str, str] = field(repr=False, default_factory=dict)
    in_doubt: bool = False


@dataclass(frozen=True)
class Verdict:
    """What became of one row.

    `in_doubt` matters for deferred rows only: Bunce may have them. `ours` is False when Bunce has
    the customer with other content than the row's.
    """

    fate: Literal["created", "adopted", "skipped", "rejected", "deferred"]
    confirmation: Confirmation | None = None
    code: str | None = None
    field: str | None = None
    message: str = ""
    http_status: int | None = None
    in_doubt: bool = False
    ours: bool = True


@dataclass
class Traits:
    """What this run has learned of the API, shared by all batches.

    `partial`: a refused batch creates its good rows (True), none (False), or not known yet.
    """

    partial: bool | None = None


@dataclass
class _Parcel:
    rows: list[int]
    in_doubt: bool = False
    attempt: int = 1
    halve: bool = False
    rest_of_refusal: bool = False


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
        doubtful = [i for i, row in enumerate(self._rows) if row.in_doubt]
        others = [i for i, row in enumerate(self._rows) if not row.in_doubt]
        work = [_Parcel(others)] if others else []
        if doubtful:
            work.append(_Parcel(doubtful, in_doubt=True))
        try:
            while work:
                if self.fault or self._stopped() or self._calls >= self._most_calls:
                    self._defer(i for parcel in work for i in parcel.rows)
                    break
                work.extend(reversed(self._step(work.pop())))
        except UnavailableError as error:
            self.fault = error
        self._defer(i for i in range(len(self._rows)) if i not in self._verdicts)
        return [self._verdicts[i] for i in range(len(self._rows))]

    def _step(self, parcel: _Parcel) -> list[_Parcel]:
        """One parcel further: looks up what is in doubt, sends, reads the reply."""
        if parcel.in_doubt:
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
            case _:
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
        return [_Parcel(parcel.rows, in_doubt=in_doubt, attempt=parcel.attempt + 1)]

    def _accepted(self, parcel: _Parcel, read: outcome.Accepted, reply: Reply) -> list[_Parcel]:
        self._size.answered(len(parcel.rows), reply.seconds)
        echoed = {i for i in parcel.rows if self._rows[i].customer_id in read.echoed}
        self._verdicts |= {i: Verdict("created", "response") for i in echoed}
        silent = [i for i in parcel.rows if i not in echoed]
        if not silent:
            return []
        self._doubted.update(silent)
        if parcel.attempt < _MOST_SILENT:
            return [_Parcel(silent, in_doubt=True, attempt=parcel.attempt + 1)]
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
        taken = [i for i, text in named.items() if outcome.is_taken(text)]
        believed = bool(named) and read.counted and self._traits.partial is True
        for i, text in named.items():
            if i not in taken:
                self._reject(i, "refused", text, reply)
        self._taken(taken, named, reply)
        if not rest:
            return []
        if believed:
            self._verdicts |= {i: Verdict("created", "count") for i in rest}
            return []
        if not named:
            logger().info("batch.halved", rows=len(rest), status=reply.status)
        if self._traits.partial is False:
            return [_Parcel(rest)] if named else _halves(rest)
        self._doubted.update(rest)
        return [_Parcel(rest, in_doubt=True, halve=not named, rest_of_refusal=bool(named))]

    def _look_up(self, parcel: _Parcel) -> list[_Parcel]:
        found = self._find(parcel.rows)
        if found is None:
            return _halves(parcel.rows) if parcel.halve else [_Parcel(parcel.rows)]
        absent = [i for i in parcel.rows if self._rows[i].customer_id not in found]
        if absent:
            # a read may lag behind a write: absent is believed only when it is said twice
            found |= self._find(absent) or {}
            absent = [i for i in absent if self._rows[i].customer_id not in found]
        for i in parcel.rows:
            if i not in absent:
                self._verdicts[i] = self._present(i, found[self._rows[i].customer_id])
        if parcel.rest_of_refusal and self._traits.partial is None:
            self._traits.partial = len(absent) < len(parcel.rows)
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
        doubtful = [i for i in taken if i in self._doubted]
        if found is not None and any(self._rows[i].customer_id not in found for i in doubtful):
            found |= self._find(doubtful) or {}
        for i in taken:
            row = self._rows[i]
            if found is None and i in doubtful:
                self._verdicts[i] = Verdict("created", "conflict")
            elif found is None:
                self._reject(i, "already_taken", texts[i], reply)
            elif row.customer_id in found:
                self._verdicts[i] = self._present(i, found[row.customer_id])
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
        self._calls += 1
        found = self._api.find([self._rows[i].customer_id for i in rows])
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
