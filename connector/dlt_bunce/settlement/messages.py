"""The words between machine and wire: what is asked of Bunce, and what its answers mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from dlt_bunce.model import Verb

Kind = Literal["bad", "taken", "unknown"]
"""Why a row is refused: its content; somebody has its email or id; an update of nobody."""


class Match(NamedTuple):
    """How what Bunce shows of a customer compares with the row."""

    email: bool
    rest: bool


@dataclass(frozen=True)
class Send:
    """One bulk request with these rows."""

    verb: Verb
    rows: tuple[int, ...]


@dataclass(frozen=True)
class Find:
    """A look-up of these rows."""

    rows: tuple[int, ...]


@dataclass(frozen=True)
class Accepted:
    """A success that shows these of the rows; what it does not show is unknown."""

    matches: Mapping[int, Match]


@dataclass(frozen=True)
class Rejected:
    """A refusal. `counted`: its own count of failures equals the rows that it names."""

    kinds: Mapping[int, Kind] = field(default_factory=dict)
    counted: bool = False


@dataclass(frozen=True)
class TooLarge:
    """The batch is refused for its size; no row of it was looked at."""


@dataclass(frozen=True)
class Indeterminate:
    """The request may have been carried out for any of its rows, or for none."""


@dataclass(frozen=True)
class Found:
    """Those of the rows that exist; None where nobody can tell."""

    matches: Mapping[int, Match] | None


Step = Send | Find
Answer = Accepted | Rejected | TooLarge | Indeterminate | Found
