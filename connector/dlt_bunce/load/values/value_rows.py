"""The values of one chunk: what they are, what the ledger has, and what must be sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.load.chunks import Chunk
from dlt_bunce.load.values.value_batches import repeat, to_send
from dlt_bunce.load.values.values_in_flight import RowLeft
from dlt_bunce.records.mapping.source_columns import values_of, variants_of
from dlt_bunce.records.text.text import as_text
from dlt_bunce.records.values.targets import Kind, Target, Targets, value_seed
from dlt_bunce.records.values.value_digests import (
    IN_FLIGHT,
    REJECTED,
    UNCONFIRMED,
    WRITTEN,
    packed_digests,
    row_digests,
    value_digests,
)
from dlt_bunce.records.values.values import Values, either, read_values
from dlt_bunce.store.values import values

_GIVEN_UP = pa.array([REJECTED, UNCONFIRMED], pa.binary())
_OF_MEMBERS = pa.array([WRITTEN, IN_FLIGHT, UNCONFIRMED], pa.binary())
"""States of a segment's slot that a member may have."""


class ChunkValues:
    """The values of all rows of a chunk, and its accepted rows as the ledger compares them.

    `values_only`: the rows bring no customers, so the ledger has no digest of theirs, and no
    version that compares with theirs.
    """

    def __init__(
        self, chunk: Chunk, targets: Targets, key: bytes, *, values_only: bool = False
    ) -> None:
        self.chunk, self.targets, self.key = chunk, targets, key
        self._values_only = values_only
        self.columns = [
            either(
                read_values(array, target.data_type, targets.timezone)
                for array in variants_of(chunk.table, target.column)
            )
            for target in targets.items
        ]
        self._accepted = chunk.prepared.accepted
        # rejected rows that are older than what the ledger has, once they were compared
        self.late = pa.nulls(0, pa.int64())

    @property
    def rows(self) -> int:
        """Rows as read."""
        return int(self.chunk.table.num_rows)

    def read(self, kind: Kind) -> int:
        """Return how many values of a kind there are, blank ones included."""
        return self.rows * len(self.targets.of(kind))

    @cached_property
    def incoming(self) -> pa.Table:
        """The accepted rows (INCOMING)."""
        accepted = self._accepted.select(["row", "customer_id", "fingerprint", "version"])
        if self._values_only:
            nothing = pa.nulls(accepted.num_rows, pa.binary())
            return accepted.append_column("digest", nothing).cast(values.INCOMING)
        digests = row_digests(self.columns, self.targets.seed(self.key))
        if accepted.num_rows != self.rows:
            digests = digests.take(accepted.column("row").combine_chunks())
        return accepted.append_column("digest", digests).cast(values.INCOMING)

    @cached_property
    def states(self) -> pa.Array:
        """What the rows themselves say of their values: `unchanged` until compared, `superseded`,
        or, with a row that cannot be sent, `waiting` unless it is `late`; `rejected` if it would
        bring no customer.
        """
        bad, rejected = "waiting", _flat(self.chunk.prepared.rejected.column("row"))
        if self._values_only:
            bad = "rejected"
        elif len(self.late):
            rejected = rejected.filter(pc.invert(pc.is_in(rejected, self.late)))
        states = pa.repeat(pa.scalar("superseded"), self.rows)
        for rows, state in (
            (self._accepted.column("row"), "unchanged"),
            (rejected, bad),
        ):
            if len(rows) == self.rows:
                return pa.repeat(pa.scalar(state), self.rows)
            mask = pc.is_in(pa.array(range(self.rows), pa.int64()), value_set=_flat(rows))
            states = pc.if_else(mask, state, states)
        return states

    def counts(self, changes: ChangedValues | None) -> dict[Kind, Counter[str]]:
        """Return counts by kind and fate; values to be sent have none. Without `changes`, no value
        has changed.
        """
        counts: dict[Kind, Counter[str]] = {}
        for target, found in self.fates(changes).items():
            if target.kind not in counts:
                counts[target.kind] = Counter(read=self.read(target.kind))
            counts[target.kind].update(found)
        return counts

    def fates(self, changes: ChangedValues | None) -> dict[Target, Counter[str]]:
        """Return the same counts by target, without `read`."""
        states = self.states if changes is None else changes.states
        is_simple = changes is None and bool(pc.all(pc.equal(states, "unchanged")).as_py())
        fates = {}
        for target, column in zip(self.targets.items, self.columns, strict=True):
            counts = fates[target] = Counter[str]()
            blank = pc.and_(pc.is_null(column.texts), pc.invert(column.invalid))
            counts["blank"] += blank.true_count
            if is_simple:
                counts["unchanged"] += self.rows - blank.true_count
                continue
            present = states.filter(pc.invert(blank))
            for found in present.value_counts().to_pylist():
                if found["values"] != "open":
                    counts[found["values"]] += found["counts"]
            if changes is not None:
                counts.update(changes.fates[target.slot])
        return fates

    def row_counts(self, changes: ChangedValues) -> dict[str, int]:
        """Return the counts of the rows by fate; those with values to be sent have none yet."""
        found = {
            each["values"]: each["counts"] for each in changes.states.value_counts().to_pylist()
        }
        unchanged = found.pop("open", 0) + found.pop("unchanged", 0) - len(changes.left)
        return {"read": self.rows, "unchanged": unchanged, **found}


