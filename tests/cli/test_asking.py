"""Questions before everything is replayed or deleted: asked on a terminal, and nowhere else."""

from __future__ import annotations

import subprocess

import pytest

from dlt_bunce.emulator import Emulator

from .conftest import PROGRAM, Run, people, write
from .terminal import Terminal


@pytest.fixture
def loaded(run: Run) -> Run:
    """After a load of one good customer and two bad ones."""
    write([*people(1), *people(2, 3, mobile="call me")])
    assert run("load", "customers.parquet").code == 0
    return run


def statuses(run: Run) -> list[str]:
    found = run("dead-letters", "list", "--status", "all", "--json").json
    return [letter["status"] for letter in found]


@pytest.mark.parametrize("action", ["replay", "discard"])
def test_everything_is_replayed_or_discarded_only_after_a_yes(
    action: str, loaded: Run, on_a_terminal: Terminal, emulator: Emulator
) -> None:
    asked = f"{action.capitalize()} all 2 open dead letters of account default?"
    before = len(emulator.requests)
    refused = on_a_terminal("dead-letters", action, answers={asked: "n\n"}, code=1)

    assert "Aborted!" in refused
    assert (statuses(loaded), len(emulator.requests)) == (["open", "open"], before)
    done = on_a_terminal("dead-letters", action, answers={asked: "y\n"})
    assert {"discard": "Discarded 2 dead letters.", "replay": "Replayed"}[action] in done
    expected = {"discard": ["discarded"] * 2, "replay": ["open"] * 2}
    assert statuses(loaded) == expected[action]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("dead-letters replay", "No dead letters selected."),
        ("dead-letters discard", "No dead letters selected."),
        ("dead-letters purge", "Cannot prompt for confirmation"),
        ("rejected-values retry", "No rejected values selected."),
    ],
)
def test_a_closed_stdin_is_nobody_to_ask(words: str, said: str, loaded: Run) -> None:
    done = subprocess.run(
        ["sh", "-c", f"{PROGRAM} {words} <&-"], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
