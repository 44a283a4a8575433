"""Batches on their way: a few threads, and customers who share an email in the order of reading."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TypeVar, cast

import pyarrow as pa

from dlt_bunce.api.batch import Rows
from dlt_bunce.errors import BunceError
from dlt_bunce.settlement.row_result import RowResult
from dlt_bunce.settlement.settlement import Said
from dlt_bunce.settlement.work_item import BatchRejection


@dataclass(frozen=True)
class Delivered:
    """What became of a batch: a result a row, the calls it took, and why to stop, if at all.

    The results of rows that are `held` or `unverified` do not count: they are settled later.
    """

    batch: pa.Table
    results: list[RowResult]
    calls: int
    fault: BunceError | None
    held: Mapping[int, Said]
    unverified: Sequence[tuple[Sequence[int], BatchRejection]]


_MIN_PREFETCHED = 4
"""Batches made prefetch however few are in flight: a store may take longer than Bunce does."""
_T = TypeVar("_T")

Deliver = Callable[[pa.Table, Rows], Delivered]


def prefetch(items: Iterator[_T]) -> Generator[_T, None, None]:
    """The same items; each next one is made in a thread of its own meanwhile."""
    end = object()
    with ThreadPoolExecutor(1, "bunce-read") as pool:
        coming = pool.submit(next, items, end)
        while (item := coming.result()) is not end:
            coming = pool.submit(next, items, end)
            yield cast("_T", item)


def deliver(
    batches: Iterable[pa.Table | None],
    send: Deliver,
    *,
    threads: int,
    in_flight: Callable[[], int],
    before: Callable[[set[str]], Iterable[pa.Table]],
    on_abort: Callable[[], None],
) -> Generator[list[Delivered], None, None]:
    """Sends batches from `threads` threads and yields those that are settled with Bunce.

    What has come in while the caller was busy comes as one list: the slower its store, the fewer
    transactions. A None among `batches` asks for what has come in by then. Twice as many batches as
    `in_flight()`, and at least four, are prefetched, so that no thread waits for the store. A batch
    waits for those in flight with which it shares an email, and for what must go `before` a batch
    with these emails: who was read first gets it. `on_abort` is called when the caller leaves
    early: what is queued then must not go out, since nobody would write down its fate.
    """
    with ThreadPoolExecutor(threads, "bunce-send") as pool:
        flight = _InFlight(pool, send)
        try:
            for batch in batches:
                if batch is None:
                    yield from flight.finished(at_least_one=False)
                    continue
                emails = _emails(batch)
                while len(flight) >= max(2 * in_flight(), _MIN_PREFETCHED):
                    yield from flight.finished()
                yield from flight.cleared_of(emails)
                for earlier in before(emails):
                    flight.begin(earlier)
                yield from flight.cleared_of(emails)
                flight.begin(batch)
            while len(flight):
                yield from flight.finished()
        except BaseException:
            on_abort()
            raise


class _InFlight:
    """The batches that are on their way; no two of them share an email."""

    def __init__(self, pool: ThreadPoolExecutor, send: Deliver) -> None:
        self._pool = pool
        self._send = send
        self._running: dict[Future[Delivered], set[str]] = {}
        # of all running ones
        self._emails: set[str] = set()

    def __len__(self) -> int:
        return len(self._running)

    def begin(self, batch: pa.Table) -> None:
        """Sends a batch."""
        emails = _emails(batch)
        self._running[self._pool.submit(self._send, batch, Rows(batch))] = emails
        self._emails.update(emails)

    def finished(self, *, at_least_one: bool = True) -> Iterator[list[Delivered]]:
        """What is settled by now, or after the wait for one."""
        timeout = None if at_least_one else 0
        done = wait(self._running, timeout, return_when=FIRST_COMPLETED).done
        for future in done:
            self._emails.difference_update(self._running.pop(future))
        well = [future.result() for future in done if future.exception() is None]
        if well:
            yield well
        for future in done:
            future.result()  # raises where one has failed

    def cleared_of(self, emails: set[str]) -> Iterator[list[Delivered]]:
        """What is settled, until nothing on its way has one of these emails."""
        while not self._emails.isdisjoint(emails):
            yield from self.finished()


def _emails(batch: pa.Table) -> set[str]:
    return set(batch.column("email").to_pylist())
