"""Rows that Bunce calls taken wait for a look-up with others, but not for long."""

from __future__ import annotations

import pyarrow as pa
import pytest

from dlt_bunce.load.dispatch import Batch, Delivered
from dlt_bunce.load.pending_lookups import PendingLookups
from dlt_bunce.settlement.messages import Reason
from dlt_bunce.settlement.row_result import RowResult

TAKEN = Reason("taken", "c1@example.com is already taken", 422)


def batch(chunk: int, first: int, rows: int, *, indeterminate: bool = False) -> pa.Table:
    """Rows of a chunk on their way."""
    numbers = range(first, first + rows)
    texts = dict.fromkeys(("first_name", "last_name", "phone_no", "devices"), [""] * rows)
    return pa.table(
        {
            "customer_id": [f"c{n}" for n in numbers],
            "email": [f"c{n}@example.com" for n in numbers],
            **texts,
            "payload": ["{}"] * rows,
            "verb": ["create"] * rows,
            "indeterminate": [indeterminate] * rows,
            "bunce_id": pa.nulls(rows, pa.string()),
            "chunk": pa.array([chunk] * rows, pa.int64()),
        }
    )


class Waiting:
    """A load in which rows wait."""

    def __init__(self, max_wait_s: float = 60.0) -> None:
        self.pending = PendingLookups(max_wait_s=max_wait_s)

    def taken(self, rows: pa.Table, *taken: int, lagging: tuple[int, ...] = ()) -> list[str]:
        """Some of the rows are held as taken; return the ids of those that are settled."""
        results = [RowResult("created", "response")] * rows.num_rows
        held = dict.fromkeys((*taken, *lagging), TAKEN)
        delivered = Delivered(Batch(rows), results, held=held, lagging=frozenset(lagging))
        settled, results = self.pending.take(delivered)
        assert settled.num_rows == len(results)
        return ids(settled)

    def due(self, chunk: int = 0) -> list[list[str]]:
        """The ids of the batches that need not wait."""
        return [ids(batch.rows) for batch in self.pending.due(chunk)]


def ids(rows: pa.Table) -> list[str]:
    found: list[str] = rows.column("customer_id").to_pylist()
    return found


def test_enough_taken_rows_for_a_look_up_are_due_at_once() -> None:
    load = Waiting()

    assert load.taken(batch(0, 0, 97), *range(97)) == []
    assert load.due() == []
    assert load.taken(batch(0, 97, 5), 2) == ["c97", "c98", "c100", "c101"]
    (due,) = load.pending.due(0)

    assert ids(due.rows) == [*(f"c{n}" for n in range(97)), "c99"]
    assert due.taken == dict.fromkeys(range(98), TAKEN)
    assert due.last_try
    assert list(load.pending.rest()) == []


def test_taken_rows_are_due_when_four_chunks_more_are_claimed() -> None:
    load = Waiting()

    load.taken(batch(1, 10, 10), 0)
    load.taken(batch(3, 30, 10), 0)

    assert load.due(4) == []
    assert load.due(5) == [["c10", "c30"]]
    assert load.due(9) == []


def test_taken_rows_are_due_after_a_while_with_the_next_chunk() -> None:
    load = Waiting(max_wait_s=0.0)

    load.taken(batch(0, 0, 10), 0)

    assert load.due(0) == [["c0"]]


def test_rows_that_share_an_email_are_not_looked_up_together() -> None:
    load = Waiting()
    twice = batch(0, 0, 2).set_column(1, "email", pa.array(["one@example.com"] * 2))

    load.taken(twice, 0, 1)

    assert [part.rows.num_rows for part in load.pending.rest()] == [1, 1]


@pytest.mark.parametrize("created_now", [True, False])
def test_rows_that_a_request_may_have_delivered_wait_for_the_end(*, created_now: bool) -> None:
    load = Waiting(max_wait_s=0.0)
    rows = batch(0, 0, 3, indeterminate=not created_now)

    assert load.taken(rows, *([] if created_now else [1]), lagging=(1,) * created_now) == [
        "c0",
        "c2",
    ]
    assert load.due(9) == []
    assert list(load.pending.rest()) == []
    assert load.pending.has_lagging
    (batch_,) = load.pending.lagging(last_try=False)

    assert ids(batch_.rows) == ["c1"]
    assert batch_.lagging == (frozenset({0}) if created_now else frozenset())
    assert not load.pending.has_lagging


def test_rows_of_a_last_try_are_not_kept_again() -> None:
    load = Waiting()
    load.taken(batch(0, 0, 1), lagging=(0,))
    (last,) = load.pending.lagging(last_try=True)

    deferred = RowResult("deferred", indeterminate=True)
    rows, results = load.pending.take(
        Delivered(last, [deferred], held={0: TAKEN}, lagging=frozenset({0}))
    )

    assert (ids(rows), results) == (["c0"], [deferred])
    assert not load.pending.has_lagging
