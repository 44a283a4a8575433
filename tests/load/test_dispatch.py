"""Batches in flight: what has come in is settled when asked for, and emails keep their order."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence

import pyarrow as pa
import pytest

from dlt_bunce.load.dispatch import Batch, Delivered, Dispatcher, Send
from dlt_bunce.settlement.row_result import RowResult


def batch(*numbers: int, email: str = "") -> Batch:
    """A batch of customers; all have one email where it is given."""
    texts = ("first_name", "last_name", "phone_no", "devices")
    rows = {
        "customer_id": [f"c{n}" for n in numbers],
        "email": [email or f"c{n}@example.com" for n in numbers],
        "payload": ["{}"] * len(numbers),
        "indeterminate": [False] * len(numbers),
        "bunce_id": pa.nulls(len(numbers), pa.string()),
    }
    return Batch(
        pa.table(rows | {name: pa.array(["x"] * len(numbers), pa.string()) for name in texts})
    )


def delivered(sent: Batch) -> Delivered:
    """All of them are created."""
    return Delivered(sent, [RowResult("created", "response")] * sent.rows.num_rows)


def ids(groups: Iterable[Sequence[Delivered]]) -> list[str]:
    rows = [delivered.batch.rows for group in groups for delivered in group]
    return [key for table in rows for key in table.column("customer_id").to_pylist()]


def dispatcher(send: Send, aborted: threading.Event | None = None) -> Dispatcher:
    stop = aborted or threading.Event()
    return Dispatcher(send, threads=4, in_flight=lambda: 2, on_abort=stop.set)


def test_what_has_come_in_is_there_when_asked_for() -> None:
    going = threading.Event()

    def send(sent: Batch) -> Delivered:
        if ids([[delivered(sent)]]) == ["c2"]:
            assert going.wait(10)
        return delivered(sent)

    with dispatcher(send) as running:
        settled = ids(running.submit(batch(1)))
        settled += ids(running.submit(batch(2)))
        while "c1" not in settled:
            settled += ids(running.settled())
        assert settled == ["c1"]
        going.set()

        assert ids(running.drain()) == ["c2"]


def test_who_was_read_first_has_ended_before_another_with_that_email_begins() -> None:
    log: list[str] = []

    def send(sent: Batch) -> Delivered:
        (key,) = sent.rows.column("customer_id").to_pylist()
        log.append(f"begin {key}")
        log.append(f"end {key}")
        return delivered(sent)

    with dispatcher(send) as running:
        settled = ids(running.submit(batch(1, email="one@example.com")))
        settled += ids(running.submit(batch(2)))
        settled += ids(running.submit(batch(3, email="one@example.com")))
        settled += ids(running.drain())

    assert sorted(settled) == ["c1", "c2", "c3"]
    assert log.index("end c1") < log.index("begin c3")


def test_no_more_batches_are_queued_than_threads_can_soon_send() -> None:
    going = threading.Event()

    def send(sent: Batch) -> Delivered:
        assert going.wait(10)
        return delivered(sent)

    with dispatcher(send) as running:
        for number in range(4):
            assert ids(running.submit(batch(number))) == []
        fifth = running.submit(batch(4))
        going.set()

        assert set(ids(fifth)) <= {"c0", "c1", "c2", "c3"}
        assert "c4" in ids(running.drain())


def test_whoever_leaves_early_says_that_nothing_queued_may_go() -> None:
    aborted = threading.Event()

    def load() -> None:
        with dispatcher(delivered, aborted) as running:
            list(running.submit(batch(1)))
            raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        load()

    assert aborted.is_set()
