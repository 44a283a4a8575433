"""Killed at random moments, under faults, with a changing source: the ledger always balances."""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from dlt_bunce.emulator import Behavior, Emulator, Fault
from dlt_bunce.emulator.behavior import FaultKind

from .customers import REFUSED, person
from .scenario import ProcessPool, Scenario

KILLS = int(os.environ.get("DLT_BUNCE_TEST_SOAK_KILLS", "12"))
"""How many loads are killed in all, a quarter of them in each history."""
SEED = int(os.environ.get("DLT_BUNCE_TEST_SOAK_SEED", "0"))
FAULTS: tuple[FaultKind, ...] = (
    "cut_short",
    "drop_after",
    "drop_before",
    "drop_midway",
    "error_after",
    "error_before",
    "error_midway",
    "html_502",
    "html_502_after",
    "rate_limited",
    "truncated",
)


@dataclass
class Tally:
    """What happened in a history."""

    killed: int = 0
    completed: int = 0
    failed: int = 0
    """Loads that gave up because of faults, and left the rest to the next."""

    def count(self, code: int) -> None:
        """Takes a load's exit code."""
        self.killed += code == -signal.SIGKILL
        self.completed += code == 0
        self.failed += code > 0

    def __str__(self) -> str:
        return f"{self.killed} kills, {self.completed} loads completed, {self.failed} gave up"


def edit(scenario: Scenario, chance: random.Random, settled: int) -> None:
    """Some customers change, some become bad or good, and some are new.

    Those that changed since edit `settled` stay: each has one content at most that is not settled,
    so that whoever is sent twice can be told from whoever is sent with two contents.
    """
    kinds = ["", "", "", "", "", "", "", "", "here", "there"]
    old = [n for n in range(len(scenario.rows)) if scenario.rows[f"c{n}"]["updated_at"] < settled]
    known = chance.sample(old, min(len(old), 8))
    new = range(len(scenario.rows), len(scenario.rows) + chance.randint(0, 12))
    rows = [person(n, version=scenario.edits, bad=chance.choice(kinds)) for n in [*known, *new]]
    scenario.put(*rows)


def faults(chance: random.Random, look_up: bool) -> tuple[Fault, ...]:
    if not look_up:
        return ()
    return tuple(Fault(kind, probability=0.04, seconds=0.05) for kind in chance.sample(FAULTS, 4))


@pytest.mark.parametrize("look_up", [True, False], ids=["look-up", "no-look-up"])
def test_killed_at_random_every_row_is_settled_once(
    tmp_path: Path, emulator: Emulator, loads: ProcessPool, store: str, *, look_up: bool
) -> None:
    """Without a look-up there are neither faults nor edits before a load has completed: only then
    it can be counted that each load sends a customer in doubt once more at most.
    """
    engine = store.partition(":")[0]
    chance = random.Random(f"{SEED}/{engine}/{look_up}")
    calm = Behavior(
        rate_limit=0,
        refused_email_domain=REFUSED,
        latency_ms=5,
        lookup="sdk" if look_up else "absent",
    )
    scenario = Scenario(tmp_path / "scenario", emulator, loads, store)
    scenario.settings["DESTINATION__BUNCE__CONCURRENCY"] = "3"
    tally = Tally()
    pending, at_peace = False, 0

    while tally.killed < KILLS / 4:
        emulator.behavior = replace(calm, seed=scenario.edits, faults=faults(chance, look_up))
        if look_up or not pending:
            edit(scenario, chance, at_peace)
        start = len(emulator.requests)
        settled, sent = scenario.settled(), scenario.times_sent()
        code = scenario.load(kill_after=chance.uniform(0.02, 0.7))
        tally.count(code)
        if look_up:
            assert scenario.sent_blindly(start) == [], scenario.output()
        else:
            assert sent_twice_in(scenario, start) == [], scenario.output()
        assert scenario.sent_again(settled, sent) == [], scenario.output()
        pending = code != 0 and chance.random() < 0.6
        if not pending:
            settle(scenario, calm, tally)
            at_peace = scenario.edits
    figures = settle(scenario, calm, tally)
    print(f"\n{engine}, look-up {look_up}: {tally}; {figures}")


def settle(scenario: Scenario, calm: Behavior, tally: Tally) -> str:
    """A load in peace: afterwards everybody is where they belong."""
    scenario.emulator.behavior = calm
    start = len(scenario.emulator.requests)
    settled, sent = scenario.settled(), scenario.times_sent()
    code = scenario.load()
    assert code == 0, scenario.output()
    tally.count(code)
    assert scenario.sent_blindly(start) == [] or calm.lookup == "absent"
    assert scenario.sent_again(settled, sent) == [], scenario.output()
    return scenario.check()


def sent_twice_in(scenario: Scenario, start: int) -> list[str]:
    """Customers whom one load sent twice by one lane in requests that were not refused."""
    sent = Counter(
        (record.call, key)
        for record in scenario.emulator.requests[start:]
        if record.status is None or not 400 <= record.status < 500
        for key in record.customer_ids
    )
    return sorted({key for (_, key), times in sent.items() if times > 1})
