"""Attribute values and segment members of a dry run: compared as in a load, accepted by nobody."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.errors import BunceError
from dlt_bunce.load.chunks import Chunks
from dlt_bunce.load.dispatch import Batch, Delivered
from dlt_bunce.load.values.value_rows import ChangedValues, ChunkValues
from dlt_bunce.load.values.values import ValueDelivery
from dlt_bunce.model import Traffic
from dlt_bunce.records.causes import ShapeCounts
from dlt_bunce.records.mapping.source_columns import values_of
from dlt_bunce.records.text.text import as_text
from dlt_bunce.records.values.targets import FoundTargets, Kind
from dlt_bunce.settlement.row_result import RowResult
from dlt_bunce.store.database import Database
from dlt_bunce.store.runs import value_fates
from dlt_bunce.store.values import values

_BATCH_ROWS = 10_000
_ACCEPTED = RowResult("updated", "response")
_Key = tuple[Kind, str]
"""A target, by its kind and column."""


@dataclass(frozen=True)
class RejectedValues:
    """Values of one target with one code and cause, and one for each of the commonest shapes.

    Without a `cause` Bunce has rejected them before, so they are not sent again.
    """

    kind: Kind
    column: str
    code: str
    cause: str | None
    values: int
    examples: Mapping[str, str] = field(default_factory=dict)


class TableValues:
    """What would become of the values of one table: `fates` counts them by target."""

    def __init__(self, targets: FoundTargets) -> None:
        self.targets = targets
        self.fates: dict[_Key, Counter[str]] = {}
        self.to_send: Counter[str] = Counter()
        """Values by operation, as in a batch: `values`, or `add` or `remove` with a segment."""
        self._rejects = ShapeCounts[tuple[Kind, str, str, str]]()
        self._earlier: Counter[tuple[Kind, str, str]] = Counter()

    def add(self, found: ChunkValues, changes: ChangedValues | None) -> None:
        """Count the values of a chunk; those to be sent are counted as `written`."""
        for target, fates in found.fates(changes).items():
            self.fates.setdefault((target.kind, target.column), Counter()).update(fates)
        if changes is None:
            return
        self.to_send.update(_counted(changes.to_send.column("verb")))
        slots = _counted(changes.to_send.column("slot"))
        is_open = pc.equal(changes.states, "open")
        for target, column in zip(found.targets.items, found.columns, strict=True):
            self.fates[target.kind, target.column]["written"] += slots.get(target.slot, 0)
            bad = pc.and_(is_open, column.invalid)
            if not bad.true_count:
                continue
            texts = as_text(values_of(found.chunk.table, target.column).filter(bad))
            codes, reasons = column.codes.filter(bad), column.reasons.filter(bad)
            pairs = pc.binary_join_element_wise(codes, reasons, "\x1f")
            for pair in pc.unique(pairs).to_pylist():
                code, _, cause = pair.partition("\x1f")
                key = target.kind, target.column, code, cause
                self._rejects.add(texts.filter(pc.equal(pairs, pair)), partial(_always, key))

    def add_earlier(self, kind: Kind, column: str, code: str, count: int) -> None:
        """Count values that Bunce has rejected before."""
        self._earlier[kind, column, code] += count

    def rejected(self) -> list[RejectedValues]:
        """Return what is rejected, the commonest first."""
        found = self._rejects
        counted = [
            RejectedValues(*key, count, found.examples(key)) for key, count in found.counts.items()
        ]
        counted += [
            RejectedValues(kind, column, code, None, count)
            for (kind, column, code), count in self._earlier.items()
        ]
        return sorted(counted, key=lambda rejected: -rejected.values)


@dataclass
class PreviewedValues(ValueDelivery):
    """The values of one file in a dry run, whose `database` is a copy. `known` is the store."""

    counted: TableValues = field(default_factory=lambda: TableValues(FoundTargets((), {})))
    known: Database | None = None
    before: Callable[[], None] = lambda: None
    """Called once the customers of the file are settled."""

    def deliver(
        self, chunks: Chunks, stop: threading.Event, on_requests: Callable[[int], None]
    ) -> BunceError | None:
        """Count what would be sent."""
        self.before()
        return super().deliver(chunks, stop, on_requests)

    def _count(self, found: ChunkValues, changes: ChangedValues | None) -> None:
        super()._count(found, changes)
        self.counted.add(found, changes)
        if changes is not None and self.known is not None and changes.refused.num_rows:
            codes = values.codes_of(self.known, self.load_file.account, changes.refused)
            for (slot, code), count in codes.items():
                target = self._by_slot[slot]
                self.counted.add_earlier(target.kind, target.column, code, count)

    def _row_fates(self, found: ChunkValues, changes: ChangedValues) -> dict[str, int]:
        # each row with something to send will be accepted
        return {**super()._row_fates(found, changes), "written": len(changes.left)}

    def _mark_in_flight(self, rows: pa.Table) -> pa.Table:
        """Nothing leaves."""
        return rows

    def _settle(self, group: Sequence[Delivered]) -> int:
        """Count the batches as written; no row of the file is met again."""
        fates: Counter[tuple[str, int, str]] = Counter()
        for delivered in group:
            rows = delivered.batch.rows.select(["chunk", "slot"])
            for row in rows.group_by(["chunk", "slot"]).aggregate([([], "count_all")]).to_pylist():
                kind = self._by_slot[row["slot"]].kind
                fates[kind, row["chunk"], "written"] += row["count_all"]
        with self.database.transaction():
            value_fates.add_fates(self.database, self.load_file, fates)
        return 0


class AcceptingSender:
    """Sends nothing, and settles as if Bunce took every value."""

    threads = 1

    def batch_size(self) -> int:
        """Values that the next batch may have."""
        return _BATCH_ROWS

    def in_flight(self) -> int:
        """Batches that may be in flight now."""
        return 1

    def send(self, batch: Batch, *, overwrite: bool, stopped: Callable[[], bool]) -> Delivered:
        """Accept a batch."""
        return Delivered(batch, [_ACCEPTED] * batch.rows.num_rows)

    def stop(self) -> None:
        """Nobody waits."""

    def take_traffic(self) -> Traffic:
        """Nothing went over the wire."""
        return Traffic()


def _always(key: tuple[Kind, str, str, str], _text: str | None) -> tuple[Kind, str, str, str]:
    return key


def _counted(column: pa.ChunkedArray) -> dict[Any, int]:
    return {found["values"]: found["counts"] for found in column.value_counts().to_pylist()}
