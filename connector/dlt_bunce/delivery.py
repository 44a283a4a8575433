"""Batches on their way: a few threads, and customers who share an email in the order of reading."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TypeVar, cast

import pyarrow as pa

from dlt_bunce.api.parcel import Refusal
from dlt_bunce.api.rows import Rows
from dlt_bunce.api.settlement import Said
from dlt_bunce.api.verdict import Verdict
from dlt_bunce.errors import BunceError


@dataclass(frozen=True)
class Delivered:
    """What became of a batch: a verdict a row, the calls it took, and why to stop, if at all.

    The verdicts of rows that are `held` or `unproven` do not count: they are settled later.
    """

    batch: pa.Table
    verdicts: list[Verdict]
    calls: int
    fault: BunceError | None
    held: Mapping[int, Said]
    unproven: Sequence[tuple[Sequence[int], Refusal]]


_LEAST_AHEAD = 4
"""Batches made ahead however few are in flight: a store may take longer than Bunce does."""
_T = TypeVar("_T")

Deliver = Callable[[pa.Table, Rows], Delivered]


def ahead(items: Iterator[_T]) -> Generator[_T, None, None]:
    """The same items; each next one is made in a thread of its own meanwhile."""
    end = object()
    with ThreadPoolExecutor(1, "bunce-read") as pool:
        coming = pool.submit(next, items, end)
        while (item := coming.result()) is not end:
            coming = pool.submit(next, items, end)
            yield cast("_T", item)


def deliver(
    batches: Iterable[pa.Table],
    send: Deliver,
    *,
    threads: int,
    in_flight: Callable[[], int],
    abandon: Callable[[], None],
) -> Generator[list[Delivered], None, None]:
    """Sends batches from `threads` threads and yields those that are settled with Bunce.

    What has come in while the caller was busy comes as one list: the slower its store, the fewer
    transactions. Twice as many batches as `in_flight()`, and at least four, are made ahead, so that
    no thread waits for the store. A batch waits for those in flight with which it shares an email:
    who was read first gets it. `abandon` is called when the caller leaves early: what is queued
    then must not go out, since nobody would write down its fate.
    """
    running: dict[Future[Delivered], set[str]] = {}
    # of all running ones; no two of them share an email
    taken: set[str] = set()

    def finished() -> Iterator[list[Delivered]]:
        done = wait(running, return_when=FIRST_COMPLETED).done
        for future in done:
            taken.difference_update(running.pop(future))
        well = [future.result() for future in done if future.exception() is None]
        if well:
            yield well
        for future in done:
            future.result()  # raises where one has failed

    with ThreadPoolExecutor(threads, "bunce-send") as pool:
        try:
            for batch in batches:
                emails = set(batch.column("email").to_pylist())
                most = max(2 * in_flight(), _LEAST_AHEAD)
                while len(running) >= most or not taken.isdisjoint(emails):
                    yield from finished()
                running[pool.submit(send, batch, Rows(batch))] = emails
                taken.update(emails)
            while running:
                yield from finished()
        except BaseException:
            abandon()
            raise
