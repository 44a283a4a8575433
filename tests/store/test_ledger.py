"""The ledger: which rows are sent and which are not, also after a crash."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Make = Callable[..., Any]

A1, A2, A3 = ("a", "a1"), ("a", "a2"), ("a", "a3")


def test_a_new_customer_is_sent_and_counted_as_deferred_until_settled(
    ledger_helper: Make,
) -> None:
    first = ledger_helper()

    assert first.claim(A1) == {"a": False}
    assert first.counts() == {"read": 1, "deferred": 1}

    first.settle("created", A1)

    assert first.counts() == {"read": 1, "created": 1}


@pytest.mark.parametrize("fate", ["created", "updated", "adopted"])
def test_what_bunce_has_is_not_sent_again(ledger_helper: Make, fate: str) -> None:
    ledger_helper().load(fate, A1)
    second = ledger_helper("second")

    assert second.claim(A1) == {}
    assert second.counts() == {"read": 1, "unchanged": 1}


def test_a_changed_customer_is_updated_by_merge_and_skipped_by_append(ledger_helper: Make) -> None:
    ledger_helper().load("created", A1)
    append, merge = ledger_helper("second", disposition="append"), ledger_helper("third")

    assert append.claim(A2) == {}
    assert append.counts() == {"read": 1, "skipped": 1}
    assert merge.verbs(A2, ("b", "b1")) == {"a": "update", "b": "create"}


def test_a_customer_that_existed_with_other_content_counts_as_changed(
    ledger_helper: Make,
) -> None:
    first = ledger_helper(disposition="append")
    first.claim(A1)
    first.settle("adopted", A1, fingerprint=None)
    append, merge = ledger_helper("second", disposition="append"), ledger_helper("third")

    assert append.claim(A1) == {}
    assert append.counts() == {"read": 1, "skipped": 1}
    assert merge.verbs(A1) == {"a": "update"}
    assert first.counts() == {"read": 1, "adopted": 1}


def test_an_older_version_is_superseded(ledger_helper: Make) -> None:
    ledger_helper().load("created", ("a", "a1", 5))
    second = ledger_helper("second")

    assert second.claim(("a", "a2", 4)) == {}
    assert second.counts() == {"read": 1, "superseded": 1}


def test_rows_superseded_within_the_chunk_are_counted(ledger_helper: Make) -> None:
    first = ledger_helper()
    first.claim(A1, superseded=2)
    first.settle("created", A1)

    assert first.counts() == {"read": 3, "created": 1, "superseded": 2}


def test_a_rejected_row_is_held_until_it_changes(ledger_helper: Make) -> None:
    ledger_helper().load("rejected", A1)
    second, third = ledger_helper("second"), ledger_helper("third")

    assert second.claim(A1) == {}
    assert second.counts() == {"read": 1, "held": 1}
    assert third.claim(A2) == {"a": False}


def test_a_row_accepted_after_a_rejection_resolves_its_letter(ledger_helper: Make) -> None:
    ledger_helper().load("rejected", A1)
    assert ledger_helper().letters() == {"a1": "open"}

    second = ledger_helper("second")
    second.load("created", A2)

    assert second.letters() == {"a1": "resolved"}
    rows = second.db.rows("SELECT rejected_fingerprint AS r, fingerprint AS f FROM bunce_customers")
    assert rows == [{"r": None, "f": "a2"}]


def test_a_row_rejected_again_with_other_content_has_one_open_letter(ledger_helper: Make) -> None:
    ledger_helper().load("rejected", A1)
    second = ledger_helper("second")
    second.load("rejected", A2)

    assert second.letters() == {"a1": "superseded", "a2": "open"}


@pytest.mark.parametrize("fate", ["created", "updated", "adopted", "rejected"])
def test_a_chunk_read_again_by_its_own_job_has_the_same_counts(
    ledger_helper: Make, fate: str
) -> None:
    first = ledger_helper()
    for _ in range(3):
        first.claim(A1, ("b", "b1"), bad=[("x", "bad"), (None, "bad2")], superseded=1)
    first.ledger.mark_in_flight({0: 2})
    first.settle(fate, A1)
    before = first.counts()

    assert first.claim(A1, ("b", "b1"), bad=[("x", "bad"), (None, "bad2")], superseded=1) == {
        "b": True
    }

    assert before == first.counts()
    assert first.counts()["read"] == 5
    assert first.counts()["deferred"] == 1


def test_an_adopted_row_with_other_content_keeps_its_fate_when_read_again(
    ledger_helper: Make,
) -> None:
    first = ledger_helper()
    first.claim(A1)
    first.settle("adopted", A1, fingerprint=None)
    first.claim(A1)

    assert first.counts() == {"read": 1, "adopted": 1}


def test_what_was_unchanged_stays_unchanged_when_read_again(ledger_helper: Make) -> None:
    ledger_helper().load("created", A1)
    second = ledger_helper("second")
    for _ in range(2):
        second.claim(A1)
        assert second.counts() == {"read": 1, "unchanged": 1}


def test_a_later_row_of_the_same_file_waits_for_the_earlier_one(ledger_helper: Make) -> None:
    first = ledger_helper()
    first.claim(A1, chunk=0)
    assert first.claim(A2, chunk=1) == {}
    first.settle("rejected", A1, chunk=0)

    assert first.claim(A2, chunk=1) == {"a": False}
    first.settle("created", A2, chunk=1)

    assert first.counts() == {"read": 2, "rejected": 1, "created": 1}
    assert first.letters() == {"a1": "resolved"}


def test_an_earlier_row_of_the_file_does_not_undo_a_later_row_after_a_crash(
    ledger_helper: Make,
) -> None:
    first = ledger_helper()
    first.load("rejected", A1, chunk=0)
    first.load("created", A2, chunk=1)

    assert first.claim(A1, chunk=0) == {}
    assert first.claim(A2, chunk=1) == {}

    assert first.counts() == {"read": 2, "superseded": 1, "created": 1}
    assert first.letters() == {"a1": "resolved"}


def test_an_earlier_row_with_a_newer_version_is_not_lost_behind_a_later_row(
    ledger_helper: Make,
) -> None:
    first = ledger_helper()
    first.claim(("a", "a2", 5), chunk=0)
    first.settle("deferred", ("a", "a2", 5), chunk=0)
    first.load("created", ("a", "a1", 3), chunk=1)

    first.claim(("a", "a2", 5), chunk=0)

    assert first.counts() == {"read": 2, "created": 1, "deferred": 1}
    first.settle("updated", ("a", "a2", 5), chunk=0)
    assert first.counts() == {"read": 2, "created": 1, "updated": 1}


def test_accounts_of_one_store_are_isolated(ledger_helper: Make) -> None:
    ledger_helper().load("created", A1)
    elsewhere = ledger_helper("second", account="elsewhere")

    assert elsewhere.claim(A1) == {"a": False}
    assert set() == elsewhere.ledger.emails_of_others({"b": "digest of a"})


def test_an_email_delivered_under_another_id_is_known(ledger_helper: Make) -> None:
    first = ledger_helper()
    first.load("created", A1)
    digests = {"a": "digest of a", "b": "digest of a", "c": "digest of c"}

    assert first.ledger.emails_of_others(digests) == {"b"}
    assert set() == first.ledger.emails_of_others({})


def test_emails_are_indexed_once_they_are_looked_up(ledger_helper: Make) -> None:
    first = ledger_helper()
    first.load("created", A1)
    assert not first.db.has_table("bunce_customers_email")

    first.ledger.emails_of_others({"b": "digest of a"})

    assert first.db.has_table("bunce_customers_email")


def test_ids_that_look_like_numbers_or_contain_special_characters_stay_distinct(
    ledger_helper: Make,
) -> None:
    keys = ["1", "01", "1.0", "1e0", "NULL", "", "é", "e\u0301", "a'b", 'a"b', "a;--", "$1", "?1"]
    rows = [(key, "same content") for key in keys]
    ledger_helper().load("created", *rows)
    second = ledger_helper("second")

    assert second.claim(*rows) == {}
    assert {"read": len(keys), "unchanged": len(keys)} == second.counts()


def test_an_empty_chunk_counts_nothing(ledger_helper: Make) -> None:
    first = ledger_helper()

    assert first.claim() == {}
    assert first.counts() == {}


def test_processes_that_race_for_the_same_customers_never_claim_one_twice(
    together: Callable[[list[str]], list[list[str]]], store_url: str
) -> None:
    program = """
