"""Rows of a load that wait, since what is learned from others may save a look-up of their own."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.api.lookup import MAX_IDS
from dlt_bunce.load.dispatch import Delivered
from dlt_bunce.records.batching import pack
from dlt_bunce.settlement.capabilities import ApiCapabilities
from dlt_bunce.settlement.row_result import RowResult
from dlt_bunce.settlement.settlement import Said
from dlt_bunce.settlement.work_item import BatchRejection

_ENOUGH = MAX_IDS - 1
_MAX_CHUNKS = 4
"""Chunks that are claimed while a row waits: what is in memory stays bounded."""
MAX_PENDING_S = 60.0
"""Seconds that a row waits: well below a lease, after which another load gives up on it."""
_SOON = 0.75
"""After this share of that, rows are let go that may decide about others."""
_MAX_BYTES = 1_000_000
_TRUE = pa.scalar(True)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Waiting:
    """Rows of a batch."""

    rows: pa.Table
    chunk: int
    since: float = field(default_factory=time.monotonic)


@dataclass(frozen=True, kw_only=True, eq=False)
class _LeftOver(_Waiting):
    refusal: BatchRejection
    emails: frozenset[str]


class PendingLookups:
    """Rows that Bunce calls taken, until one look-up can ask for many of them; and rows that a
    refusal left over, until its count is believed or they have waited long enough.
    """

    def __init__(self, capabilities: ApiCapabilities, *, max_wait_s: float = MAX_PENDING_S) -> None:
        self._capabilities = capabilities
        self._most_s = max_wait_s
        self._taken: list[_Waiting] = []
        self._left_over: list[_LeftOver] = []
        self._newest_chunk = 0
        # the chunk at which one of a sort was let go last to decide about others
        self._told: dict[str, int] = {}

    def without(self, delivered: Delivered) -> tuple[pa.Table, list[RowResult]]:
        """What of a batch is settled, with the results; the other rows are kept here."""
        batch, results, waiting = delivered.batch, delivered.results, set(delivered.held)
        if delivered.held:
            rows = _said(batch, delivered.held)
            self._taken.append(_Waiting(rows=rows, chunk=_first_chunk(rows)))
        for chosen, refusal in delivered.unverified:
            rows = _doubted(batch, chosen, refusal)
            emails = frozenset(rows["email"].to_pylist())
            chunk = _first_chunk(rows)
            one = _LeftOver(rows=rows, chunk=chunk, refusal=refusal, emails=emails)
            self._left_over.append(one)
            waiting.update(chosen)
        if not waiting:
            return batch, results
        rest = [i for i in range(batch.num_rows) if i not in waiting]
        return batch.take(pa.array(rest, pa.int64())), [results[i] for i in rest]

    def due(self, chunk: int) -> Iterator[pa.Table]:
        """Gives up, as batches to be settled, what need not wait any longer now that `chunk` is the
        newest one that is claimed.
        """
        self._newest_chunk = chunk
        enough = sum(len(one.rows) for one in self._taken) >= _ENOUGH
        if enough or any(map(self._is_late, self._taken)):
            yield from self._all_taken()
        # first those that may decide about the others before it is too late for them
        sorts = {one.refusal.sort for one in self._left_over if self._is_late(one, _SOON)}
        yield from self.telling({sort for sort in sorts if self._told.get(sort) != chunk})
        self._told |= dict.fromkeys(sorts, chunk)
        yield from self._let_go(
            one
            for one in self._left_over
            if self._is_late(one) or not self._capabilities.may_believe(one.refusal)
        )

    def sharing(self, emails: set[str]) -> Iterator[pa.Table]:
        """Gives up, first come first, what was left over and has one of these emails: it may not
        have arrived, and who was read first is to get the email.
        """
        yield from self._let_go(one for one in self._left_over if not emails.isdisjoint(one.emails))

    def telling(self, sorts: set[str] | None = None) -> Iterator[pa.Table]:
        """Gives up what decides about most of the others: of each sort (or of some) for which there
        is a proof, the rows whose refusal named the most.
        """
        most: dict[str, _LeftOver] = {}
        for one in sorted(self._left_over, key=lambda one: one.refusal.named):
            sort = one.refusal.sort
            if (sorts is None or sort in sorts) and self._capabilities.is_verified(one.refusal):
                most[sort] = one
        yield from self._let_go(most.values())

    def rest(self) -> Iterator[pa.Table]:
        """Gives up all of them."""
        yield from self._all_taken()
        yield from self._let_go(self._left_over)

    def _is_late(self, one: _Waiting, share: float = 1.0) -> bool:
        """Whether it has waited as long as it may, or a share of that."""
        chunks, seconds = self._newest_chunk - one.chunk, time.monotonic() - one.since
        return chunks >= share * _MAX_CHUNKS or seconds >= share * self._most_s

    def _let_go(self, some: Iterable[_LeftOver]) -> Iterator[pa.Table]:
        going = list(some)
        self._left_over = [one for one in self._left_over if one not in going]
        yield from (one.rows for one in going)

    def _all_taken(self) -> Iterator[pa.Table]:
        taken, self._taken = self._taken, []
        yield from pack((one.rows for one in taken), lambda: _ENOUGH, _MAX_BYTES)


def last_errors(batch: pa.Table) -> dict[int, Said]:
    """What Bunce has said of the rows of a batch that are taken; nothing of any other batch."""
    if "said" not in batch.column_names:
        return {}
    columns = (batch.column(name).to_pylist() for name in ("said", "said_status"))
    return dict(enumerate(zip(*columns, strict=True)))


def caused_by(batch: pa.Table) -> BatchRejection | None:
    """The refusal that left the rows of a batch over; None of any other batch."""
    if "named" not in batch.column_names:
        return None
    named, of, sort = (batch.column(name)[0].as_py() for name in ("named", "of", "sort"))
    return BatchRejection(named, of, sort, counted=True)


def _said(batch: pa.Table, said: Mapping[int, Said]) -> pa.Table:
    rows = batch.take(pa.array(sorted(said), pa.int64()))
    texts, statuses = zip(*(said[i] for i in sorted(said)), strict=True)
    rows = rows.append_column("said", pa.array(texts, pa.string()))
    return rows.append_column("said_status", pa.array(statuses, pa.int64()))


def _doubted(batch: pa.Table, chosen: Sequence[int], refusal: BatchRejection) -> pa.Table:
    rows = batch.take(pa.array(chosen, pa.int64()))
    at = rows.column_names.index("indeterminate")
    rows = rows.set_column(at, "indeterminate", pa.repeat(_TRUE, len(rows)))
    for name, value in (("named", refusal.named), ("of", refusal.of), ("sort", refusal.sort)):
        rows = rows.append_column(name, pa.repeat(pa.scalar(value), len(rows)))
    return rows


def _first_chunk(rows: pa.Table) -> int:
    return int(pc.min(rows["chunk"]).as_py())
