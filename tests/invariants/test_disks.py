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
def scenario(emulator: Emulator, loads: ProcessPool) -> Iterator[Scenario]:
    """A few customers, loaded, in a folder that everybody may use."""
    emulator.behavior = Behavior(rate_limit=0, refused_email_domain=REFUSED)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        scenario = Scenario(Path(folder), emulator, loads)
        scenario.put(*(person(n) for n in range(10)))
        assert scenario.load() == 0, scenario.output()
        yield scenario


@pytest.mark.parametrize("largest_file", [100_000, 250_000, 400_000])
def test_a_disk_that_fills_up_while_loading_loses_nothing_and_repeats_nothing(
    scenario: Scenario, largest_file: int
) -> None:
    scenario.settings["DESTINATION__BUNCE__BATCH_SIZE"] = "50"
    scenario.settings["DESTINATION__BUNCE__MAX_BATCH_SIZE"] = "50"
    scenario.put(*(person(n, version=1, bad="here" if n % 3 == 0 else "") for n in range(600)))

    assert scenario.load(largest_file=largest_file) == 1

    assert "is full" in scenario.output() or "disk I/O error" in scenario.output()
    assert "Traceback" in scenario.output()
    assert "@example.com" not in scenario.output()
    settled, sent = scenario.settled(), scenario.times_sent()
    print(f"{largest_file}: {len(sent)} sent, {len(settled)} settled")
    assert scenario.load() == 0, scenario.output()
    scenario.check()
    assert scenario.sent_again(settled, sent) == []
    assert scenario.sent_blindly() == []


def test_a_store_that_may_only_be_read_stops_the_run_before_a_row_is_sent(
    scenario: Scenario,
) -> None:
    for path in [scenario.folder, *scenario.folder.rglob("*")]:
        path.chmod(0o777 if path.is_dir() else 0o666)
    for path in scenario.folder.glob("bunce.sqlite*"):
        path.chmod(0o444)
    scenario.put(*(person(n, version=1) for n in range(20)))
    sent = scenario.times_sent()

    assert scenario.load(as_nobody=True) == 1

    assert "Make the file and its folder writable for this user" in scenario.output()
    assert sent == scenario.times_sent()
    for path in scenario.folder.glob("bunce.sqlite*"):
        path.chmod(0o666)
    assert scenario.load(as_nobody=True) == 0, scenario.output()
    scenario.check()
