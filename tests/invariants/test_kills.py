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
def world(tmp_path: Path, emulator: Emulator, loads: ProcessPool, store: str) -> Scenario:
    """Twenty customers, some of them bad, of whom eight have changed since a first load."""
    emulator.behavior = CALM
    world = Scenario(tmp_path / "world", emulator, loads, store)
    world.settings["DESTINATION__BUNCE__CONCURRENCY"] = "1"
    world.settings["DESTINATION__BUNCE__MAX_CONCURRENCY"] = "1"
    world.put(*people(20, random.Random(1)))
    assert world.load() == 0, world.output()
    edit(world, 1)
    return world


def edit(world: Scenario, version: int) -> None:
    """Eight customers change, and twelve are new, of whom two are bad."""
    first = len(world.rows)
    new = [person(first + n) for n in range(10)]
    bad = [person(first + 10, bad="here"), person(first + 11, bad="there")]
    world.put(*(person(n, version=version) for n in range(8)), *new, *bad)


def test_a_load_that_is_killed_at_any_boundary_is_completed_by_the_next(world: Scenario) -> None:
    assert world.load() == 0, world.output()
    world.check()
    passed = dict(world.passed)
    assert {"before commit", "after request", "after completion"} < passed.keys()
    if not world.store_url.startswith("sqlite"):
        # dlt's steps know nothing of the store, and what follows a commit is the next boundary
        passed = {name: times for name, times in passed.items() if name in OF_ANY_STORE}
    boundaries = [(name, n) for name, times in passed.items() for n in range(1, times + 1)]

    for round_, (name, n) in enumerate(boundaries, 2):
        edit(world, round_)
        start = len(world.emulator.requests)
        ended = world.load(kill_at=[name, n])
        if ended == 0:
            # what is answered meanwhile is settled in one commit: there are fewer at times
            assert name.endswith("commit"), name
            assert world.passed[name] < n, (name, n)
            world.check()
            continue
        assert ended == -signal.SIGKILL, (name, n, world.output())
        settled, sent = world.settled(), world.times_sent()

        assert world.load() == 0, (name, n, world.output())

        world.check()
        assert world.sent_again(settled, sent) == [], (name, n)
        assert world.sent_blindly(start) == [], (name, n)
    print(f"\n{len(boundaries)} boundaries on {world.store_url.partition(':')[0]}")


def test_after_a_kill_only_what_was_about_to_leave_is_looked_up(world: Scenario) -> None:
    world.put(*(person(100 + n) for n in range(400)))
    start = len(world.emulator.requests)
    assert world.load(kill_at=["after request", 12]) == -signal.SIGKILL
    claimed = world.claimed()
    assert len(claimed) > 300
    killed = len(world.emulator.requests)

    assert world.load() == 0, world.output()

    world.check()
    assert world.sent_blindly(start) == []
    asked = [r for r in world.emulator.requests[killed:] if r.call == "lookup"]
    indeterminate = claimed & {key for record in asked for key in record.customer_ids}
    # in batches of 8: one on the wire, four made after it, and one more announced
    assert 1 <= len(indeterminate) <= 6 * 8


# which requests a load sends, and when, does not depend on the store
@pytest.mark.parametrize(
    ("store", "n"),
    [("postgres" if n % 2 else "sqlite", n) for n in range(2, 10)],
    indirect=["store"],
)
def test_a_load_killed_while_rows_wait_is_completed_by_the_next(world: Scenario, n: int) -> None:
    # two in each batch of eight are refused: the other six wait for a proof that such counts hold
    world.put(*(person(100 + i, bad="there" if i % 4 == 0 else "") for i in range(32)))
    start = len(world.emulator.requests)
    assert world.load(kill_at=["after request", n]) == -signal.SIGKILL
    settled, sent = world.settled(), world.times_sent()

    assert world.load() == 0, world.output()

    world.check()
    assert world.sent_again(settled, sent) == []
    assert world.sent_blindly(start) == []


@pytest.mark.parametrize("fault", ["hang_after", "hang_before"])
def test_a_load_killed_while_bunce_is_answering_is_completed_by_the_next(
    world: Scenario, fault: FaultKind
) -> None:
    hang = Fault(fault, on_request=2, seconds=1.0)
    world.emulator.behavior = Behavior(rate_limit=0, refused_email_domain=REFUSED, faults=(hang,))
    start = len(world.emulator.requests)

    assert world.load(kill_after=0.8) == -signal.SIGKILL
    settled, sent = world.settled(), world.times_sent()
    assert world.load() == 0, world.output()

    world.check()
    assert world.sent_again(settled, sent) == []
    assert world.sent_blindly(start) == []


def test_what_a_dead_worker_has_claimed_is_left_alone_until_its_lease_is_over(
    world: Scenario,
) -> None:
    assert world.load(kill_at=["after request", 4]) == -signal.SIGKILL
    start, claimed = len(world.emulator.requests), world.claimed()
    assert claimed
    world.expire_claims(after_s=6)
    over = time.monotonic() + 6

    # another pipeline, as on another machine, with the same rows
    assert world.load("elsewhere") == 0, world.output()

    world.check()
    touched = [r for r in world.emulator.requests[start:] if claimed & set(r.customer_ids)]
    assert touched
    assert [r for r in touched if r.at < over - 0.1] == []
    assert world.sent_blindly(start) == []
