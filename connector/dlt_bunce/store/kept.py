"""A connection to the store that stays open between the short uses of one run."""

from __future__ import annotations

import time
from collections.abc import Callable

from typing_extensions import Self

from dlt_bunce.errors import StoreError
from dlt_bunce.store.database import Database

MAX_IDLE_S = 30.0
"""So long a connection may be idle: firewalls forget an older one, and a query would hang."""


class KeptDatabase(Database):
    """A `Database` that stays open after a `with` block, until `close`, and for one thread alone.

    A run looks into the store a dozen times, and connecting takes longer than most answers. A block
    gets a new connection if the last one failed in a block, was idle for long, or leads to a store
    that is no longer the one at its URL. To be closed before code of others is called: a process
    that it forks would take the locks on a file for its own (sqlite.org/howtocorrupt.html).
    """

    _uses = 0
    _is_connected = False
    _used_at = 0.0
    clock: Callable[[], float] = staticmethod(time.monotonic)

    @property
    def is_used(self) -> bool:
        """Whether a block goes on, which another one should not share: it may be in a transaction,
        or its connection lost.
        """
        return self._uses > 0

    def expecting(self, store_id: str | None) -> Self:
        """Expect this store from now on, or any if None."""
        self._expected = store_id
        return self

    def exists(self) -> bool:
        """Return whether a store exists, which an open connection to it shows."""
        return self._uses > 0 or self._is_usable() or super().exists()

    def __enter__(self) -> Self:
        if not self._uses and not self._is_usable():
            self.close()
            super().__enter__()
            self._is_connected = True
        self._uses += 1
        return self

    def __exit__(self, *error: object) -> None:
        self._uses -= 1
        self._used_at = self.clock()
        if any(error) and not self._uses:
            self.close()

    def close(self) -> None:
        """Close the connection, if it is open; a later block opens another."""
        if self._is_connected:
            self._is_connected = False
            super().__exit__()

    def _is_usable(self) -> bool:
        idle_s = self.clock() - self._used_at
        if not self._is_connected or idle_s > MAX_IDLE_S or self._engine.is_swapped():
            return False
        try:
            found = self.rows("SELECT id FROM bunce_store")
        except StoreError:  # the server was restarted, say
            return False
        return found == [{"id": self.store_id}] and self._expected in (None, self.store_id)
