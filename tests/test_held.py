"""Rows wait for what others bring, but not for long."""

from __future__ import annotations

import pyarrow as pa

from dlt_bunce.api.parcel import Refusal
from dlt_bunce.api.verdict import Verdict
from dlt_bunce.delivery import Delivered
from dlt_bunce.held import Held, left_by, said_of

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
            "in_doubt": [False] * rows,
            "chunk": pa.array([chunk] * rows, pa.int64()),
        }
    )


class Waiting:
    """A load in which rows wait; refusals of fewer rows than `decided` are decided."""

    def __init__(self) -> None:
        self.decided = 0
        self.held = Held(lambda refusal: refusal.named < self.decided)

    def taken(self, rows: pa.Table, *taken: int) -> list[str]:
        """Some of the rows are called taken; returns the ids of those that are settled."""
        said = dict.fromkeys(taken, SAID)
        return self._settled(Delivered(rows, _created(rows), 1, None, said, ()))

    def left_over(self, rows: pa.Table, refusal: Refusal, *left: int) -> list[str]:
        """A refusal leaves some of the rows over; returns the ids of those that are settled."""
        return self._settled(Delivered(rows, _created(rows), 1, None, {}, [(left, refusal)]))

    def due(self) -> list[list[str]]:
        """The ids of the batches that need not wait."""
        return [one.column("customer_id").to_pylist() for one in self.held.due()]

    def _settled(self, delivered: Delivered) -> list[str]:
        settled, verdicts = self.held.without(delivered)
        assert settled.num_rows == len(verdicts)
        ids: list[str] = settled.column("customer_id").to_pylist()
        return ids


def _created(rows: pa.Table) -> list[Verdict]:
    return [Verdict("created", "response")] * rows.num_rows


def test_enough_taken_rows_for_a_look_up_are_due_at_once() -> None:
    load = Waiting()

    assert [] == load.taken(batch(0, 0, 97), *range(97))
    assert [] == load.due()
    assert ["c97", "c98", "c100", "c101"] == load.taken(batch(0, 97, 5), 2)
    (due,) = load.held.due()

    assert [*(f"c{n}" for n in range(97)), "c99"] == due.column("customer_id").to_pylist()
    assert dict.fromkeys(range(98), SAID) == said_of(due)
    assert left_by(due) is None
    assert [] == list(load.held.rest())


def test_taken_rows_of_more_than_four_chunks_are_due() -> None:
    load = Waiting()

    for chunk in range(4):
        load.taken(batch(chunk, 10 * chunk, 10), 0)
        assert [] == load.due()
    load.taken(batch(4, 40, 10), 0)

    assert [["c0", "c10", "c20", "c30", "c40"]] == load.due()


def test_rows_that_share_an_email_are_not_asked_for_together() -> None:
    load = Waiting()
    twice = batch(0, 0, 2).set_column(1, "email", pa.array(["one@example.com"] * 2))

    load.taken(twice, 0, 1)

    assert [1, 1] == [part.num_rows for part in load.held.rest()]


def test_rows_left_over_wait_until_their_refusal_is_decided() -> None:
    load = Waiting()

    assert ["c0"] == load.left_over(batch(0, 0, 3), Refusal(5, "bad"), 1, 2)
    load.left_over(batch(0, 3, 2), Refusal(7, "bad"), 0, 1)
    assert [] == load.due()
    load.decided = 6
    (due,) = load.held.due()

    assert ["c1", "c2"] == due.column("customer_id").to_pylist()
    assert [True, True] == due.column("in_doubt").to_pylist()
    assert Refusal(5, "bad") == left_by(due)
    assert {} == said_of(due)
    assert ["c3", "c4"] == next(load.held.rest()).column("customer_id").to_pylist()


def test_rows_left_over_wait_for_four_chunks_at_most() -> None:
    load = Waiting()

    for chunk in range(6):
        load.left_over(batch(chunk, 10 * chunk, 1), Refusal(5, "bad"), 0)

    assert [["c0"], ["c10"]] == load.due()
    assert [] == load.due()


def test_nothing_is_known_of_a_batch_that_did_not_wait() -> None:
    assert {} == said_of(batch(0, 0, 2))
    assert left_by(batch(0, 0, 2)) is None
