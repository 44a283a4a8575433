"""A bad row or a bad day: what the resolver makes of failures, over several batches of a load."""

from __future__ import annotations

import itertools
import math
import os
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from dlt_bunce.model import Verb
from dlt_bunce.settlement.capabilities import ApiCapabilities
from dlt_bunce.settlement.resolver import BatchResolver

from .api_variants import ApiVariant
from .explorer import HONEST, SECONDS, History, deviations, drive, note, readings
from .model_server import Content, Customer, Server

GOOD = Customer("good")
POISON = Customer("poison")
SAMPLE = 50
"""Variants that each bad day is combined with, unless there is time for more."""


@dataclass
class Outcome:
    """Batches of one load, settled one after the other until one of them stops the load."""

    histories: list[History]
    stop: str | None

    @property
    def requests(self) -> int:
        """All of them, look-ups included."""
        return sum(history.requests for history in self.histories)

    def deviations(self) -> Iterator[str]:
        """What was said of rows that is not so."""
        for history in self.histories:
            for i, what in deviations(history, overwrite=True):
                # whoever is taken and not shown is held, and looked up at the end of a load
                if what != "unsettled" or history.server.customers[i].kind != "taken":
                    yield what

    def fates(self, kind: str = "good") -> set[str]:
        """What became of the customers of a kind; `deferred` if they have no result."""
        found = set()
        for history in self.histories:
            for i, customer in enumerate(history.server.customers):
                if customer.kind == kind:
                    result = history.results.get(i)
                    found.add("deferred" if result is None else result.code or result.fate)
        return found


def load(
    variant: ApiVariant,
    batches: Sequence[Sequence[Customer]],
    *,
    verb: Verb = "create",
    overwrite: bool = True,
) -> Outcome:
    """Settle batches as one load does, against one server each, whose accounts are one."""
    capabilities = ApiCapabilities()
    histories: list[History] = []
    room = variant.room
    for customers in batches:
        left = None if room is None else max(0, room)
        history = History(Server(replace(variant, room=left), customers))
        before = len(history.server.state)
        histories.append(history)
        rows = range(len(customers))
        resolver = BatchResolver(len(customers), verb, capabilities, overwrite=overwrite)
        drive(resolver, history, rows)
        note(resolver, history, rows, resolver.held)
        if room is not None:
            room -= len(history.server.state) - before
        if resolver.stop is not None:
            histories += [History(Server(variant, others)) for others in batches[len(histories) :]]
            return Outcome(histories, resolver.stop.why)
    return Outcome(histories, None)


def crowd(rows: int, *others: tuple[int, Customer]) -> list[Customer]:
    """Good new customers, with others at some places."""
    customers = [GOOD] * rows
    for at, customer in others:
        customers[at] = customer
    return customers


POISONS = ("blocked", "lost", "midway")
ERRORS = ("all", "first", "anonymous", "mute")


@pytest.mark.parametrize("poison", POISONS)
@pytest.mark.parametrize("look_up", [True, False])
@pytest.mark.parametrize(("batch", "at"), [(0, 0), (0, 57), (3, 99), (4, 50)])
def test_one_poisonous_row_is_found_and_costs_nobody_else_anything(
    poison: str, *, look_up: bool, batch: int, at: int
) -> None:
    batches = [crowd(100) for _ in range(5)]
    batches[batch][at] = POISON

    outcome = load(ApiVariant(poison=poison, look_up=look_up), batches)  # type: ignore[arg-type]

    assert outcome.stop is None
    assert outcome.fates("poison") == {"undeliverable"}
    assert outcome.fates() <= {"created", "updated"}
    assert [d for h in outcome.histories for d in deviations(h, overwrite=True)] == []
    assert outcome.requests <= 5 + 12 * math.ceil(math.log2(100)) + 10


