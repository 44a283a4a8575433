"""Rows wait for a look-up with others, but not for long."""

from __future__ import annotations

import pyarrow as pa

from dlt_bunce.held import Held, said_of

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
            "chunk": pa.array([chunk] * rows, pa.int64()),
        }
    )


def test_enough_rows_for_a_look_up_are_due_at_once() -> None:
    held = Held()

    held.add(batch(0, 0, 97), dict.fromkeys(range(97), SAID))
    assert not held.is_due
    held.add(batch(0, 97, 5), {2: SAID})
    assert held.is_due
    (due,) = held.batches()

    assert [*(f"c{n}" for n in range(97)), "c99"] == due.column("customer_id").to_pylist()
    assert dict.fromkeys(range(98), SAID) == said_of(due)
    assert not held.is_due
    assert [] == list(held.batches())


def test_rows_of_more_than_four_chunks_are_due() -> None:
    held = Held()

    for chunk in range(4):
        held.add(batch(chunk, 10 * chunk, 10), {0: SAID})
        assert not held.is_due
    held.add(batch(4, 40, 10), {0: SAID})

    assert held.is_due


def test_rows_that_share_an_email_are_not_asked_for_together() -> None:
    held = Held()
    twice = batch(0, 0, 2).set_column(1, "email", pa.array(["one@example.com"] * 2))

    held.add(twice, {0: SAID, 1: SAID})

    assert [1, 1] == [part.num_rows for part in held.batches()]


def test_nothing_was_said_of_a_batch_that_was_not_held() -> None:
    assert {} == said_of(batch(0, 0, 2))
