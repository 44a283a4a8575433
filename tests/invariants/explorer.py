"""Plays settlements against the model and compares what was said of each row with what is."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import get_args, get_type_hints

from dlt_bunce.model import Verb
from dlt_bunce.settlement.capabilities import ApiCapabilities
from dlt_bunce.settlement.messages import (
    Accepted,
    Answer,
    FindHolders,
    Holders,
    Lookup,
    LookupResult,
    Rejected,
    Send,
    Step,
)
from dlt_bunce.settlement.resolver import BatchResolver
from dlt_bunce.settlement.row_result import RowResult

from .api_variants import ApiVariant
from .model_server import FAULTS, CrashError, Customer, Fault, Server

IDS = 99
"""Customers that one look-up asks for."""

SECONDS = float(os.environ.get("DLT_BUNCE_TEST_EXPLORE_SECONDS", "0"))
"""How long to explore beyond what every run of the tests does."""

# Without a look-up nobody can know these; each is what we say, and what may be true instead.
HONEST = {
    # refused as taken after a request whose answer was lost: by ourselves, most likely
    "lost: created by conflict",
    # Bunce says success and does not show the customer: an id that it ignores looks the same
    "lost: created by response",
    "lost: updated by response",
    # a good row, refused for an email or id that it has itself, or with no reason at all
    "blamed as already_taken",
    "blamed as unconfirmed",
    "delivered, and blamed as already_taken",
    "delivered, and blamed as unconfirmed",
    "delivered, and blamed as refused",
}

Choose = Callable[[], Fault]


@dataclass
class History:
    """What happened to a batch over several runs."""

    server: Server
    results: dict[int, RowResult] = field(default_factory=dict)
    requests: int = 0
    """What went over the wire: a look-up of many rows takes several."""


def play(
    reading: ApiVariant,
    customers: Sequence[Customer],
    *,
    verb: Verb,
    overwrite: bool,
    choose: Choose = lambda: "none",
    runs: int = 4,
    capabilities: ApiCapabilities | None = None,
) -> History:
    """Settles the customers as one batch, run after run, until every one has its result.

    `choose` decides about an accident at every request; the last run has none.
    """
    server = Server(reading, customers)
    history = History(server)
    indeterminate: set[int] = set()
    for run in range(runs):
        todo = [i for i in range(len(customers)) if i not in history.results]
        if not todo:
            break
        calm = run == runs - 1
        indeterminate = _run(
            history, todo, indeterminate, verb, overwrite, choose, capabilities, calm=calm
        )
    return history


def _run(
    history: History,
    todo: list[int],
    indeterminate: set[int],
    verb: Verb,
    overwrite: bool,
    choose: Choose,
    capabilities: ApiCapabilities | None,
    *,
    calm: bool,
) -> set[int]:
    """One run over the rows `todo`; returns those that are in doubt afterwards."""
    capabilities = capabilities or ApiCapabilities()
    machine = BatchResolver(
        len(todo),
        verb,
        capabilities,
        overwrite=overwrite,
        indeterminate=[n for n, i in enumerate(todo) if i in indeterminate],
        probe=verb == "create" and capabilities.take_probe(),
    )
    try:
        drive(machine, history, todo, (lambda: "none") if calm else choose)
    except CrashError:
        # the intent was written for all rows; nothing was settled
        return set(todo)
    return note(machine, history, todo)


def drive(
    machine: BatchResolver, history: History, todo: Sequence[int], choose: Choose = lambda: "none"
) -> None:
    """Answers what the machine asks of the rows `todo`."""
    steps = machine.run()
    step = next(steps, None)
    while step is not None:
        history.requests += _requests(step, history.server.reading)
        fault = choose() if isinstance(step, Send) else "none"
        answer = history.server.answer(_moved(step, todo), fault)
        try:
            step = steps.send(_moved_back(answer, todo))
        except StopIteration:
            step = None


def note(
    machine: BatchResolver, history: History, todo: Sequence[int], but: Collection[int] = ()
) -> set[int]:
    """Takes down the results of the rows `todo`, `but` for some; returns who stays in doubt."""
    left = set()
    for i, result in zip(todo, machine.results, strict=True):
        if i in but:
            continue
        if result.fate != "deferred":
            history.results[i] = result
        elif result.indeterminate:
            left.add(i)
    return left


def _requests(step: Step, reading: ApiVariant) -> int:
    if not isinstance(step, Lookup):
        return int(isinstance(step, Send))
    return math.ceil(len(step.rows) / IDS) if reading.look_up else 0


def _moved(step: Step, todo: Sequence[int]) -> Step:
    """The step in the numbers of the customers."""
    if not isinstance(step, Send | Lookup | FindHolders):
        return step
    return replace(step, rows=tuple(todo[n] for n in step.rows))


def _moved_back(answer: Answer, todo: Sequence[int]) -> Answer:
    place = {i: n for n, i in enumerate(todo)}
    match answer:
        case Holders(others, own):
            return Holders(
                {place[i]: holders for i, holders in others.items()},
                {place[i]: match for i, match in own.items()},
            )
        case Accepted(matches) | LookupResult(dict(matches)):
            return replace(answer, matches={place[i]: match for i, match in matches.items()})
        case Rejected(reasons):
            return replace(answer, reasons={place[i]: why for i, why in reasons.items()})
    return answer


def deviations(history: History, *, overwrite: bool) -> Iterator[tuple[int, str]]:
    """Rows of which something untrue was said, or that are not where they belong."""
    for i, customer in enumerate(history.server.customers):
        result, state = history.results.get(i), history.server.state.get(i)
        if result is None:
            yield i, "unsettled"
        elif customer.kind == "poison":
            yield from _of_poison(i, result)
        elif result.fate == "rejected":
            if customer.kind == "good":
                yield from _of_blamed(i, result, state, overwrite=overwrite)
        elif result.code == "email_not_updated":
            if state != "moved":
                yield i, "email said to be refused"
        elif result.content_matches and state != "ours":
            yield i, f"lost: {result.fate} by {result.confirmation}, but is {state}"
        elif not result.content_matches and (state is None or overwrite):
            yield i, f"said to exist with other content, but is {state}"


def _of_blamed(
    i: int, result: RowResult, state: str | None, *, overwrite: bool
) -> Iterator[tuple[int, str]]:
    if not state or overwrite:
        yield i, f"blamed as {result.code}"
    elif state == "ours":
        yield i, f"delivered, and blamed as {result.code}"


def _of_poison(i: int, result: RowResult) -> Iterator[tuple[int, str]]:
    if (result.fate, result.code) != ("rejected", "undeliverable"):
        yield i, f"poison said to be {result.fate} {result.code}"


def readings() -> Iterator[ApiVariant]:
    """The product of everything that is open about single rows."""
    names = {
        f.name: get_args(get_type_hints(ApiVariant)[f.name])
        for f in fields(ApiVariant)
        if f.name not in {"poison", "named", "room", "outage", "by_email"}
    }
    options = names | {"look_up": (True, False), "lag": (0, 1), "largest": (1_000, 2)}
    for values in itertools.product(*options.values()):
        reading = ApiVariant(**dict(zip(options, values, strict=True)))
        if reading.look_up or not reading.lag:
            yield reading


def every_history(run: Callable[[Choose], History], most: int = 2) -> Iterator[History]:
    """All histories with at most `most` accidents, whenever they happen."""
    stack: list[list[Fault]] = [[]]
    while stack:
        script = stack.pop()
        taken: list[Fault] = []
        yield run(_following(script, taken))
        if sum(fault != "none" for fault in script) < most:
            for at in range(len(script), len(taken)):
                stack += [[*taken[:at], fault] for fault in FAULTS if fault != "none"]


def _following(script: Sequence[Fault], taken: list[Fault]) -> Choose:
    """Chooses as the script says, and well after its end; writes down what it chose."""

    def choose() -> Fault:
        fault: Fault = script[len(taken)] if len(taken) < len(script) else "none"
        taken.append(fault)
        return fault

    return choose
