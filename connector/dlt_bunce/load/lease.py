"""The claims of a load, kept alive while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING

from dlt_bunce.errors import BunceError
from dlt_bunce.load.periodic import periodic
from dlt_bunce.logs import logger
from dlt_bunce.store.database import Database
from dlt_bunce.store.ledger import DEFAULT_LEASE_S, Ledger, LoadFile

if TYPE_CHECKING:
    from typing_extensions import Self

_RENEWALS = 3
"""Renewals within a lease, so that one that fails costs nothing."""
_FIRST_WAIT_S = 0.2
_CLOCKS_DIFFER_S = 5.0


class Lease:
    """Renews the chunks in flight from a thread of its own while the `with` block lasts.

    A load that takes less than a third of a lease writes nothing. `chunks` gives the numbers of
    the chunks that have rows on their way.
    """

    def __init__(
        self,
        database: Database,
        load_file: LoadFile,
        chunks: Callable[[], Collection[int]],
        *,
        lease_s: float = DEFAULT_LEASE_S,
    ) -> None:
        self._database, self._job, self._chunks = database, load_file, chunks
        self._lease_s = lease_s
        self._renewed: set[int] = set()
        self._renewed_at = 0.0
        self._lost = False
        self._renewing = periodic(lease_s / _RENEWALS, self._renew_in_time, name="bunce-lease")

    def __enter__(self) -> Self:
        self._renewed_at = time.time()
        self._renewing.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._renewing.__exit__(None, None, None)
        unsettled, renewed = sorted(self._chunks()), sorted(self._renewed)
        if not unsettled and not renewed:
            return
        try:
            Ledger(self._database, self._job).release(unsettled, renewed)
        except BunceError as failure:
            # the claims run out by themselves, and what has stopped the load is told by the load
            logger().warning("lease.not_released", error=str(failure))

    def is_lost(self) -> bool:
        """Whether others may have taken rows over: this process stood still, or the store did.

        What has not been sent by then must not be sent, and nothing thereafter, whatever the clock
        says later: who was read first would come second.
        """
        self._lost = self._lost or time.time() - self._renewed_at > self._lease_s
        return self._lost

    def _renew_in_time(self) -> None:
        if not self.is_lost():
            self._renew()

    def _renew(self) -> None:
        started = time.time()
        chunks = list(self._chunks())
        try:
            with self._database.another() as db:
                Ledger(db, self._job, lease_s=self._lease_s).renew(chunks)
        except BunceError as error:
            # the next turn tries again; is_lost() stops the load when none succeeds
            logger().warning("lease.not_renewed", error=str(error))
            return
        self._renewed.update(chunks)
        self._renewed_at = started


def waits(lease_s: float) -> Iterator[float]:
    """Before rows that another run is sending are asked for again, in seconds: none at first, and
    together a lease, by which whoever is alive has settled or renewed them.
    """
    yield 0.0
    left, wait = lease_s + _CLOCKS_DIFFER_S, _FIRST_WAIT_S
    while left > 0:
        yield min(wait, left)
        left -= wait
        wait = min(2 * wait, lease_s / 10)
