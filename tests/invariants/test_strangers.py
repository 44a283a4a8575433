"""Rows whose email a customer of another channel has: linked to one, and nobody is harmed."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from dlt_bunce.model import Verb
from dlt_bunce.settlement.capabilities import ApiCapabilities
from dlt_bunce.settlement.resolver import BatchResolver
from dlt_bunce.settlement.row_result import RowResult

from .api_variants import ApiVariant
from .explorer import History, deviations, drive, readings
from .model_server import FAULTS, Content, CrashError, Customer, Fault, Server

RUNS, CALM = 8, 5
"""Loads, and from which one on they have no accidents."""
MAX_ACCIDENTS = 2
"""After three in a row, a row alone is given up."""
CONTENTS: tuple[Content, ...] = ("old", "moved", "ours")
PEOPLE = [
    *(Customer(kind, start) for kind in ("good", "bad") for start in (None, "ours", "old")),  # type: ignore[arg-type]
    *(Customer("taken", strangers=n, stranger=what) for n in (0, 1, 1, 2) for what in CONTENTS),
    *(Customer("taken", start) for start in ("ours", "old")),
    Customer("taken", stays=False),
]


def play(
    reading: ApiVariant,
    customers: list[Customer],
    *,
    overwrite: bool,
    choose: Callable[[], Fault],
) -> tuple[History, dict[int, int]]:
    """Settle customers as loads with links do; return also how often a link of each has failed."""
    history = History(Server(reading, customers))
    linked, lost = history.server.linked, dict.fromkeys(range(len(customers)), 0)
    indeterminate: set[int] = set()
    for run in range(RUNS):
        capabilities = ApiCapabilities()
        for is_linked in (False, True):
            todo = [i for i in range(len(customers)) if i not in history.results]
            todo = [i for i in todo if (i in linked) is is_linked]
            verb: Verb = "update" if is_linked else "create"
            resolver = BatchResolver(
                len(todo),
                verb,
                capabilities,
                overwrite=overwrite,
                indeterminate=[n for n, i in enumerate(todo) if i in indeterminate],
                linked=range(len(todo)) if is_linked else (),
                link=True,
            )
            try:
                drive(resolver, history, todo, (lambda: "none") if run >= CALM else choose)
            except CrashError:
                indeterminate.update(todo)
                continue
            for i, result in zip(todo, resolver.results, strict=True):
                _decide(history, i, result, lost, overwrite=overwrite)
                indeterminate.discard(i)
                if result.indeterminate:
                    indeterminate.add(i)
    return history, lost


def _decide(
    history: History, i: int, result: RowResult, lost: dict[int, int], *, overwrite: bool
) -> None:
    """What a load does with a result."""
    linked = history.server.linked
    if result.holder_id is not None:
        assert i not in linked
        assert history.server.customers[i].strangers == 1
        linked.add(i)
        if not history.server.customers[i].stays:
            del history.server.strangers[i]
        if not overwrite or result.content_matches:
            history.results[i] = RowResult(
                "adopted", "lookup", content_matches=result.content_matches
            )
    elif result.link_lost:
        linked.remove(i)
        lost[i] += 1
    elif result.fate != "deferred":
        history.results[i] = result


def wrong(
    history: History, lost: dict[int, int], *, overwrite: bool, is_told: bool
) -> list[tuple[int, str]]:
    """Strangers who were changed without a link, rows said to be where they are not.

    `is_told`: Bunce names every row that is taken, and shows who has its email.
    """
    server = history.server
    found = [
        (i, what)
        for i, what in deviations(history, overwrite=overwrite)
        if i not in server.linked and server.customers[i].kind != "taken"
    ]
    for i, customer in enumerate(server.customers):
        if customer.kind == "taken":
            found += [
                (i, what)
                for what, is_wrong in _faults(
                    history, i, lost=lost[i], overwrite=overwrite, is_told=is_told
                ).items()
                if is_wrong
            ]
    return found


def _faults(
    history: History, i: int, *, lost: int, overwrite: bool, is_told: bool
) -> dict[str, bool]:
    server, result = history.server, history.results.get(i)
    customer, stranger = server.customers[i], server.strangers.get(i)
    kept = customer.stranger if customer.strangers else None
    is_linked, delivered = i in server.linked, result is not None and result.code is None
    known = delivered and result is not None and result.content_matches
    only_one = customer.strangers == 1 and customer.stays and customer.start is None
    return {
        "unsettled": result is None,
        "changed without a link": not is_linked and not lost and stranger != kept,
        "changed under append": not overwrite and customer.stays and stranger != kept,
        "there twice": is_linked and server.state.get(i) != customer.start,
        "not delivered to whom it is linked to": is_linked and known and stranger != "ours",
        "not delivered": not is_linked and known and server.state.get(i) != "ours",
        "not linked": is_told and only_one and not is_linked,
    }


def accidents(chance: random.Random) -> Callable[[], Fault]:
    """A few accidents, now and then."""
    left = [chance.choice(FAULTS) for _ in range(MAX_ACCIDENTS)]
    return lambda: left.pop() if left and chance.random() < 0.3 else "none"


@pytest.mark.parametrize("by_email", [True, False])
def test_strangers_are_linked_or_left_alone_under_every_reading_and_accident(
    by_email: bool,
) -> None:
    chance = random.Random(f"strangers/{by_email}")
    linked = 0
    for reading in readings():
        # without a look-up nobody is linked, and the other test tells what is guessed then
        if not reading.look_up or reading.largest == 2 or chance.random() > 0.5:
            continue
        customers = chance.choices(PEOPLE, k=chance.randint(1, 5))
        overwrite = chance.random() > 0.3
        variant = replace(reading, by_email=by_email)

        history, lost = play(variant, customers, overwrite=overwrite, choose=accidents(chance))

        is_told = by_email and reading.errors == "all" and not reading.lag
        found = wrong(history, lost, overwrite=overwrite, is_told=is_told)
        assert found == [], (variant, customers)
        linked += len(history.server.linked)
    assert (linked > 500) is by_email
