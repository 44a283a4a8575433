"""Plays settlements against the model and compares what was said of each row with what is."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import get_args, get_type_hints

from dlt_bunce.model import Verb
from dlt_bunce.settlement.capabilities import Traits
from dlt_bunce.settlement.resolver import Machine
from dlt_bunce.settlement.steps import Answer, Blamed, Echoed, Found, Send, Step
from dlt_bunce.settlement.verdict import Verdict

from .server import FAULTS, CrashError, Customer, Fault, Reading, Server

IDS = 99
"""Customers that one look-up asks for."""
MOST_TRIES = 5
"""Requests in a row without an answer, after which a run gives up."""

Choose = Callable[[], Fault]


@dataclass
class History:
    """What happened to a batch over several runs."""

    server: Server
    verdicts: dict[int, Verdict] = field(default_factory=dict)
    requests: int = 0
    """What went over the wire: a look-up of many rows takes several."""


def play(
    reading: Reading,
    customers: Sequence[Customer],
    *,
    verb: Verb,
    overwrite: bool,
    choose: Choose = lambda: "none",
    runs: int = 4,
    traits: Traits | None = None,
) -> History:
    """Settles the customers as one batch, run after run, until every one has its verdict.

    `choose` decides about an accident at every request; the last run has none.
    """
    server = Server(reading, customers)
    history = History(server)
    doubted: set[int] = set()
    for run in range(runs):
        todo = [i for i in range(len(customers)) if i not in history.verdicts]
        if not todo:
            break
        calm = run == runs - 1
        doubted = _run(history, todo, doubted, verb, overwrite, choose, traits, calm=calm)
    return history


def _run(
    history: History,
    todo: list[int],
    doubted: set[int],
    verb: Verb,
    overwrite: bool,
    choose: Choose,
    traits: Traits | None,
    *,
    calm: bool,
) -> set[int]:
    """One run over the rows `todo`; returns those that are in doubt afterwards."""
    traits = traits or Traits()
    machine = Machine(
        len(todo),
        verb,
        traits,
        overwrite=overwrite,
        in_doubt=[n for n, i in enumerate(todo) if i in doubted],
        probe=verb == "create" and traits.take_probe(),
    )
    try:
        drive(machine, history, todo, (lambda: "none") if calm else choose)
    except CrashError:
        # the intent was written for all rows; nothing was settled
        return set(todo)
    return note(machine, history, todo)


def drive(
    machine: Machine, history: History, todo: Sequence[int], choose: Choose = lambda: "none"
) -> None:
    """Answers what the machine asks of the rows `todo`."""
    steps = machine.run()
    lost = 0
    step = next(steps, None)
    while step is not None and lost < MOST_TRIES:
        history.requests += _requests(step, history.server.reading)
        fault = choose() if isinstance(step, Send) else "none"
        answer = history.server.answer(_moved(step, todo), fault)
        lost = lost + 1 if fault in {"before", "after", "midway"} else 0
        try:
            step = steps.send(_moved_back(answer, todo))
        except StopIteration:
            step = None


def note(
    machine: Machine, history: History, todo: Sequence[int], but: Collection[int] = ()
) -> set[int]:
    """Takes down the verdicts of the rows `todo`, `but` for some; returns who stays in doubt."""
    left = set()
    for i, verdict in zip(todo, machine.verdicts, strict=True):
        if i in but:
            continue
        if verdict.fate != "deferred":
            history.verdicts[i] = verdict
        elif verdict.in_doubt:
            left.add(i)
    return left


def _requests(step: Step, reading: Reading) -> int:
    if isinstance(step, Send):
        return 1
    return math.ceil(len(step.rows) / IDS) if reading.look_up else 0


def _moved(step: Step, todo: Sequence[int]) -> Step:
    """The step in the numbers of the customers."""
    return replace(step, rows=tuple(todo[n] for n in step.rows))


def _moved_back(answer: Answer, todo: Sequence[int]) -> Answer:
    place = {i: n for n, i in enumerate(todo)}
    match answer:
        case Echoed(matches) | Found(dict(matches)):
            return replace(answer, matches={place[i]: match for i, match in matches.items()})
        case Blamed(kinds):
            return replace(answer, kinds={place[i]: kind for i, kind in kinds.items()})
    return answer


def deviations(history: History, *, overwrite: bool) -> Iterator[tuple[int, str]]:
    """Rows of which something untrue was said, or that are not where they belong."""
    for i, customer in enumerate(history.server.customers):
        verdict, state = history.verdicts.get(i), history.server.state.get(i)
        if verdict is None:
            yield i, "unsettled"
        elif verdict.fate == "rejected":
            if customer.kind == "good" and not (state and not overwrite):
                yield i, f"blamed as {verdict.code}"
            elif state == "ours" and customer.kind == "good":
                yield i, f"delivered, and blamed as {verdict.code}"
        elif verdict.code == "email_not_updated":
            if state != "moved":
                yield i, "email said to be refused"
        elif verdict.ours and state != "ours":
            yield i, f"lost: {verdict.fate} by {verdict.confirmation}, but is {state}"
        elif not verdict.ours and (state is None or overwrite):
            yield i, f"said to exist with other content, but is {state}"


def readings() -> Iterator[Reading]:
    """The product of everything that is open."""
    names = {f.name: get_args(get_type_hints(Reading)[f.name]) for f in fields(Reading)}
    options = names | {"look_up": (True, False), "lag": (0, 1), "largest": (1_000, 2)}
    for values in itertools.product(*options.values()):
        reading = Reading(**dict(zip(options, values, strict=True)))
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
