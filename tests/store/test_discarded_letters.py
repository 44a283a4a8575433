"""Discarded letters: their rows are held until they change, or until Bunce accepts another."""

from __future__ import annotations

from typing import Any

import pytest

from dlt_bunce.store.letters import dead_letters

from .test_dead_letters import BAD, BAD2, GOOD, Make, ids


def test_a_discarded_letter_stays_discarded_while_its_row_does_not_change(
    ledger_helper: Make,
) -> None:
    first = ledger_helper()
    first.claim(bad=[BAD])
    first.load("rejected", ("b", "b1"), chunk=1)
    dead_letters.set_status(first.db, "default", ids(first.db), "discarded")

    second = ledger_helper("second")
    assert second.claim(("b", "b1"), bad=[BAD]) == {}

    assert second.counts() == {"read": 2, "held": 2}
    assert second.letters() == {"bad": "discarded", "b1": "discarded"}

    third = ledger_helper("third")
    assert third.claim(("b", "b2"), bad=[BAD2]) == {"b": False}
    assert third.letters()["bad2"] == "open"


@pytest.mark.parametrize("refused_by", ["here", "Bunce"])
def test_a_discarded_row_that_returns_after_bunce_accepted_another_opens_its_letter_again(
    ledger_helper: Make, refused_by: str
) -> None:
    def read_bad(run: str) -> Any:
        helper = ledger_helper(run)
        if refused_by == "Bunce":
            helper.load("rejected", BAD)
        else:
            helper.claim(bad=[BAD])
        return helper

    first = read_bad("first")
    dead_letters.set_status(first.db, "default", ids(first.db), "discarded")
    ledger_helper("second").load("created", GOOD)
    accepted = first.letters()
    third = read_bad("third")

    assert accepted == {"bad": "resolved"}
    assert third.letters() == {"bad": "open"}
    assert third.counts() == {"read": 1, "rejected": 1}


@pytest.mark.parametrize("refused_by", ["here", "Bunce"])
def test_a_discarded_letter_outlasts_a_good_row_that_bunce_has_had_before(
    ledger_helper: Make, refused_by: str
) -> None:
    # such as a row of another table, which every load reads
    first = ledger_helper()
    first.load("created", GOOD, chunk=0)
    if refused_by == "Bunce":
        first.load("rejected", BAD, chunk=1)
    else:
        first.claim(bad=[BAD], chunk=1)
    dead_letters.set_status(first.db, "default", ids(first.db), "discarded")
    ledger_helper("second").claim(GOOD)
    third = ledger_helper("third")
    sent = third.claim(BAD) if refused_by == "Bunce" else third.claim(bad=[BAD])

    assert sent == {}
    assert third.counts() == {"read": 1, "held": 1}
    assert third.letters() == {"bad": "discarded"}
