"""Whatever the emulator's switches are, a probe finds them, or says that it cannot tell."""

from __future__ import annotations

import random
from dataclasses import fields
from itertools import combinations

import pytest

from dlt_bunce.emulator import Behavior, Emulator
from dlt_bunce.probe.plan import max_customers, max_requests
from dlt_bunce.probe.questions import QUESTIONS, UNKNOWN

from .conftest import Ask
from .switches import DOCUMENTED, NOT_TOLD, SINGLE, Answers, Switches


def asked(ask: Ask, switches: Switches, emulator: Emulator) -> Answers:
    """Return the answers of one probe, after a look at what it sent and what stayed."""
    report = ask(switches)
    assert len(emulator.requests) == report.requests <= max_requests(100)
    assert len(emulator.customers) <= report.customers <= max_customers(100)
    assert report.answers.keys() == QUESTIONS.keys()
    answers = report.answers
    assert answers.pop("row_time").endswith(" ms")
    return answers


def test_what_is_documented_is_found(ask: Ask, emulator: Emulator) -> None:
    assert asked(ask, {}, emulator) == DOCUMENTED


def test_each_switch_is_found_and_changes_no_other_answer(ask: Ask, emulator: Emulator) -> None:
    wrong = {
        str(switches): differs
        for switches, expected in SINGLE
        if (differs := _differing(asked(ask, switches, emulator), DOCUMENTED | expected))
    }

    assert wrong == {}


def test_every_switch_is_either_found_or_listed_as_not_told() -> None:
    found = {name for switches, _ in SINGLE for name in switches}

    assert found | NOT_TOLD == {field.name for field in fields(Behavior)}
    assert set() == found & NOT_TOLD


PAIRS = [
    (first, second)
    for first, second in combinations(SINGLE, 2)
    if not first[0].keys() & second[0].keys()
]
SAMPLE = random.Random(7).sample(PAIRS, 120)
PARTS = 4


@pytest.mark.parametrize("part", range(PARTS))
def test_of_two_switches_neither_is_taken_for_another(
    part: int, ask: Ask, emulator: Emulator
) -> None:
    wrong, told, wanted = {}, 0, 0
    for first, second in SAMPLE[part::PARTS]:
        switches = first[0] | second[0]
        answers = asked(ask, switches, emulator)
        possible = {name: {DOCUMENTED[name], UNKNOWN} for name in DOCUMENTED}
        for _, expected in (first, second):
            for name, answer in expected.items():
                # what one of them says outranks what is documented
                possible[name].discard(DOCUMENTED[name])
                possible[name].add(answer)
                wanted += answer != UNKNOWN
                told += answers[name] == answer != UNKNOWN
        differs = {n: a for n, a in answers.items() if a not in possible[n]}
        if differs:
            wrong[str(switches)] = differs

    assert wrong == {}
    assert told >= 0.8 * wanted


def _differing(answers: Answers, expected: Answers) -> dict[str, tuple[str, str]]:
    return {
        name: (answer, expected[name])
        for name, answer in answers.items()
        if answer != expected[name]
    }
