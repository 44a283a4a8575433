"""Rows of a load that wait, since what is learned from others may save a look-up of their own."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.api.lookup import MOST_IDS
from dlt_bunce.api.parcel import Refusal
from dlt_bunce.api.settlement import Said
from dlt_bunce.api.traits import Traits
from dlt_bunce.api.verdict import Verdict
from dlt_bunce.delivery import Delivered
from dlt_bunce.records.batching import pack

_ENOUGH = MOST_IDS - 1
_MOST_CHUNKS = 4
"""Chunks that are claimed while a row waits: what is in memory stays bounded."""
MOST_S = 60.0
"""Seconds that a row waits: well below a lease, after which another load gives up on it."""
_MOST_BYTES = 1_000_000
_TRUE = pa.scalar(True)


@dataclass(frozen=True, kw_only=True)
class _Waiting:
    """Rows of a batch."""

    rows: pa.Table
    since: float = field(default_factory=time.monotonic)

    @property
    def chunk(self) -> int:
        return int(pc.min(self.rows["chunk"]).as_py())


@dataclass(frozen=True, kw_only=True)
class _LeftOver(_Waiting):
    refusal: Refusal
    emails: frozenset[str]


class Held:
    """Rows that Bunce calls taken, until one look-up can ask for many of them; and rows that a
    refusal left over, until its count is believed. When some have waited long enough, those of the
    refusal that named the most are looked up, which decides about all that named less.
    """

    def __init__(self, traits: Traits, *, most_s: float = MOST_S) -> None:
        self._traits = traits
        self._most_s = most_s
        self._taken: list[_Waiting] = []
        self._left_over: list[_LeftOver] = []
        self._newest_chunk = 0
        self._checking = False

    def without(self, delivered: Delivered) -> tuple[pa.Table, list[Verdict]]:
        """What of a batch is settled, with the verdicts; the other rows are kept here."""
        batch, verdicts, waiting = delivered.batch, delivered.verdicts, set(delivered.held)
        if left_by(batch) is not None:
            self._checking = False
        if delivered.held:
            self._taken.append(_Waiting(rows=_said(batch, delivered.held)))
        for chosen, refusal in delivered.unproven:
            rows = _doubted(batch, chosen, refusal)
            emails = frozenset(rows["email"].to_pylist())
            self._left_over.append(_LeftOver(rows=rows, refusal=refusal, emails=emails))
            waiting.update(chosen)
        if not waiting:
            return batch, verdicts
        rest = [i for i in range(batch.num_rows) if i not in waiting]
        return batch.take(pa.array(rest, pa.int64())), [verdicts[i] for i in rest]

    def due(self, chunk: int) -> Iterator[pa.Table]:
        """Gives up, as batches to be settled, what need not wait any longer now that `chunk` is the
        newest one that is claimed.
        """
        self._newest_chunk = chunk
        if self._are_late(self._taken) or sum(len(one.rows) for one in self._taken) >= _ENOUGH:
            yield from self._all_taken()
        yield from self._decided()
        if self._are_late(self._left_over) and not self._checking:
            yield from self._to_check()

    def sharing(self, emails: set[str]) -> Iterator[pa.Table]:
        """Gives up, first come first, what was left over and has one of these emails: it may not
        have arrived, and who was read first is to get the email.
        """
        for one in [one for one in self._left_over if not emails.isdisjoint(one.emails)]:
            self._left_over.remove(one)
            yield one.rows

    def rest(self) -> Iterator[pa.Table]:
        """Gives up what can go first of all that is left; nothing once nothing is."""
        yield from self._all_taken()
        yield from self._decided()
        yield from self._to_check()

    def _are_late(self, waiting: Sequence[_Waiting]) -> bool:
        """Whether the first of them have waited long enough."""
        if not waiting:
            return False
        chunks = self._newest_chunk - waiting[0].chunk
        return chunks >= _MOST_CHUNKS or time.monotonic() - waiting[0].since >= self._most_s

    def _all_taken(self) -> Iterator[pa.Table]:
        taken, self._taken = self._taken, []
        yield from pack((one.rows for one in taken), lambda: _ENOUGH, _MOST_BYTES)

    def _decided(self) -> Iterator[pa.Table]:
        ready: list[pa.Table] = []
        waiting: list[_LeftOver] = []
        for one in self._left_over:
            if self._traits.may_believe(one.refusal):
                waiting.append(one)
            else:
                ready.append(one.rows)
        self._left_over = waiting
        yield from ready

    def _to_check(self) -> Iterator[pa.Table]:
        """The batch with the most failures that were named."""
        if self._left_over:
            most = max(self._left_over, key=lambda one: one.refusal.named)
            self._left_over.remove(most)
            self._checking = True
            yield most.rows


def said_of(batch: pa.Table) -> dict[int, Said]:
    """What Bunce has said of the rows of a batch that are taken; nothing of any other batch."""
    if "said" not in batch.column_names:
        return {}
    columns = (batch.column(name).to_pylist() for name in ("said", "said_status"))
    return dict(enumerate(zip(*columns, strict=True)))


def left_by(batch: pa.Table) -> Refusal | None:
    """The refusal that left the rows of a batch over; None of any other batch."""
    if "named" not in batch.column_names:
        return None
    named, sort = batch.column("named")[0].as_py(), batch.column("sort")[0].as_py()
    return Refusal(named, sort, counted=True)


def _said(batch: pa.Table, said: Mapping[int, Said]) -> pa.Table:
    rows = batch.take(pa.array(sorted(said), pa.int64()))
    texts, statuses = zip(*(said[i] for i in sorted(said)), strict=True)
    rows = rows.append_column("said", pa.array(texts, pa.string()))
    return rows.append_column("said_status", pa.array(statuses, pa.int64()))


def _doubted(batch: pa.Table, chosen: Sequence[int], refusal: Refusal) -> pa.Table:
    rows = batch.take(pa.array(chosen, pa.int64()))
    at = rows.column_names.index("in_doubt")
    rows = rows.set_column(at, "in_doubt", pa.repeat(_TRUE, len(rows)))
    for name, value in (("named", refusal.named), ("sort", refusal.sort)):
        rows = rows.append_column(name, pa.repeat(pa.scalar(value), len(rows)))
    return rows
