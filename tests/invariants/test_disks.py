"""A disk that is full and a store that may not be written: told clearly, and nothing is lost."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dlt_bunce.emulator import Behavior, Emulator

from .customers import REFUSED, person
from .scenario import ProcessPool, Scenario


@pytest.fixture
def world(emulator: Emulator, loads: ProcessPool) -> Iterator[Scenario]:
    """A few customers, loaded, in a folder that everybody may use."""
    emulator.behavior = Behavior(rate_limit=0, refused_email_domain=REFUSED)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        world = Scenario(Path(folder), emulator, loads)
        world.put(*(person(n) for n in range(10)))
        assert world.load() == 0, world.output()
        yield world


@pytest.mark.parametrize("largest_file", [100_000, 250_000, 400_000])
def test_a_disk_that_fills_up_while_loading_loses_nothing_and_repeats_nothing(
    world: Scenario, largest_file: int
) -> None:
    world.settings["DESTINATION__BUNCE__BATCH_SIZE"] = "50"
    world.settings["DESTINATION__BUNCE__MAX_BATCH_SIZE"] = "50"
    world.put(*(person(n, version=1, bad="here" if n % 3 == 0 else "") for n in range(600)))

    assert world.load(largest_file=largest_file) == 1

    assert "is full" in world.output() or "disk I/O error" in world.output()
    assert "Traceback" in world.output()
    assert "@example.com" not in world.output()
    settled, sent = world.settled(), world.times_sent()
    print(f"{largest_file}: {len(sent)} sent, {len(settled)} settled")
    assert world.load() == 0, world.output()
    world.check()
    assert world.sent_again(settled, sent) == []
    assert world.sent_blindly() == []


def test_a_store_that_may_only_be_read_stops_the_run_before_a_row_is_sent(world: Scenario) -> None:
    for path in [world.folder, *world.folder.rglob("*")]:
        path.chmod(0o777 if path.is_dir() else 0o666)
    for path in world.folder.glob("bunce.sqlite*"):
        path.chmod(0o444)
    world.put(*(person(n, version=1) for n in range(20)))
    sent = world.times_sent()

    assert world.load(as_nobody=True) == 1

    assert "Make the file and its folder writable for this user" in world.output()
    assert sent == world.times_sent()
    for path in world.folder.glob("bunce.sqlite*"):
        path.chmod(0o666)
    assert world.load(as_nobody=True) == 0, world.output()
    world.check()