@pytest.mark.parametrize("poison", POISONS)
@pytest.mark.parametrize("failure", ["partial", "atomic"])
@pytest.mark.parametrize("errors", ERRORS)
def test_poisonous_rows_among_bad_ones_are_told_apart(
    poison: str, failure: str, errors: str
) -> None:
    chance = random.Random(f"{poison}/{failure}/{errors}")
    variant = ApiVariant(failure, errors, poison=poison)  # type: ignore[arg-type]
    batches = [
        chance.choices([GOOD, Customer("bad"), POISON], weights=[60, 2, 1], k=60) for _ in range(6)
    ]

    outcome = load(variant, batches)

    assert outcome.stop is None
    assert outcome.fates() <= {"created", "updated", "adopted"}
    assert outcome.fates("poison") == {"undeliverable"}
    assert outcome.fates("bad") == {"refused"}


@pytest.mark.parametrize("rows", [3, 4, 100, 1_000])
@pytest.mark.parametrize("outage", ["blocked", "lost"])
@pytest.mark.parametrize("verb", ["create", "update"])
@pytest.mark.parametrize("look_up", [True, False])
def test_an_outage_defers_everything_after_few_requests_and_blames_nobody(
    rows: int, outage: str, verb: Verb, *, look_up: bool
) -> None:
    variant = ApiVariant(outage=outage, look_up=look_up)  # type: ignore[arg-type]

    customers = crowd(rows) if verb == "create" else [Customer("good", "old")] * rows

    outcome = load(variant, [customers] * 3, verb=verb)

    assert outcome.fates() == {"deferred"}
    assert outcome.stop in {"outage", "blocked"}
    sends = sum(history.server.sends for history in outcome.histories)
    assert sends <= 8


@pytest.mark.parametrize("rows", [1, 2])
@pytest.mark.parametrize("poison", POISONS)
def test_a_load_of_nothing_but_poisonous_rows_does_not_block_later_runs(
    rows: int, poison: str
) -> None:
    outcome = load(ApiVariant(poison=poison), [[POISON] * rows])  # type: ignore[arg-type]

    assert outcome.fates("poison") == {"undeliverable"}


@pytest.mark.parametrize("outage", ["blocked", "lost"])
@pytest.mark.parametrize("rows", [1, 2])
def test_an_outage_is_not_blamed_on_a_load_of_few_rows(rows: int, outage: str) -> None:
    outcome = load(ApiVariant(outage=outage), [crowd(rows)] * 3)  # type: ignore[arg-type]

    assert outcome.stop in {"outage", "blocked"}
    assert outcome.fates() == {"deferred"}


@pytest.mark.parametrize("errors", ERRORS)
@pytest.mark.parametrize("failure", ["partial", "atomic"])
@pytest.mark.parametrize("look_up", [True, False])
@pytest.mark.parametrize("room", [0, 100, 140])
def test_a_full_account_stops_the_load_early_and_rejects_nobody(
    errors: str, failure: str, *, look_up: bool, room: int
) -> None:
    variant = ApiVariant(failure, errors, look_up=look_up, room=room)  # type: ignore[arg-type]

    outcome = load(variant, [crowd(100) for _ in range(6)])

    assert outcome.stop == "account"
    assert outcome.fates() <= {"created", "deferred"}
    assert outcome.requests <= 40


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_a_full_account_rejects_nobody_of_a_load_of_few_rows(rows: int) -> None:
    outcome = load(ApiVariant(room=0), [crowd(rows)])

    assert (outcome.stop, outcome.fates()) == ("account", {"deferred"})


@pytest.mark.parametrize("good", [0, 1])
def test_a_field_that_is_bad_in_every_row_stops_the_load_after_a_thousand(good: int) -> None:
    batches = [crowd(good), *([[Customer("bad")] * 100] * 12)]

    outcome = load(ApiVariant("atomic", "anonymous"), batches[not good :])

    # they stay rejected, and the next run begins behind them
    rejected = sum(len(history.results) for history in outcome.histories) - good
    assert (outcome.stop, rejected) == ((None, 1_200) if good else ("field", 1_000))


