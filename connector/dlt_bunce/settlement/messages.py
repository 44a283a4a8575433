"""What a resolver asks for, and what the answers to it mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from dlt_bunce.model import Verb

Kind = Literal["bad", "taken", "unknown"]
"""Why a row is rejected: its content; its email or id is in use; an update of no customer."""


class Match(NamedTuple):
    """How a customer that Bunce shows compares with the row.

    `devices` is False when none are shown though the row has some: where the row was just sent,
    that may be a matter of how they are shown. `exact` is False when a value is shown in another
    form than it was sent in, which may be an older value.
    """

    email: bool
    rest: bool
    devices: bool = True
    exact: bool = True


class Reason(NamedTuple):
    """Why a row failed, in Bunce's words, and the HTTP status that they came with."""

    kind: Kind
    text: str = ""
    status: int | None = None


@dataclass(frozen=True)
class Send:
    """One bulk request with these rows."""

    verb: Verb
    rows: tuple[int, ...]


@dataclass(frozen=True)
class Lookup:
    """A look-up of these rows."""

    rows: tuple[int, ...]


@dataclass(frozen=True)
class FindHolders:
    """A look-up of the customers who have the emails of these rows."""

    rows: tuple[int, ...]


@dataclass(frozen=True)
class Pause:
    """A wait before the same rows are tried again, after so many tries."""

    tries: int


@dataclass(frozen=True)
class Ping:
    """A bulk request without customers, to see whether such requests get through at all."""

    verb: Verb


@dataclass(frozen=True)
class Accepted:
    """A success that shows these rows; rows that it does not show are indeterminate.

    `is_empty`: it has a list for what it shows, and nothing is in it.
    """

    matches: Mapping[int, Match]
    is_empty: bool = False


@dataclass(frozen=True)
class Rejected:
    """Some or all rows failed.

    `reasons` holds the rows that the answer names; `counted` is true when the answer's own count
    of failures equals their number. `positions` are places in the request that it names without
    saying whether it counts from 0 or from 1. `words` is what it says where it names no row.
    """

    reasons: Mapping[int, Reason] = field(default_factory=dict)
    counted: bool = False
    positions: Mapping[int, Reason] = field(default_factory=dict)
    words: str = ""
    status: int | None = None


@dataclass(frozen=True)
class TooLarge:
    """The batch is rejected for its size, before any row was looked at."""

    status: int | None = None


@dataclass(frozen=True)
class Misfit:
    """The request is rejected for its form: it lacks `names`, which every row would lack."""

    names: str
    status: int | None = None


@dataclass(frozen=True)
class Blocked:
    """Something turned the request away before any row was looked at, such as a firewall."""

    status: int | None = None


@dataclass(frozen=True)
class Indeterminate:
    """The request may have been carried out for any of its rows, or for none.

    `seen` is what came back instead of an answer, such as `HTTP 502`.
    """

    seen: str = ""
    status: int | None = None


@dataclass(frozen=True)
class LookupResult:
    """Which of the rows exist; None where customers cannot be looked up.

    `is_current`: it also shows a customer who was created later than any of the rows can have been,
    so that it does not lag behind.
    """

    matches: Mapping[int, Match] | None
    is_current: bool = False


@dataclass(frozen=True)
class Holders:
    """Who has the emails of rows: `others`, by id, None for a customer who is shown without one.

    A row is missing where that cannot be looked up. `own` are rows whose own customer has it.
    """

    others: Mapping[int, Mapping[str | None, Match]]
    own: Mapping[int, Match] = field(default_factory=dict)


@dataclass(frozen=True)
class Resumed:
    """Whether to go on after a pause or a ping."""

    go_on: bool


Step = Send | Lookup | FindHolders | Pause | Ping
Answer = (
    Accepted
    | Rejected
    | TooLarge
    | Misfit
    | Blocked
    | Indeterminate
    | LookupResult
    | Holders
    | Resumed
)
