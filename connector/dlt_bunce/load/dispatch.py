"""Batches in flight: sent from a few threads, and customers who share an email in reading order."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar, cast

import pyarrow as pa

from dlt_bunce.api.batch import Row, Rows, ValueRows
from dlt_bunce.errors import BunceError
from dlt_bunce.settlement.messages import Reason
from dlt_bunce.settlement.row_result import RowResult
from dlt_bunce.settlement.stops import Suspicion

if TYPE_CHECKING:
    from typing_extensions import Self

MAX_BATCH_BYTES = 4_000_000
_MIN_PREFETCHED = 4
"""Batches queued however few are in flight: the store may be slower than Bunce."""
_T = TypeVar("_T")


@dataclass(frozen=True, eq=False)
class Batch:
    """Rows to be settled. `taken`: what Bunce said of rows that it called taken before; `lagging`:
    those of them that this run may have created.
    """

    rows: pa.Table
    taken: Mapping[int, Reason] = field(default_factory=dict)
    lagging: frozenset[int] = frozenset()
    last_try: bool = False
    """Whether rows that no look-up shows are not held any longer."""
    control: Row | None = None
    """A customer created after all of the rows were sent."""
    suspicion: Suspicion | None = None
    """Why the rows were set aside before, if they were."""
    sent: Rows | ValueRows = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # made by whoever makes the batch: threads that allocate for Arrow keep memory for it
        object.__setattr__(self, "sent", self._sent())

    def _sent(self) -> Rows | ValueRows:
        return Rows(self.rows)

    @property
    def exclusive(self) -> set[str]:
        """What no two batches in flight may share."""
        return set(self.rows.column("email").to_pylist())


@dataclass(frozen=True, eq=False)
class ValueBatch(Batch):
    """Values or segment members: no two rows of a load are of one customer and target."""

    def _sent(self) -> Rows | ValueRows:
        return ValueRows(self.rows, "attributes" if self.operation == "values" else "customers")

    @property
    def operation(self) -> str:
        """What to do with all of them: `values`, or `add` or `remove` with a segment's id."""
        return str(self.rows.column("verb")[0].as_py())

    @property
    def exclusive(self) -> set[str]:
        """Nothing: their order does not matter."""
        return set()


@dataclass(frozen=True, eq=False)
class Delivered:
    """What became of a batch: one result a row, the requests it took, and why to stop, if at all.

    Results of rows that are `held` do not count: these are looked up later; nor do those of rows
    that are set `aside`. Of both, `lagging` may have been created by this run.
    """

    batch: Batch
    results: list[RowResult]
    calls: int = 1
    fault: BunceError | None = None
    held: Mapping[int, Reason] = field(default_factory=dict)
    lagging: frozenset[int] = frozenset()
    held_at: float = 0.0
    """When all of them had been sent, by the monotonic clock."""
    created: tuple[float, Row] | None = None
    """The customer created last, and when it was sent."""
    aside: frozenset[int] = frozenset()
    """Rows that are sent again once others have been tried."""
    suspicion: Suspicion | None = None
    """Why they are."""


Send = Callable[[Batch], Delivered]


def prefetch(items: Iterator[_T]) -> Generator[_T, None, None]:
    """Yield the same items; the next one is made in a thread of its own meanwhile."""
    end = object()
    with ThreadPoolExecutor(1, "bunce-read") as pool:
        coming = pool.submit(next, items, end)
        while (item := coming.result()) is not end:
            coming = pool.submit(next, items, end)
            yield cast("_T", item)


class Dispatcher:
    """Sends batches from `threads` threads, of which no two in flight share an email.

    Twice as many batches as `in_flight()`, and at least four, are queued, so that no thread waits
    for the store. Results that have come in while the caller was busy come as one list: the slower
    its store, the fewer transactions. `on_abort` is called when the caller leaves by an exception:
    what is still queued then must not be sent, since nobody would record its fate.
    """

    def __init__(
        self,
        send: Send,
        *,
        threads: int,
        in_flight: Callable[[], int],
        on_abort: Callable[[], None],
    ) -> None:
        self._send = send
        self._in_flight = in_flight
        self._on_abort = on_abort
        self._pool = ThreadPoolExecutor(threads, "bunce-send")
        self._running: dict[Future[Delivered], set[str]] = {}
        # of all running ones
        self._emails: set[str] = set()

    def __enter__(self) -> Self:
        self._pool.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if kind is not None:
            self._on_abort()
        self._pool.__exit__(None, None, None)

    def submit(self, batch: Batch) -> Iterator[list[Delivered]]:
        """Queue a batch once there is room and no row in flight shares an email with it: who was
        read first gets it. Yield what is settled meanwhile.
        """
        emails = batch.exclusive
        while len(self._running) >= max(2 * self._in_flight(), _MIN_PREFETCHED):
            yield from self._finished()
        while not self._emails.isdisjoint(emails):
            yield from self._finished()
        self._running[self._pool.submit(self._send, batch)] = emails
        self._emails.update(emails)

    def settled(self) -> Iterator[list[Delivered]]:
        """Yield what is settled by now."""
        return self._finished(timeout=0)

    def drain(self) -> Iterator[list[Delivered]]:
        """Yield everything in flight as it is settled."""
        while self._running:
            yield from self._finished()

    def _finished(self, timeout: float | None = None) -> Iterator[list[Delivered]]:
        done = wait(self._running, timeout, return_when=FIRST_COMPLETED).done
        for future in done:
            self._emails.difference_update(self._running.pop(future))
        well = [future.result() for future in done if future.exception() is None]
        if well:
            yield well
        for future in done:
            future.result()  # raises where one has failed
