"""Whatever the emulator's switches are, a probe finds them, or says that it cannot tell."""

from __future__ import annotations

import random
from dataclasses import fields
from itertools import combinations

import pytest
from docs.generate.probe import HIDDEN, NOT_ASKED

from dlt_bunce.emulator import Behavior, Emulator
from dlt_bunce.probe.plan import max_customers, max_requests
from dlt_bunce.probe.questions import QUESTIONS, UNKNOWN

from .conftest import Ask
from .switches import (
    DOCUMENTED,
    HIDES,
    NOT_TOLD,
    OF_VALUES,
    SINGLE,
    VALUES,
    Answers,
    Switches,
)


def asked(ask: Ask, switches: Switches, emulator: Emulator) -> Answers:
    """Return the answers of one probe, after a look at what it sent and what stayed."""
    report = ask(switches)
    assert len(emulator.requests) == report.requests <= max_requests(100)
    assert len(emulator.customers) <= report.customers <= max_customers(100)
    assert report.answers.keys() == QUESTIONS.keys() - VALUES.keys()
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
    found = {name for switches, _ in (*SINGLE, *OF_VALUES) for name in switches}

    assert found | NOT_TOLD == {field.name for field in fields(Behavior)}
    assert set() == found & NOT_TOLD


def test_the_page_lists_what_cannot_be_told_and_nothing_else() -> None:
    listed = [name for names in NOT_ASKED.values() for name in names]
    hidden = [names for pairs in HIDDEN.values() for names in pairs]

    assert (sorted(listed), sorted(hidden)) == (sorted(NOT_TOLD), sorted(HIDES))


def test_switches_of_values_are_found_where_the_user_allows_it(
    ask: Ask, emulator: Emulator
) -> None:
    wrong = {}
    for switches, expected in [({}, {}), *OF_VALUES]:
        report = ask(switches, attribute="Probe", segment="Testers")
        answers = report.answers
        assert answers.keys() == QUESTIONS.keys()
        assert len(emulator.requests) == report.requests <= max_requests(100, values=True)
        assert emulator.attributes.members_of("Testers") == set()
        found = {name: answers[name] for name in VALUES}
        if differs := _differing(found, VALUES | expected):
            wrong[str(switches)] = differs

    assert wrong == {}


PAIRS = [
    (first, second)
    for first, second in combinations(SINGLE, 2)
    if not first[0].keys() & second[0].keys()
]
SAMPLE = random.Random(7).sample(PAIRS, 100)
PARTS = 4


@pytest.mark.parametrize("part", range(PARTS))
def test_of_two_switches_neither_is_taken_for_another(
    part: int, ask: Ask, emulator: Emulator
) -> None:
    wrong, told, wanted = {}, 0, 0
    for first, second in SAMPLE[part::PARTS]:
        answers = asked(ask, first[0] | second[0], emulator)
        possible = possible_answers(first, second)
        differs = {n: a for n, a in answers.items() if a not in possible[n]}
        if differs:
            wrong[str((first[0], second[0]))] = differs
        both = [*first[1].items(), *second[1].items()]
        wanted += sum(answer != UNKNOWN for _, answer in both)
        told += sum(answers[name] == answer != UNKNOWN for name, answer in both)

    assert wrong == {}
    assert told >= 0.8 * wanted


def possible_answers(*singles: tuple[Switches, Answers]) -> dict[str, set[str]]:
    """Return the answers that are right for two switches at once, by question."""
    names = {name for switches, _ in singles for name in switches}
    possible = {name: {answer, UNKNOWN} for name, answer in DOCUMENTED.items()}
    for _, expected in singles:
        for name, answer in expected.items():
            # what a switch does outranks what is documented, unless it only hides that
            if answer != UNKNOWN:
                possible[name].discard(DOCUMENTED[name])
            possible[name].add(answer)
    for hiding, questions in HIDES.items():
        if set(hiding) <= names:
            for name, answers in questions.items():
                possible[name] |= answers
    return possible


def _differing(answers: Answers, expected: Answers) -> dict[str, tuple[str, str]]:
    return {
        name: (answer, expected[name])
        for name, answer in answers.items()
        if answer != expected[name]
    }
