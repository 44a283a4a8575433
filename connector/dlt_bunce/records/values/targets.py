"""What columns beside a customer's own fields feed: attributes and segments of Bunce."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from xxhash import xxh3_64_intdigest

Kind = Literal["attributes", "segments"]
KINDS: tuple[Kind, ...] = ("attributes", "segments")
SECTION = "destination.bunce"
"""The section of the settings that name the attributes and segments of customers."""
TargetState = Literal[
    "exists",
    "to_create",
    "no_values",
    "not_compared",
    "missing",
    "ambiguous",
    "alike",
    "automatic",
    "misfit",
]


@dataclass(frozen=True)
class FoundTarget:
    """What Bunce has under a target's name, before anything is sent.

    `data_type` follows from the column where Bunce has no such attribute or was not asked; then
    `id` is None, or that of an earlier load. An attribute whose column has no values yet has no
    type either, and is created once there are some. `fault` is why a load stops, with its remedy.
    """

    kind: Kind
    column: str
    name: str
    data_type: str
    state: TargetState
    id: str | None = None
    fault: str | None = None
    remedy: str | None = None


@dataclass(frozen=True)
class FoundTargets:
    """What Bunce has for all columns of a table that feed an attribute or a segment.

    `available` has the names that Bunce lists, by kind. `not_compared` is why Bunce was not asked
    or did not answer, if so. `requests` counts those that a load sends to find its targets;
    `section` is that of the settings which name them.
    """

    items: tuple[FoundTarget, ...]
    available: Mapping[Kind, Sequence[str]]
    timezone: str | None = None
    not_compared: str | None = None
    requests: int = 0
    section: str = SECTION


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
    """All targets of a table. `timezone` is that of timestamps without one, if they have any.

    `hinted` are the kinds that the table's own mapping hint gives, not the configuration.
    """

    items: tuple[Target, ...]
    timezone: str | None = None
    hinted: Collection[Kind] = ()

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
