"""Each promise of docs/guarantees.md names tests that exist, and each honest guess is in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .invariants.explorer import HONEST as OF_THE_MODEL
from .invariants.test_matrix import HONEST as OF_THE_MATRIX

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "guarantees.md").read_text("utf-8")
PROMISES = [line for line in TEXT.splitlines() if line.startswith("| ")][1:]
TESTS = sorted(set(re.findall(r"`(tests/[\w/.]+(?:::\w+)?)`", TEXT)))


@pytest.mark.parametrize("test", TESTS)
def test_a_named_test_exists(test: str) -> None:
    path, _, name = test.partition("::")

    text = (ROOT / path).read_text("utf-8")

    assert re.search(rf"^def {name or 'test_'}", text, re.MULTILINE)


@pytest.mark.parametrize("promise", PROMISES)
def test_a_promise_says_what_shows_it_and_what_it_rests_on(promise: str) -> None:
    _, text, shown, rests, _ = promise.split("|")

    assert text.strip().endswith(".")
    assert "tests/" in shown
    assert rests.strip()


@pytest.mark.parametrize("guess", sorted(OF_THE_MODEL | OF_THE_MATRIX))
def test_every_guess_that_tests_allow_is_told(guess: str) -> None:
    word = guess.rpartition(" ")[2]

    assert f"`{word}`" in TEXT.partition("## Not promised")[2]
