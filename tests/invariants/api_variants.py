"""Every way in which the questions that Bunce's documentation leaves open may be answered."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from functools import cache
from typing import Any, Literal

from dlt_bunce.emulator import Behavior

from .customers import KINDS, REFUSED


@dataclass(frozen=True)
class ApiVariant:
    """One way in which the open questions may be answered."""

    failure: Literal["partial", "atomic", "prefix"] = "partial"
    errors: Literal["all", "first", "three", "anonymous", "mute"] = "all"
    """`three` names no more than the first three; `anonymous` says why and not who; `mute` says
    nothing.
    """
    count: Literal["none", "true", "more", "less", "listed"] = "none"
    repeated: Literal["refused", "overwritten", "ignored"] = "refused"
    look_up: bool = True
    lag: int = 0
    silent: Literal["nobody", "first", "everybody"] = "nobody"
    """Whom a success does not show."""
    largest: int = 1_000
    unknown_update: Literal["refused", "created", "ignored"] = "refused"
    email_update: Literal["done", "ignored"] = "done"
    poison: Literal["blocked", "lost", "midway"] = "lost"
    """What a request with a `poison` customer gets: turned away, or no answer, with nothing or the
    rows before it delivered.
    """
    named: Literal["ids", "from_0", "from_1"] = "ids"
    """How errors name rows: unmistakably, or by their places, counted from 0 or 1."""
    room: int | None = None
    """New customers that the account has room for; then all are rejected in the same words."""
    outage: Literal["none", "blocked", "lost"] = "none"
    """Whether nothing gets through."""
    by_email: bool = True
    """Whether customers can be looked up by email."""


LIMIT = 10
"""Rows a batch may have where there is a limit: batches of 30 are halved to 7."""

# what an answer means: the full product of these is tried
FAILURES = ("partial", "atomic")
ERRORS = ("all", "first", "twice", "anonymous")
COUNTS: dict[str, dict[str, Any]] = {
    "true count": {},
    "no count": {"failure_count": False},
    "count too high": {"count_offset": 1},
    "count too low": {"count_offset": -1},
}
LOOK_UPS: dict[str, dict[str, Any]] = {
    "look-up": {},
    "nested": {"lookup": "nested"},
    "20 ids": {"lookup_max_ids": 20},
    "100 ids": {"lookup_max_ids": 100},
    "lagging": {"lookup_lag": 1},
    "no look-up": {"lookup": "absent"},
}
REPEATED = ("refused", "overwritten", "ignored")
EMAILS = ("unique", "shared")
# how it is said: every pair of these with each other and with the above is tried
STATUSES = (200, 207, 400, 409, 422)
FLAGS = ("documented", "success", "status", "absent")
LIMITS = (0, 413, 422, 400)
ECHOES: dict[str, dict[str, Any]] = {
    "whole": {},
    "missing rows": {"drop_echo_every": 4},
    "reordered": {"reorder_echo": True},
    "unknown fields": {"unknown_fields": True},
}
DISPOSITIONS = ("append", "merge")
BEHAVIORS = (
    Behavior(),
    Behavior(failure="atomic"),
    Behavior(failure="atomic", errors="anonymous", failure_status=200),
    Behavior(errors="first", lookup_lag=1),
    Behavior(errors="anonymous", repeated_id="overwritten", flag="absent"),
    Behavior(max_batch=2, drop_echo_every=3, failure_status=409),
)
"""Those that random histories are played under."""


@dataclass(frozen=True)
class HttpVariant:
    """One way in which the emulator may answer, by the names above."""

    failure: str
    errors: str
    count: str
    look_up: str
    repeated: str
    emails: str
    status: int
    flag: str
    limit: int
    echo: str
    disposition: str

    @property
    def behavior(self) -> Behavior:
        """The emulator's switches."""
        limit = {"max_batch": LIMIT, "too_large_status": self.limit} if self.limit else {}
        return Behavior(
            rate_limit=0,
            refused_email_domain=REFUSED,
            failure=self.failure,  # type: ignore[arg-type]
            errors=self.errors,  # type: ignore[arg-type]
            repeated_id=self.repeated,  # type: ignore[arg-type]
            emails=self.emails,  # type: ignore[arg-type]
            failure_status=self.status,
            flag=self.flag,  # type: ignore[arg-type]
            **COUNTS[self.count],
            **LOOK_UPS[self.look_up],
            **ECHOES[self.echo],
            **limit,
        )

    @property
    def has_look_up(self) -> bool:
        """Whether customers can be looked up."""
        return self.look_up != "no look-up"

    @property
    def refused(self) -> int:
        """Rows that are refused when they are sent for the first time."""
        known = KINDS["same"] + KINDS["other"] if self.repeated == "refused" else 0
        return KINDS["bad"] + known + (KINDS["borrower"] if self.emails == "unique" else 0)


def http_variants(failure: str, errors: str) -> Iterator[HttpVariant]:
    """Yield every combination of what an answer means, each said in a way of its own."""
    for meaning in itertools.product(COUNTS, LOOK_UPS, REPEATED, EMAILS):
        chance = random.Random("/".join((failure, errors, *meaning)))
        said = [chance.choice(list(ways)) for ways in (STATUSES, FLAGS, LIMITS, ECHOES)]
        yield HttpVariant(failure, errors, *meaning, *said, chance.choice(DISPOSITIONS))  # type: ignore[call-arg, arg-type]


@cache
def http_sample() -> tuple[HttpVariant, ...]:
    """Return variants in which every three things that an answer may mean, and every two ways of
    meaning or saying something, are met together: a tenth of all.
    """
    rest = {
        variant: _met(variant)
        for way in itertools.product(FAILURES, ERRORS)
        for variant in http_variants(*way)
    }
    chosen, met = [], set[frozenset[tuple[int, Any]]]()
    for least in range(max(map(len, rest.values())), 0, -1):
        for variant, own in list(rest.items()):
            if len(own - met) >= least:
                chosen.append(variant)
                met |= rest.pop(variant)
    return tuple(chosen)


def _met(variant: HttpVariant) -> set[frozenset[tuple[int, Any]]]:
    ways = list(enumerate(astuple(variant)))
    triples, pairs = itertools.combinations(ways[:6], 3), itertools.combinations(ways, 2)
    return {frozenset(together) for together in (*triples, *pairs)}
