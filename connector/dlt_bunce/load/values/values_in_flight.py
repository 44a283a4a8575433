"""Values in flight: marked as such in the ledger before they leave, until an outcome is recorded.

A process may end in between, and the next load need not have the same rows. So until then the
ledger must not say that Bunce has the value that it had before.
"""

from __future__ import annotations

from collections import defaultdict
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


@dataclass
class ValuesInFlight:
    """The slots of values that may be in flight. Both methods are for the caller's transaction."""

    database: Database
    account: str
    values_only: bool
    """Whether the digest of all values of a row is another table's: it stays if it does not cover
    what is sent.
    """
    _before: dict[tuple[str, int], tuple[bytes, bytes]] = field(default_factory=dict)

    def mark(self, rows: pa.Table) -> None:
        """Mark values (TO_SEND) as in flight: the next value is sent, this one or another."""
        changes: dict[str, list[Slot]] = defaultdict(list)
        names = ("customer_id", "slot", "digest")
        for who, slot, digest in zip(*(rows.column(n).to_pylist() for n in names), strict=True):
            changes[who].append((slot, digest, IN_FLIGHT))
        packed = values.packed_of(self.database, self.account, list(changes))
        for who, found in packed.items():
            for slot, *_ in changes[who]:
                before = unpacked(found or b"", slot)
                self._before[who, slot] = before if before[1] else NOTHING
        self._write(packed, changes, {}, {})

    def record(
        self,
        outcomes: Mapping[str, Sequence[Slot]],
        unsent: Collection[tuple[str, int]],
        digests: Mapping[str, bytes | None],
        versions: Mapping[str, int | None],
    ) -> None:
        """Write the outcomes of values by customer, what the slots of `unsent` ones (customer and
        slot) held before they were marked, the `digests` of rows that are written as a whole, and
        the `versions` of those with a value that is written.
        """
        changes: dict[str, list[Slot]] = defaultdict(list)
        for who, slots in outcomes.items():
            changes[who].extend(slots)
            for slot, *_ in slots:
                self._before.pop((who, slot), None)
        for who, slot in unsent:
            changes[who].append((slot, *self._before.pop((who, slot), NOTHING)))
        packed = values.packed_of(self.database, self.account, list(changes))
        self._write(packed, changes, digests, versions)

    def _write(
        self,
        packed: Mapping[str, bytes],
        changes: Mapping[str, Sequence[Slot]],
        digests: Mapping[str, bytes | None],
        versions: Mapping[str, int | None],
    ) -> None:
        again = [repacked(found, changes[who]) for who, found in packed.items()]
        columns = ([found.get(who) for who in packed] for found in (digests, versions))
        table = pa.table([list(packed), again, *columns], schema=values.PACKED)
        values.repack(self.database, self.account, table, keep_digest=self._keeps_digest(changes))

    def _keeps_digest(self, changes: Mapping[str, Sequence[Slot]]) -> bool:
        if not self.values_only:
            return False
        covered = in_digest(self.database, self.account)
        return all(slot not in covered for slots in changes.values() for slot, *_ in slots)