class ChangedValues:
    """The rows of a chunk whose values may have to be sent (`rows`: as of values.changed).

    `to_send` (TO_SEND) is what differs, `rejected` (values.REJECTED) is what cannot be sent,
    `answered` (values.ANSWERED) is written or blank; `refused` (values.ANSWERED) is what
    Bunce has rejected before. `left` has what is to be sent of each row. `settled` (values.PACKED)
    has the customers with nothing to send.
    """

    def __init__(self, found: ChunkValues, rows: pa.Table) -> None:
        self._found = found
        self._states = rows.column("state").combine_chunks()
        is_open = pc.equal(self._states, "open")
        self._all_rows = _flat(rows.column("row"))
        self._rows = self._all_rows.filter(is_open)
        self._sent_ids = _flat(rows.column("sent_id")).filter(is_open)
        self._packed = _flat(rows.column("packed")).filter(is_open)
        accepted = found.incoming
        if len(self._rows) != accepted.num_rows:
            at = pc.index_in(self._rows, value_set=_flat(accepted.column("row")))
            accepted = accepted.take(at)
        self._ids = _flat(accepted.column("customer_id"))
        self._digests = _flat(accepted.column("digest"))
        self._versions = _flat(accepted.column("version"))
        self.fates: dict[int, Mapping[str, int]] = {}
        parts, rejected = [], []
        self._good: list[tuple[int, pa.Array]] = []
        self._refused: list[tuple[int, pa.Array]] = []
        self._lapsed: list[tuple[int, pa.Array]] = []
        self._bad = pa.repeat(pa.scalar(False), len(self._rows))
        seed = value_seed(found.key)
        for target, column in zip(found.targets.items, found.columns, strict=True):
            own = column if len(self._rows) == found.rows else column.take(self._rows)
            parts.append(self._compared(target, own, seed))
            rejected.append(self._rejections(target, own, seed))
        self.to_send = pa.concat_tables(parts).sort_by("row")
        self.rejected = pa.concat_tables(rejected)

    @property
    def states(self) -> pa.Array:
        """The state of each row of the chunk."""
        if not len(self._all_rows):
            return self._found.states
        states = self._found.states
        mask = pc.is_in(pa.array(range(len(states)), pa.int64()), value_set=self._all_rows)
        return pc.replace_with_mask(states, mask, self._states)

    @property
    def waiting(self) -> tuple[pa.Array, pa.Array]:
        """The customers whom values wait for, and the others."""
        accepted = self._found.incoming
        at = pc.index_in(self._all_rows, value_set=_flat(accepted.column("row")))
        ids = _flat(accepted.column("customer_id")).take(at)
        waits = pc.equal(self._states, "waiting")
        return ids.filter(waits), ids.filter(pc.invert(waits))

    @property
    def answered(self) -> pa.Table:
        """The customers and slots whose value is written, or blank."""
        return self._among(self._good)

    @property
    def refused(self) -> pa.Table:
        """The customers and slots whose value is the one that Bunce has rejected."""
        return self._among(self._refused)

    @property
    def lapsed(self) -> pa.Table:
        """The customers and slots of which Bunce has rejected a value that is gone by now."""
        return self._among(self._lapsed)

    def _among(self, masks: Sequence[tuple[int, pa.Array]]) -> pa.Table:
        ids = [self._ids.filter(mask) for _, mask in masks]
        slots = [repeat(slot, pa.int64(), mask.true_count) for slot, mask in masks]
        return pa.table([pa.chunked_array(ids), pa.chunked_array(slots)], schema=values.ANSWERED)

    @property
    def left(self) -> dict[int, RowLeft]:
        """What is left to be sent of each row, with its digest unless a value is bad."""
        counts = self.to_send.column("row").value_counts().to_pylist()
        whole = pc.if_else(self._bad, pa.scalar(None, pa.binary()), self._digests)
        columns = (column.to_pylist() for column in (whole, self._versions))
        of_rows = dict(zip(self._rows.to_pylist(), zip(*columns, strict=True), strict=True))
        return {
            found["values"]: RowLeft(found["counts"], *of_rows[found["values"]]) for found in counts
        }

    @property
    def known(self) -> dict[str, bytes | None]:
        """What the ledger had of each customer with something to send."""
        some = pc.is_in(self._rows, value_set=_flat(self.to_send.column("row")))
        ids, packed = (each.filter(some).to_pylist() for each in (self._ids, self._packed))
        return dict(zip(ids, packed, strict=True))

    @property
    def settled(self) -> pa.Table:
        """The customers with nothing to send, whose digest is known now, as they were compared."""
        rest = pc.invert(pc.is_in(self._rows, value_set=_flat(self.to_send.column("row"))))
        whole = pc.if_else(self._bad, pa.scalar(None, pa.binary()), self._digests)
        columns = (self._ids, self._packed, whole, self._versions)
        return pa.table([each.filter(rest) for each in columns], schema=values.PACKED)

    def _compared(self, target: Target, column: Values, seed: int) -> pa.Table:
        """Return what of a target must be sent."""
        digests = value_digests(column.texts, seed)
        known, states = packed_digests(self._packed, target.slot)
        same = pc.equal(known, digests)
        written = pc.and_(same, pc.equal(states, WRITTEN))
        given_up = pc.is_in(states, value_set=_GIVEN_UP)
        refused = pc.fill_null(pc.and_(same, given_up), False)
        if target.kind == "segments":
            # who was not added here is not removed here, and who could not be removed is a member
            member = pc.is_in(states, value_set=_OF_MEMBERS)
            is_absent = pc.invert(pc.or_(member, refused))
            written = pc.or_(written, pc.and_(pc.equal(column.texts, "false"), is_absent))
        written = pc.fill_null(written, False)
        wanted = pc.and_(pc.is_valid(digests), pc.invert(pc.or_(written, refused)))
        self._bad = pc.or_(self._bad, refused)
        self._refused.append((target.slot, refused))
        self._lapsed.append((target.slot, pc.and_not(given_up, pc.or_(refused, wanted))))
        is_open = pc.or_(pc.or_(refused, wanted), column.invalid)
        self._good.append((target.slot, pc.invert(is_open)))
        self.fates[target.slot] = {
            "unchanged": written.true_count,
            "rejected": refused.true_count + column.invalid.true_count,
        }
        return to_send(
            target,
            self._found.chunk.number,
            rows=self._rows.filter(wanted),
            ids=self._ids.filter(wanted),
            sent_ids=self._sent_ids.filter(wanted),
            texts=column.texts.filter(wanted),
            digests=digests.filter(wanted),
        )

    def _rejections(self, target: Target, column: Values, seed: int) -> pa.Table:
        bad, number = column.invalid, column.invalid.true_count
        self._bad = pc.or_(self._bad, bad)
        digests = pa.nulls(number, pa.binary())
        if number:
            as_read = values_of(self._found.chunk.table, target.column)
            digests = value_digests(as_text(as_read.take(self._rows.filter(bad))), seed)
        return pa.table(
            [
                self._ids.filter(bad),
                repeat(target.slot, pa.int64(), number),
                repeat(target.name, pa.string(), number),
                repeat(target.column, pa.string(), number),
                column.codes.filter(bad),
                column.reasons.filter(bad),
                pa.nulls(number, pa.int64()),
                digests,
            ],
            schema=values.REJECTED,
        )


def _flat(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