@pytest.mark.parametrize("named", ["from_0", "from_1"])
@pytest.mark.parametrize("failure", ["partial", "atomic"])
@pytest.mark.parametrize("look_up", [True, False])
@pytest.mark.parametrize("count", ["none", "true"])
def test_errors_that_name_rows_by_position_cost_what_names_cost(
    named: str, failure: str, *, look_up: bool, count: str
) -> None:
    chance = random.Random(f"{named}/{failure}/{look_up}")
    batches = []
    for _ in range(8):
        customers = crowd(100)
        for at in chance.sample(range(100), 3):
            customers[at] = Customer(chance.choice(["bad", "taken"]))  # type: ignore[arg-type]
        batches.append(customers)
    plain = ApiVariant(failure, count=count, look_up=look_up)  # type: ignore[arg-type]

    outcome = load(replace(plain, named=named), batches)  # type: ignore[arg-type]

    assert outcome.fates() <= {"created", "updated"}
    assert outcome.fates("bad") == {"refused"}
    assert outcome.requests <= load(plain, batches).requests + 8


@pytest.mark.parametrize(
    ("named", "at"), list(itertools.product(["from_0", "from_1"], [0, 1, 50, 98, 99]))
)
def test_the_row_that_a_position_means_is_found_at_every_place(named: str, at: int) -> None:
    customers = crowd(100, (at, Customer("bad")))
    # the rows beside it exist already, or are rejected too
    starts: list[Content | None] = [None, "ours", "old"]
    for beside, start in itertools.product((at - 1, at + 1), starts):
        if 0 <= beside < 100:
            customers[beside] = Customer("good", start)
        outcome = load(ApiVariant(named=named), [customers])  # type: ignore[arg-type]

        assert outcome.fates("bad") == {"refused"}
        assert [d for h in outcome.histories for d in deviations(h, overwrite=True)] == []


DAYS: dict[str, dict[str, Any]] = {
    **{f"poison {poison}": {"poison": poison} for poison in POISONS},
    "full account": {"room": 7},
    "outage lost": {"outage": "lost"},
    "outage blocked": {"outage": "blocked"},
    "counted from 0": {"named": "from_0"},
    "counted from 1": {"named": "from_1"},
}
KINDS = [GOOD, *(Customer("good", start) for start in ("ours", "old", "moved"))]
KINDS += [Customer("bad"), Customer("taken")]


@pytest.mark.parametrize("day", DAYS)
def test_bad_days_and_former_variants_together_blame_nobody(day: str) -> None:
    chance = random.Random(f"{day}{os.environ.get('DLT_BUNCE_TEST_EXPLORE_SEED', '')}")
    variants = list(readings())
    until = time.monotonic() + SECONDS / len(DAYS)
    for number, plain in enumerate(chance.sample(variants, len(variants))):
        if number >= SAMPLE and time.monotonic() > until:
            break
        batches = [chance.choices(KINDS, weights=[12, 2, 2, 1, 1, 1], k=8) for _ in range(4)]
        if "poison" in day:
            batches[chance.randrange(4)][chance.randrange(8)] = POISON
        variant = replace(plain, **DAYS[day])

        outcome = load(variant, batches)

        wrong = {what.partition(", but")[0] for what in outcome.deviations()}
        assert wrong <= allowed(variant, outcome), (wrong, variant, batches)
        if variant.outage != "none":
            fates = outcome.fates() | outcome.fates("bad") | outcome.fates("taken")
            # what a look-up shows has been there before
            assert fates <= {"deferred", "created", "adopted"}, (variant, batches)
            assert outcome.stop in {"outage", "blocked"}


def allowed(variant: ApiVariant, outcome: Outcome) -> set[str]:
    """What may be said of a row although it is not so, or not yet."""
    names = {"unsettled"} if outcome.stop or variant.lag or variant.largest == 2 else set()
    if not variant.look_up:
        hidden = variant.silent != "nobody" or variant.unknown_update == "ignored"
        names |= {name for name in HONEST if hidden or "response" not in name}
    if outcome.stop == "account":
        # before the account showed itself; these are sent again by the next run
        names |= {"blamed as refused", "blamed as unconfirmed"}
    return names
