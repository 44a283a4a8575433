"""Killed at every boundary, a load loses nobody, repeats nobody, and the next one completes."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path

import pytest

from dlt_bunce.emulator import Behavior, Emulator, Fault
from dlt_bunce.emulator.behavior import FaultKind

from .customers import REFUSED, people, person
from .scenario import ProcessPool, Scenario

OF_ANY_STORE = {"before commit", "before request", "after request"}
CALM = Behavior(rate_limit=0, refused_email_domain=REFUSED)


@pytest.fixture
def scenario(tmp_path: Path, emulator: Emulator, loads: ProcessPool, store: str) -> Scenario:
    """Twenty customers, some of them bad, of whom eight have changed since a first load."""
    emulator.behavior = CALM
    scenario = Scenario(tmp_path / "scenario", emulator, loads, store)
    scenario.settings["DESTINATION__BUNCE__CONCURRENCY"] = "1"
    scenario.settings["DESTINATION__BUNCE__MAX_CONCURRENCY"] = "1"
    scenario.put(*people(20, random.Random(1)))
    assert scenario.load() == 0, scenario.output()
    edit(scenario, 1)
    return scenario


def edit(scenario: Scenario, version: int) -> None:
    """Eight customers change, and twelve are new, of whom two are bad."""
    first = len(scenario.rows)
    new = [person(first + n) for n in range(10)]
    bad = [person(first + 10, bad="here"), person(first + 11, bad="there")]
    scenario.put(*(person(n, version=version) for n in range(8)), *new, *bad)


def test_a_load_that_is_killed_at_any_boundary_is_completed_by_the_next(scenario: Scenario) -> None:
    assert scenario.load() == 0, scenario.output()
    scenario.check()
    passed = dict(scenario.passed)
    assert {"before commit", "after request", "after completion"} < passed.keys()
    if not scenario.store_url.startswith("sqlite"):
        # dlt's steps know nothing of the store, and what follows a commit is the next boundary
        passed = {name: times for name, times in passed.items() if name in OF_ANY_STORE}
    boundaries = [(name, n) for name, times in passed.items() for n in range(1, times + 1)]

    for round_, (name, n) in enumerate(boundaries, 2):
        edit(scenario, round_)
        start = len(scenario.emulator.requests)
        ended = scenario.load(kill_at=[name, n])
        if ended == 0:
            # what is answered meanwhile is settled in one commit: there are fewer at times
            assert name.endswith("commit"), name
            assert scenario.passed[name] < n, (name, n)
            scenario.check()
            continue
        assert ended == -signal.SIGKILL, (name, n, scenario.output())
        settled, sent = scenario.settled(), scenario.times_sent()

        assert scenario.load() == 0, (name, n, scenario.output())

        scenario.check()
        assert scenario.sent_again(settled, sent) == [], (name, n)
        assert scenario.sent_blindly(start) == [], (name, n)
    print(f"\n{len(boundaries)} boundaries on {scenario.store_url.partition(':')[0]}")


def test_after_a_kill_only_what_was_about_to_leave_is_looked_up(scenario: Scenario) -> None:
    scenario.put(*(person(100 + n) for n in range(400)))
    start = len(scenario.emulator.requests)
    assert scenario.load(kill_at=["after request", 12]) == -signal.SIGKILL
    claimed = scenario.claimed()
    assert len(claimed) > 300
    killed = len(scenario.emulator.requests)

    assert scenario.load() == 0, scenario.output()

    scenario.check()
    assert scenario.sent_blindly(start) == []
    asked = [r for r in scenario.emulator.requests[killed:] if r.call == "lookup"]
    indeterminate = claimed & {key for record in asked for key in record.customer_ids}
    # in batches of 8: one on the wire, four made after it, and one more announced
    assert 1 <= len(indeterminate) <= 6 * 8


# which requests a load sends, and when, does not depend on the store
@pytest.mark.parametrize(
    ("store", "n"),
    [("postgres" if n % 2 else "sqlite", n) for n in range(2, 10)],
    indirect=["store"],
)
def test_a_load_killed_while_rows_wait_is_completed_by_the_next(scenario: Scenario, n: int) -> None:
    # two in each batch of eight are refused: the other six wait for a proof that such counts hold
    scenario.put(*(person(100 + i, bad="there" if i % 4 == 0 else "") for i in range(32)))
    start = len(scenario.emulator.requests)
    assert scenario.load(kill_at=["after request", n]) == -signal.SIGKILL
    settled, sent = scenario.settled(), scenario.times_sent()

    assert scenario.load() == 0, scenario.output()

    scenario.check()
    assert scenario.sent_again(settled, sent) == []
    assert scenario.sent_blindly(start) == []


@pytest.mark.parametrize("fault", ["hang_after", "hang_before"])
def test_a_load_killed_while_bunce_is_answering_is_completed_by_the_next(
    scenario: Scenario, fault: FaultKind
) -> None:
    hang = Fault(fault, on_request=2, seconds=1.0)
    scenario.emulator.behavior = Behavior(
        rate_limit=0, refused_email_domain=REFUSED, faults=(hang,)
    )
    start = len(scenario.emulator.requests)

    assert scenario.load(kill_after=0.8) == -signal.SIGKILL
    settled, sent = scenario.settled(), scenario.times_sent()
    assert scenario.load() == 0, scenario.output()

    scenario.check()
    assert scenario.sent_again(settled, sent) == []
    assert scenario.sent_blindly(start) == []


def test_what_a_dead_worker_has_claimed_is_left_alone_until_its_lease_is_over(
    scenario: Scenario,
) -> None:
    assert scenario.load(kill_at=["after request", 4]) == -signal.SIGKILL
    start, claimed = len(scenario.emulator.requests), scenario.claimed()
    assert claimed
    scenario.expire_claims(after_s=6)
    over = time.monotonic() + 6

    # another pipeline, as on another machine, with the same rows
    assert scenario.load("elsewhere") == 0, scenario.output()

    scenario.check()
    touched = [r for r in scenario.emulator.requests[start:] if claimed & set(r.customer_ids)]
    assert touched
    assert [r for r in touched if r.at < over - 0.1] == []
    assert scenario.sent_blindly(start) == []
