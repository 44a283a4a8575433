"""Values in flight: marked as such in the ledger before they leave, until an outcome is recorded.

A process may end in between, and the next load need not have the same rows. So until then the
ledger must not say that Bunce has the value that it had before. Another load may write the same
value at the same time: then it is not known whose came last, and it stays as in flight.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import pyarrow as pa

from dlt_bunce.records.values.value_digests import IN_FLIGHT, NOTHING, repacked, unpacked
from dlt_bunce.store.database import Database
from dlt_bunce.store.values import values
from dlt_bunce.store.values.targets import in_digest

Slot = tuple[int, bytes, bytes]
"""The number of a slot, and what it holds: digest and state."""


class RowLeft(NamedTuple):
    """How many values of a row are to be written yet, its digest once all are, and its version."""

    values: int
    digest: bytes | None = None
    version: int | None = None


class RowsLeft(dict[tuple[int, int], RowLeft]):
    """What is left of rows, by chunk and row."""

    def settle_one(self, chunk: int, row: int, *, is_written: bool) -> RowLeft:
        """Return what is left of a row once one more of its values is settled; it has no digest if
        one was not written.
        """
        before = self.pop((chunk, row))
        digest = before.digest if is_written else None
        left = before._replace(values=before.values - 1, digest=digest)
        if left.values:
            self[chunk, row] = left
        return left


class _Mark(NamedTuple):
    """The digest of a value that is in flight, and what its slot held before."""

    digest: bytes
    before: tuple[bytes, bytes]


@dataclass
class ValuesInFlight:
    """The slots of values that may be in flight. Methods are for the caller's transaction."""

    database: Database
    account: str
    values_only: bool
    """Whether the digest of all values of a row is another table's: it stays if it does not cover
    what is sent.
    """
    _marks: dict[tuple[str, int], _Mark] = field(default_factory=dict)
    # what this load has last read or written of customers with values left to be sent
    _known: dict[str, bytes] = field(default_factory=dict)
    # those of whom another load has written since
    _shared: set[str] = field(default_factory=set)

    def begin(self, packed: Mapping[str, bytes | None]) -> None:
        """Note what the ledger had when customers' values were compared."""
        self._known |= {who: found or b"" for who, found in packed.items()}

    def mark(self, rows: pa.Table) -> None:
        """Mark values (TO_SEND) as in flight: the next value is sent, this one or another."""
        changes: dict[str, list[Slot]] = defaultdict(list)
        names = ("customer_id", "slot", "digest")
        for who, slot, digest in zip(*(rows.column(n).to_pylist() for n in names), strict=True):
            changes[who].append((slot, digest, IN_FLIGHT))
        packed = self._packed_of(changes)
        for who, found in packed.items():
            for slot, digest, _ in changes[who]:
                before = unpacked(found, slot)
                self._marks[who, slot] = _Mark(digest, before if before[1] else NOTHING)
        self._write(packed, changes, {}, {})

    def record(
        self,
        outcomes: Mapping[str, Sequence[Slot]],
        unsent: Collection[tuple[str, int]],
        digests: Mapping[str, bytes | None],
        versions: Mapping[str, int | None],
    ) -> None:
        """Write the outcomes of values by customer, what the slots of `unsent` ones (customer and
        slot) held before they were marked, the `digests` of rows with no value left, null unless
        they are written as a whole, and the `versions` of those with a value that is written.
        """
        packed = self._packed_of({*outcomes, *(who for who, _ in unsent)})
        changes: dict[str, list[Slot]] = defaultdict(list)
        for who, found in packed.items():
            for slot, digest, state in outcomes.get(who, ()):
                self._marks.pop((who, slot), None)
                is_ours = unpacked(found, slot)[0] == digest
                changes[who].append((slot, digest, state if is_ours else IN_FLIGHT))
        for who, slot in unsent:
            mark = self._marks.pop((who, slot), None)
            if mark and unpacked(packed.get(who, b""), slot) == (mark.digest, IN_FLIGHT):
                changes[who].append((slot, *mark.before))
        own = {who: digest for who, digest in digests.items() if who not in self._shared}
        self._write(packed, changes, own, versions)
        for who in digests:
            self._known.pop(who, None)
            self._shared.discard(who)

    def _packed_of(self, customer_ids: Collection[str]) -> dict[str, bytes]:
        """Return the packed digests of customers, and note whom another load has written."""
        found = values.packed_of(self.database, self.account, list(customer_ids))
        packed = {who: each or b"" for who, each in found.items()}
        self._shared |= {who for who in packed if self._known.get(who, packed[who]) != packed[who]}
        return packed

    def _write(
        self,
        packed: Mapping[str, bytes],
        changes: Mapping[str, Sequence[Slot]],
        digests: Mapping[str, bytes | None],
        versions: Mapping[str, int | None],
    ) -> None:
        again = {who: repacked(found, changes.get(who, ())) for who, found in packed.items()}
        self._known |= again
        columns = ([found.get(who) for who in packed] for found in (digests, versions))
        table = pa.table([list(again), list(again.values()), *columns], schema=values.PACKED)
        values.repack(self.database, self.account, table, keep_digest=self._keeps_digest(changes))

    def _keeps_digest(self, changes: Mapping[str, Sequence[Slot]]) -> bool:
        if not self.values_only:
            return False
        covered = in_digest(self.database, self.account)
        return all(slot not in covered for slots in changes.values() for slot, *_ in slots)


def newest(
    db: Database, account: str, rows: pa.Table, left: RowsLeft
) -> tuple[pa.Table, Counter[int]]:
    """Return values (TO_SEND) without those of rows that are older than the ledger's by now, and
    how many these are by chunk: another load has read a newer row since they were compared.
    """
    names = ("customer_id", "chunk", "row")
    who_of, *places = (rows.column(name).to_pylist() for name in names)
    at = list(zip(*places, strict=True))
    newer = values.newer_than(db, account, who_of, [left[each].version for each in at])
    older: Counter[int] = Counter()
    if not newer:
        return rows, older
    for who, (chunk, row) in zip(who_of, at, strict=True):
        if who in newer:
            left.settle_one(chunk, row, is_written=False)
            older[chunk] += 1
    return rows.filter(pa.array([who not in newer for who in who_of], pa.bool_())), older