import random
from pathlib import Path
import pyarrow as pa
from dlt_bunce.store.database import Database
from dlt_bunce.store.letters.dead_letters import LETTERS
from dlt_bunce.store.ledger import Ledger
from dlt_bunce.store.load_file import LoadFile

def chunk(keys):
    return pa.table({"row": pa.array(range(len(keys)), pa.int64()), "customer_id": keys,
        "fingerprint": keys, "version": pa.nulls(len(keys), pa.int64())})

keys = [f"c{n}" for n in range(3000)]
random.Random(NAME).shuffle(keys)
start = ready()
time.sleep(max(0.0, start - time.time()))
claimed = []
with Database(URL) as db:
    ledger = Ledger(db, LoadFile("default", NAME, "crm", "customers", "file", "merge"))
    for number in range(10):
        rows = chunk(keys[number * 300 : number * 300 + 300])
        claim = ledger.claim(rows, LETTERS.empty_table(), chunk=number, read=300, superseded=0)
        claimed += claim.to_send.column("customer_id").to_pylist()
        assert claim.busy == 300 - claim.to_send.num_rows
        if number == 0:  # wait until all processes have started
            Path(f"{NAME}.begun").touch()
            while len(list(Path().glob("*.begun"))) < 3:
                time.sleep(0.01)
        time.sleep(0.02)
answer(claimed)
"""

    claims = together(
        [f"URL, NAME = {(store_url, name)!r}\n{program}" for name in ("one", "two", "three")]
    )

    assert all(claims)
    assert [f"c{n}" for n in sorted(range(3000), key=str)] == sorted(
        key for claim in claims for key in claim
    )
