"""Batches on their way: a few threads, and customers who share an email in the order of reading."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

import pyarrow as pa

from dlt_bunce.api.verdict import Row, Verdict
from dlt_bunce.errors import BunceError


@dataclass(frozen=True)
class Delivered:
    """What became of a batch: a verdict a row, the calls it took, and why to stop, if at all."""

    batch: pa.Table
    verdicts: list[Verdict]
    calls: int
    fault: BunceError | None


Deliver = Callable[[pa.Table], Delivered]


def deliver(
    batches: Iterable[pa.Table],
    send: Deliver,
    *,
    threads: int,
    in_flight: Callable[[], int],
    abandon: Callable[[], None],
) -> Generator[Delivered, None, None]:
    """Sends batches from `threads` threads and yields each as it is settled with Bunce.

    Twice as many batches as `in_flight()` are made ahead, so that no thread waits for the store.
    A batch waits for those in flight with which it shares an email: who was read first gets it.
    `abandon` is called when the caller leaves early: what is queued then must not go out, since
    nobody would write down its fate.
    """
    running: dict[Future[Delivered], set[str]] = {}

    def finished() -> Iterator[Delivered]:
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            del running[future]
            yield future.result()

    with ThreadPoolExecutor(threads, "bunce-send") as pool:
        try:
            for batch in batches:
                emails = set(batch.column("email").to_pylist())
                while len(running) >= 2 * in_flight() or any(
                    map(emails.intersection, running.values())
                ):
                    yield from finished()
                running[pool.submit(send, batch)] = emails
            while running:
                yield from finished()
        except BaseException:
            abandon()
            raise


def rows_of(batch: pa.Table) -> list[Row]:
    """The rows of a batch as a settlement takes them."""
    names = ("customer_id", "email", "phone_no", "payload", "in_doubt")
    columns = [batch.column(name).to_pylist() for name in names]
    return [Row(*values) for values in zip(*columns, strict=True)]
