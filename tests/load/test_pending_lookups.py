"""Rows wait for what others bring, but not for long."""

from __future__ import annotations

import pyarrow as pa
import pytest

from dlt_bunce.load.dispatch import Delivered
from dlt_bunce.load.pending_lookups import PendingLookups, caused_by, last_errors
from dlt_bunce.settlement.capabilities import ApiCapabilities
from dlt_bunce.settlement.row_result import RowResult
from dlt_bunce.settlement.work_item import BatchRejection

SAID = ("c1@example.com is already taken", 422)


def batch(chunk: int, first: int, rows: int) -> pa.Table:
    """Rows of a chunk as they are on their way."""
    numbers = range(first, first + rows)
    return pa.table(
        {
            "customer_id": [f"c{n}" for n in numbers],
            "email": [f"c{n}@example.com" for n in numbers],
            "payload": ["{}"] * rows,
            "verb": ["create"] * rows,
            "indeterminate": [False] * rows,
            "chunk": pa.array([chunk] * rows, pa.int64()),
        }
    )


BAD = "bad"


class Waiting:
    """A load in which rows wait."""

    def __init__(self, max_wait_s: float = 60.0) -> None:
        self.capabilities = ApiCapabilities()
        self.held = PendingLookups(self.capabilities, max_wait_s=max_wait_s)

    def learn(self, named: int, absent: int = 0, *, fresh: bool = False) -> None:
        """A refusal of so many rows was looked up."""
        refusal = BatchRejection(named, 100, BAD, counted=True, fresh=fresh)
        self.capabilities.learn(refusal, absent, 0, looked_up=100 - named)

    def taken(self, rows: pa.Table, *taken: int) -> list[str]:
        """Some of the rows are called taken; returns the ids of those that are settled."""
        said = dict.fromkeys(taken, SAID)
        return self._settled(Delivered(rows, _created(rows), 1, None, said, ()))

    def left_over(self, rows: pa.Table, named: int, *left: int, sort: str = BAD) -> list[str]:
        """A refusal leaves some of the rows over; returns the ids of those that are settled."""
        refusal = BatchRejection(named, 100, sort, counted=True)
        return self._settled(Delivered(rows, _created(rows), 1, None, {}, [(left, refusal)]))

    def due(self, chunk: int = 0) -> list[list[str]]:
        """The ids of the batches that need not wait."""
        return [ids(batch) for batch in self.held.due(chunk)]

    def _settled(self, delivered: Delivered) -> list[str]:
        settled, results = self.held.without(delivered)
        assert settled.num_rows == len(results)
        return ids(settled)


def ids(rows: pa.Table) -> list[str]:
    found: list[str] = rows.column("customer_id").to_pylist()
    return found


def _created(rows: pa.Table) -> list[RowResult]:
    return [RowResult("created", "response")] * rows.num_rows


def test_enough_taken_rows_for_a_look_up_are_due_at_once() -> None:
    load = Waiting()

    assert load.taken(batch(0, 0, 97), *range(97)) == []
    assert load.due() == []
    assert load.taken(batch(0, 97, 5), 2) == ["c97", "c98", "c100", "c101"]
    (due,) = load.held.due(0)

    assert [*(f"c{n}" for n in range(97)), "c99"] == ids(due)
    assert dict.fromkeys(range(98), SAID) == last_errors(due)
    assert caused_by(due) is None
    assert list(load.held.rest()) == []


def test_taken_rows_are_due_when_four_chunks_more_are_claimed() -> None:
    load = Waiting()

    load.taken(batch(1, 10, 10), 0)
    load.taken(batch(3, 30, 10), 0)

    assert load.due(4) == []
    assert load.due(5) == [["c10", "c30"]]
    assert load.due(9) == []


def test_rows_that_share_an_email_are_not_asked_for_together() -> None:
    load = Waiting()
    twice = batch(0, 0, 2).set_column(1, "email", pa.array(["one@example.com"] * 2))

    load.taken(twice, 0, 1)

    assert [part.num_rows for part in load.held.rest()] == [1, 1]


