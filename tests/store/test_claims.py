"""Claims: who is sending a customer, and what may have been delivered if they crashed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Make = Callable[..., Any]

A1 = ("a", "a1")
B1 = ("b", "b1")


def test_a_customer_is_busy_while_another_live_run_sends_it(ledger_helper: Make) -> None:
    first, second = ledger_helper(), ledger_helper("second")
    first.claim(A1)

    assert second.claim(A1, B1) == {"b": False}
    assert second.counts() == {"read": 2, "deferred": 2}

    first.settle("created", A1)
    second.claim(A1, B1)

    assert second.counts() == {"read": 2, "unchanged": 1, "deferred": 1}


def test_a_claim_with_an_expired_lease_is_taken_over_as_indeterminate(
    ledger_helper: Make, clock: Any
) -> None:
    first, second = ledger_helper(), ledger_helper("second")
    first.claim(A1)
    first.ledger.mark_in_flight({0: 1})
    clock.now += 179
    assert second.claim(A1) == {}
    clock.now += 1
    assert second.claim(A1) == {"a": True}


def test_a_renewed_lease_protects_rows_that_are_still_being_sent(
    ledger_helper: Make, clock: Any
) -> None:
    first, second = ledger_helper(), ledger_helper("second")
    first.claim(A1, chunk=7)
    first.ledger.mark_in_flight({7: 1})
    clock.now += 179
    first.ledger.renew([7])
    clock.now += 179
    assert second.claim(A1) == {}

    clock.now += 1
    assert second.claim(A1) == {"a": True}


def test_indeterminate_rows_can_be_claimed_once_the_load_has_ended(ledger_helper: Make) -> None:
    first, second = ledger_helper(), ledger_helper("second")
    first.claim(A1, chunk=7)
    first.ledger.renew([7])
    first.settle("deferred", A1, chunk=7, indeterminate=True)
    assert second.claim(A1) == {}

    first.ledger.release([7])

    assert second.claim(A1) == {"a": True}


def test_a_row_that_may_have_been_delivered_stays_indeterminate_for_the_next_run(
    ledger_helper: Make,
) -> None:
    first, second = ledger_helper(), ledger_helper("second")
    first.claim(A1)
    first.settle("deferred", A1, indeterminate=True)

    assert first.counts() == {"read": 1, "deferred": 1}
    assert second.claim(A1) == {"a": True}


def test_a_row_that_was_never_sent_can_be_claimed_again_and_is_not_indeterminate(
    ledger_helper: Make,
) -> None:
    first, second = ledger_helper(), ledger_helper("second")
    first.claim(A1)
    first.settle("deferred", A1)

    assert second.claim(A1) == {"a": False}


def test_rows_are_indeterminate_after_a_crash_before_anything_is_settled(
    ledger_helper: Make,
) -> None:
    first = ledger_helper()
    first.claim(A1, B1)
    first.ledger.mark_in_flight({0: 2})

    assert first.claim(A1, B1) == {"a": True, "b": True}


def test_what_a_job_settles_after_losing_its_claim_changes_nothing(
    ledger_helper: Make, clock: Any
) -> None:
    first, second = ledger_helper(), ledger_helper("second")
    for fate in ("created", "rejected", "deferred"):
        row = (fate, "content")
        first.claim(row)
        first.ledger.mark_in_flight({0: 1})
        clock.now += 180
        assert {fate: True} == second.claim(row)
        first.settle(fate, row, indeterminate=fate == "deferred")
        assert first.counts() == {"read": 1, "deferred": 1}
        second.settle("created", row)
        first.settle(fate, row, indeterminate=fate == "deferred")

        assert first.counts() == {"read": 1, "deferred": 1}
        assert second.counts() == {"read": 1, "created": 1}
        first.claim(row)
        assert first.counts() == {"read": 1, "unchanged": 1}
    assert first.letters() == {}


def test_a_late_response_counts_if_nobody_else_has_claimed_the_row(
    ledger_helper: Make, clock: Any
) -> None:
    first = ledger_helper()
    first.claim(A1)
    clock.now += 10_000
    first.settle("created", A1)

    assert first.counts() == {"read": 1, "created": 1}


def test_a_settlement_written_twice_is_counted_once(ledger_helper: Make) -> None:
    first = ledger_helper()
    first.load("created", A1)
    first.settle("created", A1)

    assert first.counts() == {"read": 1, "created": 1}


def test_rows_are_settled_when_others_of_the_chunk_were_lost(
    ledger_helper: Make, clock: Any
) -> None:
    first, second = ledger_helper(), ledger_helper("second")
    first.claim(A1, B1)
    clock.now += 180
    second.claim(A1)

    first.settle("rejected", A1, B1)

    assert first.counts() == {"read": 2, "rejected": 1, "deferred": 1}
    assert first.letters() == {"b1": "open"}


def test_only_rows_marked_in_flight_by_a_dead_load_are_indeterminate(
    ledger_helper: Make, clock: Any
) -> None:
    first, second, third = ledger_helper(), ledger_helper("second"), ledger_helper("third")
    first.claim(A1, B1, chunk=7)
    first.ledger.mark_in_flight({7: 1})
    clock.now += 180

    assert second.claim(A1, B1) == {"a": True, "b": False}
    clock.now += 180
    # the second run sent nothing, which does not tell what the first one sent
    assert third.claim(A1, B1) == {"a": True, "b": False}
    third.ledger.mark_in_flight({0: 2})
    clock.now += 180
    assert first.claim(A1, B1) == {"a": True, "b": True}


def test_a_chunk_read_again_by_its_own_job_continues_where_it_was(ledger_helper: Make) -> None:
    first = ledger_helper()
    first.claim(A1, B1, ("c", "c1"))
    first.ledger.mark_in_flight({0: 1})
    assert first.claim(A1, B1, ("c", "c1")) == {"a": True, "b": False, "c": False}

    first.ledger.mark_in_flight({0: 2})

    assert first.claim(A1, B1, ("c", "c1")) == {"a": True, "b": True, "c": False}


def test_nothing_is_kept_of_a_chunk_that_is_done(ledger_helper: Make) -> None:
    first = ledger_helper()
    first.claim(A1, B1)
    first.ledger.mark_in_flight({0: 2})
    first.settle("deferred", A1, indeterminate=True)
    first.settle("created", B1, done=[0])

    assert first.db.rows("SELECT * FROM bunce_sendings") == []
    assert ledger_helper("second").claim(A1, B1) == {"a": True}


@pytest.mark.parametrize(
    ("bad", "later", "chunk"),
    [([("b", "bad")], "second", 0), ([], "first", 1)],
    ids=["other-rules", "smaller-chunks"],
)
def test_rows_that_an_earlier_try_marked_in_flight_stay_indeterminate_when_the_next_claims_fewer(
    ledger_helper: Make, clock: Any, bad: list[tuple[str, str]], later: str, chunk: int
) -> None:
    first = ledger_helper("first")
    first.claim(A1, B1)
    first.ledger.mark_in_flight({0: 2})
    first.claim(A1, bad=bad)
    first.ledger.mark_in_flight({0: 1})
    first.settle("created", A1, done=[0])
    clock.now += 180

    assert ledger_helper(later).claim(B1, chunk=chunk) == {"b": True}
