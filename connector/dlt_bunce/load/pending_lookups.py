"""Rows that Bunce calls taken, until a look-up can tell whose they are, and rows of which it is
open whether they are bad, until others have been tried.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from operator import itemgetter

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.api.batch import Row
from dlt_bunce.api.lookup import MAX_IDS
from dlt_bunce.errors import UnavailableError
from dlt_bunce.load.dispatch import Batch, Delivered
from dlt_bunce.records.batching import pack
from dlt_bunce.settlement.messages import Reason
from dlt_bunce.settlement.row_result import RowResult

PATIENCE_S = (0.0, 2.0, 4.0, 8.0, 16.0)
"""Waits, in seconds, for a customer whom this run may have created to show up in look-ups."""
MAX_PENDING_S = 60.0
"""Seconds that a row waits for others: well below a lease, after which another load takes it."""
_ENOUGH = MAX_IDS - 1
_MAX_CHUNKS = 4
"""Chunks that may be claimed while a row waits, so that memory stays bounded."""
_MAX_BYTES = 1_000_000


@dataclass(frozen=True, kw_only=True, eq=False)
class _Waiting:
    rows: pa.Table
    chunk: int
    since: float = field(default_factory=time.monotonic)


class PendingLookups:
    """Rows of many batches that Bunce calls taken, looked up with as few requests as possible.

    Rows that some request may have delivered wait for the end of the load: a look-up may lag
    behind writes.
    """

    def __init__(self, *, max_wait_s: float = MAX_PENDING_S) -> None:
        self._max_wait_s = max_wait_s
        self._taken: list[_Waiting] = []
        self._aside: list[Batch] = []
        self._lagging: list[pa.Table] = []
        # by customer_id
        self._reasons: dict[str, Reason] = {}
        self._created_now: set[str] = set()
        self._latest_chunk = 0
        self._held_at = 0.0
        self._created: tuple[float, Row] | None = None
        self._unseen = 0

    def take(self, delivered: Delivered) -> tuple[pa.Table, list[RowResult]]:
        """Keep the rows of a batch that are held or set aside; return the others, with results."""
        rows, results, held = delivered.batch.rows, delivered.results, delivered.held
        known = [created for created in (self._created, delivered.created) if created is not None]
        self._created = max(known, key=itemgetter(0), default=None)
        if aside := sorted(delivered.aside):
            doubts = frozenset(n for n, i in enumerate(aside) if i in delivered.lagging)
            kept = rows.take(pa.array(aside, pa.int64()))
            self._aside.append(Batch(kept, lagging=doubts, suspicion=delivered.suspicion))
        if delivered.batch.last_try:
            self._unseen += len(held)
            return rows, results
        if not held and not aside:
            return rows, results
        ids = rows.column("customer_id").to_pylist()
        self._reasons |= {ids[i]: reason for i, reason in held.items()}
        self._created_now |= {ids[i] for i in delivered.lagging if i in held}
        indeterminate = rows.column("indeterminate").to_pylist()
        later = [i for i in sorted(held) if i in delivered.lagging or indeterminate[i]]
        now = [i for i in sorted(held) if i not in later]
        if now:
            waiting = rows.take(pa.array(now, pa.int64()))
            self._taken.append(_Waiting(rows=waiting, chunk=_first_chunk(waiting)))
        if later:
            self._held_at = max(self._held_at, delivered.held_at)
            self._lagging.append(rows.take(pa.array(later, pa.int64())))
        rest = [i for i in range(rows.num_rows) if i not in held and i not in delivered.aside]
        return rows.take(pa.array(rest, pa.int64())), [results[i] for i in rest]

    def due(self, chunk: int) -> Iterator[Batch]:
        """Give up, as batches to be settled, what need not wait now that `chunk` is claimed."""
        self._latest_chunk = chunk
        enough = sum(len(waiting.rows) for waiting in self._taken) >= _ENOUGH
        if enough or any(map(self._is_late, self._taken)):
            yield from self._give_up_taken()
        late = [batch for batch in self._aside if _first_chunk(batch.rows) <= chunk - _MAX_CHUNKS]
        self._aside = [batch for batch in self._aside if batch not in late]
        yield from late

    def rest(self) -> Iterator[Batch]:
        """Give up all but the rows that a look-up may have missed."""
        yield from self._give_up_taken()
        aside, self._aside = self._aside, []
        yield from aside

    def _give_up_taken(self) -> Iterator[Batch]:
        taken, self._taken = self._taken, []
        yield from self._batches((waiting.rows for waiting in taken), last_try=True)

    def lagging(self, *, last_try: bool) -> Iterator[Batch]:
        """Give up the rows that a look-up may have missed."""
        rows, self._lagging = self._lagging, []
        created_at, control = self._created or (0.0, None)
        is_later = created_at > self._held_at
        yield from self._batches(rows, last_try=last_try, control=control if is_later else None)

    @property
    def has_taken(self) -> bool:
        """Whether rows wait that need not wait for the end of the load."""
        return bool(self._taken or self._aside)

    @property
    def has_lagging(self) -> bool:
        """Whether rows wait that a look-up may have missed."""
        return bool(self._lagging)

    @property
    def fault(self) -> UnavailableError | None:
        """Why the run has to end, if rows are left that a look-up may have missed to the last: to
        another try of the same run they would look like customers who do not exist.
        """
        if not self._unseen:
            return None
        return UnavailableError(
            f"Look-ups do not show {self._unseen:,} customers whom this run may have created.",
            remedy="Run again later: customers whom look-ups show by then are not sent again.",
        )

    def _batches(
        self, tables: Iterable[pa.Table], *, last_try: bool, control: Row | None = None
    ) -> Iterator[Batch]:
        for rows in pack(tables, lambda: _ENOUGH, _MAX_BYTES):
            ids = rows.column("customer_id").to_pylist()
            taken = {i: self._reasons.pop(key) for i, key in enumerate(ids)}
            lagging = frozenset(i for i, key in enumerate(ids) if key in self._created_now)
            self._created_now.difference_update(ids)
            yield Batch(rows, taken, lagging, last_try=last_try, control=control)

    def _is_late(self, waiting: _Waiting) -> bool:
        chunks = self._latest_chunk - waiting.chunk
        return chunks >= _MAX_CHUNKS or time.monotonic() - waiting.since >= self._max_wait_s


def _first_chunk(rows: pa.Table) -> int:
    return int(pc.min(rows["chunk"]).as_py())