def test_rows_left_over_wait_until_their_refusal_is_believed() -> None:
    load = Waiting()

    assert load.left_over(batch(0, 0, 3), 5, 1, 2) == ["c0"]
    load.left_over(batch(0, 3, 2), 7, 0, 1)
    assert load.due() == []
    load.learn(2, fresh=True)
    assert load.due() == []
    load.learn(6)
    (due,) = load.held.due(0)

    assert ids(due) == ["c1", "c2"]
    assert due.column("indeterminate").to_pylist() == [True, True]
    assert BatchRejection(5, 100, BAD, counted=True) == caused_by(due)
    assert last_errors(due) == {}
    assert [ids(batch) for batch in load.held.rest()] == [["c3", "c4"]]


def test_rows_left_over_do_not_wait_once_a_count_has_lied() -> None:
    load = Waiting()

    load.left_over(batch(0, 0, 1), 5, 0)
    load.left_over(batch(0, 1, 1), 7, 0)
    load.learn(2, absent=1)

    assert load.due() == [["c0"], ["c1"]]


def test_a_larger_share_than_was_checked_is_not_believed() -> None:
    load = Waiting()
    load.learn(2, fresh=True)
    load.learn(9)
    few = BatchRejection(5, 20, BAD, counted=True)

    # nor is what only two of them together have shown
    load.capabilities.learn(BatchRejection(3, 6, BAD, counted=True), 0, 0, looked_up=3)
    assert load.capabilities.believes(BatchRejection(5, 100, BAD, counted=True))
    assert not load.capabilities.believes(few)
    assert load.capabilities.may_believe(few)


@pytest.mark.parametrize(("max_wait_s", "chunk"), [(60.0, 4), (0.0, 0)])
def test_rows_left_over_do_not_wait_for_long(max_wait_s: float, chunk: int) -> None:
    load = Waiting(max_wait_s)

    load.left_over(batch(0, 0, 1), 5, 0)
    load.left_over(batch(0, 1, 1), 5, 0, sort="bad taken")
    load.left_over(batch(4, 2, 1), 9, 0)

    assert load.due(chunk)[:2] == [["c0"], ["c1"]]
    assert (max_wait_s == 0) == (list(load.held.rest()) == [])


def test_before_rows_have_waited_too_long_those_go_that_decide_the_most() -> None:
    load = Waiting()
    load.learn(2, fresh=True)

    for number, named in enumerate((5, 9, 7)):
        load.left_over(batch(0, number, 1), named, 0)

    assert load.due(2) == []
    assert load.due(3) == [["c1"]]
    # what it brings decides about the others
    assert load.due(3) == []
    load.learn(9)
    assert load.due(3) == [["c0"], ["c2"]]


def test_at_the_end_those_that_decide_the_most_go_first() -> None:
    load = Waiting()
    load.learn(2, fresh=True)

    for number, (named, sort) in enumerate([(5, BAD), (9, BAD), (7, BAD), (9, "taken")]):
        load.left_over(batch(0, number, 1), named, 0, sort=sort)

    assert [ids(batch) for batch in load.held.telling()] == [["c1"]]
    # a sort without a proof would not get one any more
    assert [ids(batch) for batch in load.held.rest()] == [["c0"], ["c2"], ["c3"]]
    assert list(load.held.telling()) == []


def test_no_row_waits_for_a_proof_that_eight_batches_did_not_bring() -> None:
    load = Waiting()
    refusal = BatchRejection(5, 100, BAD, counted=True)

    for _ in range(8):
        assert load.capabilities.may_believe(refusal)
        load.capabilities.request_verification(refusal)
        assert load.capabilities.take_verification()

    assert not load.capabilities.may_believe(refusal)
    load.capabilities.request_verification(refusal)
    assert not load.capabilities.take_verification()


def test_rows_left_over_go_before_a_batch_with_one_of_their_emails() -> None:
    load = Waiting()
    load.left_over(batch(0, 0, 2), 5, 0)
    load.left_over(batch(0, 2, 2), 5, 0)

    assert list(load.held.sharing({"c1@example.com", "c9@example.com"})) == []
    assert [ids(batch) for batch in load.held.sharing({"c2@example.com"})] == [["c2"]]
    assert [ids(batch) for batch in load.held.rest()] == [["c0"]]


def test_nothing_is_known_of_a_batch_that_did_not_wait() -> None:
    assert last_errors(batch(0, 0, 2)) == {}
    assert caused_by(batch(0, 0, 2)) is None
