"""Rows of a load that wait, since what is learned from others may save a look-up of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.api.lookup import MOST_IDS
from dlt_bunce.api.parcel import Refusal
from dlt_bunce.api.settlement import Said
from dlt_bunce.api.verdict import Verdict
from dlt_bunce.delivery import Delivered
from dlt_bunce.records.batching import pack

_ENOUGH = MOST_IDS - 1
_MOST_CHUNKS = 4
"""Chunks that wait with their rows: what is in memory stays bounded where few rows wait."""
_MOST_BYTES = 1_000_000
_TRUE = pa.scalar(True)


class Held:
    """Rows that Bunce calls taken, until one look-up can ask for many of them; and rows that a
    refusal left over, until it `is_decided` whether its count can be believed.
    """

    def __init__(self, is_decided: Callable[[Refusal], bool]) -> None:
        self._is_decided = is_decided
        self._taken: list[pa.Table] = []
        self._left_over: list[tuple[pa.Table, Refusal]] = []

    def without(self, delivered: Delivered) -> tuple[pa.Table, list[Verdict]]:
        """What of a batch is settled, with the verdicts; the other rows are kept here."""
        batch, verdicts, waiting = delivered.batch, delivered.verdicts, set(delivered.held)
        if delivered.held:
            self._add_taken(batch, delivered.held)
        for chosen, refusal in delivered.unproven:
            self._add_left_over(batch, chosen, refusal)
            waiting.update(chosen)
        if not waiting:
            return batch, verdicts
        rest = [i for i in range(batch.num_rows) if i not in waiting]
        return batch.take(pa.array(rest, pa.int64())), [verdicts[i] for i in rest]

    def due(self) -> Iterator[pa.Table]:
        """Gives up, as batches to be settled, what need not wait any longer."""
        if _chunks(self._taken) > _MOST_CHUNKS or sum(map(len, self._taken)) >= _ENOUGH:
            yield from self._all_taken()
        ready, waiting = [], []
        for rows, refusal in self._left_over:
            if self._is_decided(refusal):
                ready.append(rows)
            else:
                waiting.append((rows, refusal))
        self._left_over = waiting
        while _chunks([rows for rows, _ in self._left_over]) > _MOST_CHUNKS:
            ready.append(self._left_over.pop(0)[0])
        yield from ready

    def rest(self) -> Iterator[pa.Table]:
        """Gives up all of them."""
        yield from self._all_taken()
        while self._left_over:
            yield self._left_over.pop(0)[0]

    def _add_taken(self, batch: pa.Table, said: Mapping[int, Said]) -> None:
        rows = batch.take(pa.array(sorted(said), pa.int64()))
        texts, statuses = zip(*(said[i] for i in sorted(said)), strict=True)
        rows = rows.append_column("said", pa.array(texts, pa.string()))
        self._taken.append(rows.append_column("said_status", pa.array(statuses, pa.int64())))

    def _add_left_over(self, batch: pa.Table, chosen: Sequence[int], refusal: Refusal) -> None:
        rows = batch.take(pa.array(chosen, pa.int64()))
        at = rows.column_names.index("in_doubt")
        rows = rows.set_column(at, "in_doubt", pa.repeat(_TRUE, len(rows)))
        for name, value in (("named", refusal.named), ("sort", refusal.sort)):
            rows = rows.append_column(name, pa.repeat(pa.scalar(value), len(rows)))
        self._left_over.append((rows, refusal))

    def _all_taken(self) -> Iterator[pa.Table]:
        taken, self._taken = self._taken, []
        yield from pack(taken, lambda: _ENOUGH, _MOST_BYTES)


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
    return Refusal(batch.column("named")[0].as_py(), batch.column("sort")[0].as_py())


def _chunks(tables: Sequence[pa.Table]) -> int:
    return len({chunk for table in tables for chunk in pc.unique(table["chunk"]).to_pylist()})
