"""Selections of dead letters, as operators use them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from dlt_bunce.store.database import Database
from dlt_bunce.store.letters import dead_letters
from dlt_bunce.store.letters.dead_letter_query import (
    count,
    count_by,
    count_by_code,
    list_recent,
    open_by_code,
    pages,
)
from dlt_bunce.store.letters.dead_letters import letter_id
from dlt_bunce.store.letters.selection import Selection

Make = Callable[..., Any]
BAD = ("a", "bad")


def ids(db: Database, **filters: Any) -> list[str]:
    found = pages(db, "default", Selection(**filters))
    return [letter["id"] for page in found for letter in page]


def test_every_letter_is_found_once_over_many_pages(ledger_helper: Make) -> None:
    first = ledger_helper()
    first.claim(bad=[(f"c{n}", f"bad{n}") for n in range(2500)])

    found = list(pages(first.db, "default", Selection()))
    assert [len(page) for page in found] == [1000, 1000, 500]
    assert len({letter["id"] for page in found for letter in page}) == 2500
    small = [x["id"] for page in pages(first.db, "default", Selection(), size=199) for x in page]
    assert small == sorted(ids(first.db))


def test_letters_are_found_by_status_code_and_id_prefix(
    ledger_helper: Make,
) -> None:
    first = ledger_helper()
    first.claim(bad=[BAD, ("x", "x1")])
    first.load("rejected", ("b", "b1"), chunk=1)
    bad, refused = letter_id("default", *BAD), letter_id("default", "b", "b1")
    dead_letters.set_status(first.db, "default", [bad], "discarded")
    everything = ids(first.db, status=None)

    assert len(everything) == 3
    assert [bad] == ids(first.db, status="discarded")
    assert [refused] == ids(first.db, codes=["refused"])
    assert len(ids(first.db, codes=["refused", "invalid_email"])) == 2
    assert [refused] == ids(first.db, ids=[refused[:8]])
    assert [refused] == ids(first.db, ids=[refused[:8], "nothing"], codes=["refused"])
    assert ids(first.db, ids=[bad]) == []
    assert open_by_code(first.db, "default") == {"invalid_email": 1, "refused": 1}


@pytest.mark.parametrize("given", ["", "ghost", "%", "_", "' OR 1=1 --"])
def test_text_that_is_not_an_id_selects_no_letter(ledger_helper: Make, given: str) -> None:
    first = ledger_helper()
    first.claim(bad=[BAD])

    assert ids(first.db, ids=[given]) == []
    assert ids(first.db, codes=[given]) == []


def test_the_newest_come_first_and_once_over_many_pages(ledger_helper: Make) -> None:
    first = ledger_helper()
    for chunk in range(4):
        first.claim(bad=[(f"c{chunk}-{n}", f"bad{n}") for n in range(3)], chunk=chunk)

    found, before = [], None
    while page := list_recent(first.db, "default", Selection(), before=before, limit=5):
        found += page
        before = (page[-1]["last_seen_at"], page[-1]["id"])

    keys = [(letter["last_seen_at"], letter["id"]) for letter in found]
    assert len(set(keys)) == 12
    assert keys == sorted(keys, reverse=True)


def test_letters_are_found_by_field_run_and_time(ledger_helper: Make) -> None:
    first, second = ledger_helper(), ledger_helper("second")
    first.claim(bad=[("a", "a1")])
    between = datetime.now(timezone.utc)
    second.claim(bad=[("b", "b1")])
    older, newer = (letter_id("default", *key) for key in (("a", "a1"), ("b", "b1")))

    assert [older] == ids(first.db, run_ids=["first"])
    assert ids(first.db, run_ids=["second"], fields=["phone_no"]) == []
    assert [newer] == ids(first.db, run_ids=["second"], fields=["email", "phone_no"])
    assert [newer] == ids(first.db, since=between)
    assert [older] == ids(first.db, until=between)
    assert ids(first.db, since=between, until=between + timedelta(0)) == []


def test_letters_are_counted_by_column(ledger_helper: Make) -> None:
    first = ledger_helper()
    first.claim(bad=[("a", "a1"), ("b", "b1")])
    first.load("rejected", ("c", "c1"), chunk=1)

    assert count_by(first.db, "default", Selection(), "code") == {"invalid_email": 2, "refused": 1}
    assert count_by(first.db, "default", Selection(), "run_id") == {"first": 3}
    assert count_by(first.db, "default", Selection(codes=["invalid_email"]), "field") == {
        "email": 2
    }


def test_pages_lead_back_to_the_same_letters(ledger_helper: Make) -> None:
    first = ledger_helper()
    first.claim(bad=[(f"c{n}", f"bad{n}") for n in range(7)])
    everything = list_recent(first.db, "default", Selection(), limit=9)

    def key(place: int) -> tuple[str, str]:
        return everything[place]["last_seen_at"], everything[place]["id"]

    assert everything[3:5] == list_recent(first.db, "default", Selection(), after=key(5), limit=2)
    assert everything[:1] == list_recent(first.db, "default", Selection(), after=key(1), limit=2)
    assert list_recent(first.db, "default", Selection(), after=key(0), limit=2) == []


def test_letters_of_several_codes_and_any_status_are_in_one_order(ledger_helper: Make) -> None:
    first = ledger_helper()
    first.claim(bad=[(f"c{n}", f"bad{n}") for n in range(3)])
    first.load("rejected", ("b", "b1"), chunk=1)
    first.claim(bad=[("z", "z1")], chunk=2)
    dead_letters.set_status(first.db, "default", [letter_id("default", "c1", "bad1")], "discarded")
    chosen = Selection(status=None, codes=["refused", "invalid_email", "refused"])

    found = list_recent(first.db, "default", chosen, limit=4)

    keys = [(letter["last_seen_at"], letter["id"]) for letter in found]
    assert keys == sorted(set(keys), reverse=True)
    assert found[0]["customer_id"] == "z"
    assert len(found) == 4
    assert count(first.db, "default", chosen) == 5


def test_counting_stops_at_most(ledger_helper: Make) -> None:
    first = ledger_helper()
    first.claim(bad=[(f"c{n}", f"bad{n}") for n in range(9)])
    first.load("rejected", ("b", "b1"), chunk=1)
    codes = ("refused", "invalid_email", "missing_email")

    assert [count(first.db, "default", Selection(), most=m) for m in (None, 99, 4)] == [10, 10, 4]
    assert count_by_code(first.db, "default", Selection(), codes, most=4) == {
        "invalid_email": 4,
        "refused": 1,
    }


def test_open_letters_of_a_selection_are_discarded(ledger_helper: Make) -> None:
    first = ledger_helper()
    first.claim(bad=[(f"c{n}", f"bad{n}") for n in range(3)])
    first.load("rejected", ("b", "b1"), chunk=1)
    chosen = Selection(status=None, codes=["invalid_email"])

    assert dead_letters.discard(first.db, "default", chosen) == 3
    assert dead_letters.discard(first.db, "default", chosen) == 0
    assert count(first.db, "default", Selection(status="discarded")) == 3
    assert open_by_code(first.db, "default") == {"refused": 1}
