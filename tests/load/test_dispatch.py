"""Batches on their way: what has come in is settled when asked for, and emails keep their order."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pyarrow as pa

from dlt_bunce.api.batch import Rows
from dlt_bunce.load.dispatch import Delivered, deliver
from dlt_bunce.settlement.row_result import RowResult


def batch(*numbers: int, email: str = "") -> pa.Table:
    """A batch of customers; all have one email where it is given."""
    texts = ("first_name", "last_name", "phone_no", "devices")
    return pa.table(
        {
            "customer_id": [f"c{n}" for n in numbers],
            "email": [email or f"c{n}@example.com" for n in numbers],
            "payload": ["{}"] * len(numbers),
            "indeterminate": [False] * len(numbers),
        }
        | {name: pa.array(["x"] * len(numbers), pa.string()) for name in texts}
    )


def delivered(rows: pa.Table) -> Delivered:
    """All of them are created."""
    return Delivered(rows, [RowResult("created", "response")] * rows.num_rows, 1, None, {}, ())


def test_none_among_the_batches_asks_for_what_has_come_in() -> None:
    sent = threading.Event()
    settled: list[str] = []
    seen: list[list[str]] = []

    def send(rows: pa.Table, _: Rows) -> Delivered:
        try:
            return delivered(rows)
        finally:
            sent.set()

    def batches() -> Iterator[pa.Table | None]:
        yield batch(1)
        assert sent.wait(10)
        # the thread may still be on its way back
        while not settled:
            yield None
        seen.append(list(settled))
        yield batch(2)

    groups = deliver(
        batches(),
        send,
        threads=2,
        in_flight=lambda: 2,
        before=lambda _emails: (),
        on_abort=lambda: None,
    )
    for group in groups:
        settled += [key for sent in group for key in sent.batch.column("customer_id").to_pylist()]

    assert seen == [["c1"]]
    assert settled == ["c1", "c2"]


def test_what_must_go_before_a_batch_has_ended_before_it_begins() -> None:
    waiting = [batch(1, email="one@example.com"), batch(2, email="two@example.com")]
    log: list[str] = []

    def send(rows: pa.Table, _: Rows) -> Delivered:
        (key,) = rows.column("customer_id").to_pylist()
        log.append(f"begin {key}")
        log.append(f"end {key}")
        return delivered(rows)

    def before(emails: set[str]) -> Iterator[pa.Table]:
        while waiting and emails == {"one@example.com"}:
            yield waiting.pop()

    groups = deliver(
        iter([batch(3), batch(4, email="one@example.com")]),
        send,
        threads=4,
        in_flight=lambda: 4,
        before=before,
        on_abort=lambda: None,
    )

    assert sum(len(group) for group in groups) == 4
    assert log.index("end c1") < log.index("begin c4")
