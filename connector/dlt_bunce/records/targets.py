"""What columns beside a customer's own fields feed: attributes and segments of Bunce."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from xxhash import xxh3_64_intdigest

Kind = Literal["attributes", "segments"]
KINDS: tuple[Kind, ...] = ("attributes", "segments")


@dataclass(frozen=True)
class Target:
    """An attribute or a segment, and the column that feeds it.

    `id` and `name` are Bunce's; `data_type` is the attribute's type in Bunce (`text`, `numeric`,
    `timestamp`, or one we do not know), and `boolean` for a segment. `slot` is its place in the
    ledger's row of a customer, the same in every run.
    """

    kind: Kind
    column: str
    name: str
    id: str
    data_type: str
    slot: int


@dataclass(frozen=True)
class Targets:
    """All targets of a table. `timezone` is that of timestamps without one, if they have any."""

    items: tuple[Target, ...]
    timezone: str | None = None

    def of(self, kind: Kind) -> Sequence[Target]:
        """Return the targets of one kind."""
        return [target for target in self.items if target.kind == kind]

    def seed(self, key: bytes) -> int:
        """Return the seed of row digests: another one for other targets, and for other keys."""
        names = "\x1f".join(f"{target.slot}" for target in self.items)
        return xxh3_64_intdigest(names.encode(), value_seed(key))


def value_seed(key: bytes) -> int:
    """Return the seed of value digests for a store's key."""
    return xxh3_64_intdigest(key)
