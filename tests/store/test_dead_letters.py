"""Dead letters: one per bad row, however often it is seen, closed once the row is settled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dlt_bunce.store import retention
from dlt_bunce.store.database import Database
from dlt_bunce.store.letters import dead_letters, released
from dlt_bunce.store.letters.dead_letter_query import pages
from dlt_bunce.store.letters.dead_letters import letter_id
from dlt_bunce.store.letters.selection import Selection

Make = Callable[..., Any]
GOOD, GOOD2 = ("a", "a1"), ("a", "a2")
BAD, BAD2 = ("a", "bad"), ("a", "bad2")


def ids(db: Database, account: str = "default", **filters: Any) -> list[str]:
    """Return the ids of the selected dead letters."""
    found = pages(db, account, Selection(**filters))
    return [letter["id"] for page in found for letter in page]


def times(db: Database) -> dict[str, str]:
    """Return when each dead letter was last seen."""
    rows = db.rows("SELECT id, last_seen_at FROM bunce_dead_letters")
    return {row["id"]: row["last_seen_at"] for row in rows}


def attempts(db: Database) -> list[int]:
    return [row["attempts"] for row in db.rows("SELECT attempts FROM bunce_dead_letters")]


def test_the_same_bad_row_has_the_same_letter_id_and_any_other_row_another() -> None:
    same = letter_id("default", "a", "f")
    changed = [
        letter_id("other", "a", "f"),
        letter_id("default", "b", "f"),
        letter_id("default", "a", "g"),
        letter_id("default", None, "f"),
        letter_id("default", "", "f"),
    ]

    assert same == letter_id("default", "a", "f")
    assert len({same, *changed}) == 6


def test_a_bad_row_seen_again_is_held_and_its_letter_stays_open(ledger_helper: Make) -> None:
    first, second = ledger_helper(), ledger_helper("second")
    first.claim(bad=[BAD, (None, "nobody")])
    second.claim(bad=[BAD, (None, "nobody")])

    assert first.counts() == {"read": 2, "rejected": 2}
    assert second.counts() == {"read": 2, "held": 2}
    assert second.letters() == {"bad": "open", "nobody": "open"}
    assert attempts(second.db) == [1, 1]


def test_equal_rows_without_a_customer_share_a_letter_and_are_all_counted(
    ledger_helper: Make,
) -> None:
    first = ledger_helper()
    first.claim(bad=[(None, "nobody")] * 3, chunk=0)
    first.claim(bad=[(None, "nobody")], chunk=1)

    assert first.counts() == {"read": 4, "rejected": 3, "held": 1}
    assert first.letters() == {"nobody": "open"}


def test_a_bad_row_that_changed_supersedes_its_letter(ledger_helper: Make) -> None:
    ledger_helper().claim(bad=[BAD])
    second = ledger_helper("second")
    second.claim(bad=[BAD2])

    assert second.letters() == {"bad": "superseded", "bad2": "open"}
    assert second.counts() == {"read": 1, "rejected": 1}


def test_a_bad_row_that_returns_reopens_its_letter(ledger_helper: Make) -> None:
    ledger_helper().claim(bad=[BAD])
    ledger_helper("second").claim(bad=[BAD2])
    third = ledger_helper("third")
    third.claim(bad=[BAD])

    assert third.letters() == {"bad": "open", "bad2": "superseded"}
    assert third.counts() == {"read": 1, "rejected": 1}


@pytest.mark.parametrize("then", [GOOD, GOOD2])
def test_a_known_customer_whose_row_was_bad_for_a_while_has_no_open_letter(
    ledger_helper: Make, then: Any
) -> None:
    ledger_helper().load("created", GOOD)
    ledger_helper("second").claim(bad=[BAD])
    third = ledger_helper("third", disposition="append")
    third.claim(then)

    assert third.letters() == {"bad": "resolved"}


def test_a_row_rejected_by_bunce_is_sent_again_after_it_was_bad_in_between(
    ledger_helper: Make,
) -> None:
    ledger_helper().load("rejected", GOOD)
    second = ledger_helper("second")
    second.claim(bad=[BAD])
    assert second.letters() == {"a1": "superseded", "bad": "open"}

    third = ledger_helper("third")
    third.load("rejected", GOOD)

    assert third.letters() == {"a1": "open", "bad": "superseded"}


@pytest.mark.parametrize("fate", ["created", "rejected", "unchanged"])
def test_a_bad_row_read_while_an_earlier_good_row_is_in_flight_keeps_its_letter(
    ledger_helper: Make, fate: str
) -> None:
    first = ledger_helper()
    if fate == "unchanged":
        ledger_helper("before").load("created", GOOD)
    for _ in range(2):
        to_send = first.claim(GOOD, chunk=0)
        first.claim(bad=[BAD], chunk=1)
        if to_send:
            first.settle(fate, GOOD, chunk=0)
        assert first.letters()["bad"] == "open"
        assert list(first.letters().values()).count("open") == 1

    refused = 2 if fate == "rejected" else 1
    assert {"read": 2, fate: 1} | {"rejected": refused} == first.counts()


def test_a_good_row_read_after_a_bad_row_closes_its_letter_even_when_read_again(
    ledger_helper: Make,
) -> None:
    first = ledger_helper()
    first.claim(bad=[BAD], chunk=0)
    first.load("created", GOOD, chunk=1)
    for only in ((0, 1), (0,), (1,)):
        if 0 in only:
            first.claim(bad=[BAD], chunk=0)
        if 1 in only:
            first.claim(GOOD, chunk=1)

        assert first.letters() == {"bad": "resolved"}
        assert first.counts() == {"read": 2, "rejected": 1, "created": 1}


def test_a_bad_row_older_than_what_bunce_has_accepted_is_superseded_without_a_letter(
    ledger_helper: Make,
) -> None:
    first = ledger_helper()
    first.claim(bad=[("a", "bad", 3)])
    ledger_helper("second").load("created", ("a", "a5", 5), ("b", "b5", 5), ("c", "c5", 5))
    third = ledger_helper("third")
    for _ in range(2):
        third.claim(bad=[("a", "bad", 3), ("b", "same", 5), ("c", "unknown"), (None, "who", 1)])

        assert third.counts() == {"read": 4, "superseded": 1, "rejected": 3}
    assert third.letters() == {
        "bad": "resolved",
        "same": "open",
        "unknown": "open",
        "who": "open",
    }
    # the first file is read again, as after a crash: its rows keep their fates
    first.claim(bad=[("a", "bad", 3)])
    assert first.counts() == {"read": 1, "rejected": 1}
    # a dead letter that is open nevertheless, from before version 0.2, is superseded by its replay
    first.db.execute("UPDATE bunce_dead_letters SET status = 'open' WHERE fingerprint = 'bad'")
    replay = ledger_helper("replay", is_replay=True)
    replay.claim(bad=[("a", "bad", 3)])
    assert replay.counts() == {"read": 1, "superseded": 1}


def test_attempts_count_how_often_bunce_rejected_the_row(ledger_helper: Make) -> None:
    first = ledger_helper()
    for run in ("first", "second", "third"):
        released.release(first.db, "default", ids(first.db))
        ledger_helper(run).load("rejected", GOOD)

    assert attempts(first.db) == [3]
    assert first.letters() == {"a1": "open"}


def test_a_released_row_is_sent_again_unchanged(ledger_helper: Make) -> None:
    first = ledger_helper()
    first.load("rejected", GOOD)
    released.release(first.db, "default", ids(first.db))

    assert ledger_helper("second").claim(GOOD) == {"a": False}


def test_with_keys_only_no_value_of_the_row_is_kept(ledger_helper: Make) -> None:
    first = ledger_helper(letter_rows="keys")
    first.claim(bad=[BAD])
    first.load("rejected", ("b", "b1"), chunk=1)
    full = ledger_helper("second")
    full.claim(bad=[("c", "bad3")])

    rows = first.db.rows("SELECT * FROM bunce_dead_letters WHERE customer_id <> 'c'")
    assert len(rows) == 2
    assert "example.com" not in str(rows)
    assert [row["source_row"] for row in rows] == [None, None]
    assert "example.com" in str(first.db.rows("SELECT source_row FROM bunce_dead_letters"))


def test_a_purge_deletes_closed_letters_only(ledger_helper: Make) -> None:
    first = ledger_helper()
    first.claim(bad=[BAD, ("x", "x1"), ("y", "y1")])
    first.load("created", ("x", "x2"), chunk=1)
    dead_letters.set_status(first.db, "default", [letter_id("default", *BAD)], "discarded")

    assert retention.purge(first.db, "default") == 2
    assert retention.purge(first.db, "default") == 0
    assert first.letters() == {"y1": "open"}


def test_a_purged_rejection_is_tried_again_rather_than_held_without_a_letter(
    ledger_helper: Make,
) -> None:
    first = ledger_helper()
    first.load("rejected", GOOD, ("b", "b1"))
    dead_letters.set_status(first.db, "default", [letter_id("default", *GOOD)], "discarded")
    retention.purge(first.db, "default")

    assert ledger_helper("second").claim(GOOD, ("b", "b1")) == {"a": False}


def test_letters_not_seen_again_since_are_closed(ledger_helper: Make) -> None:
    first = ledger_helper()
    first.claim(bad=[BAD, ("x", "x1")])
    seen = times(first.db)
    ledger_helper("second", is_replay=True).claim(bad=[("x", "x1")])

    dead_letters.close_unseen(first.db, "default", seen, "resolved")

    assert first.letters() == {"bad": "resolved", "x1": "open"}


def test_letters_of_two_accounts_never_mix(ledger_helper: Make) -> None:
    first, second = ledger_helper(), ledger_helper("second", account="other")
    first.claim(bad=[BAD])
    second.claim(bad=[BAD2])
    second.load("rejected", ("b", "b1"), chunk=1)
    mine, theirs = ids(first.db), ids(first.db, "other")

    assert (len(mine), len(theirs)) == (1, 2)
    dead_letters.set_status(first.db, "default", theirs, "discarded")
    released.release(first.db, "default", theirs)
    dead_letters.close_unseen(
        first.db, "default", {letter: times(second.db)[letter] for letter in theirs}, "resolved"
    )
    assert retention.purge(first.db, "default") == 0
    assert first.letters() == {"bad": "open", "bad2": "open", "b1": "open"}
    assert ledger_helper("third", account="other").claim(("b", "b1")) == {}

    ledger_helper("fourth").load("created", GOOD)
    assert first.letters() == {"bad": "resolved", "bad2": "open", "b1": "open"}
