"""The store and account that the pages show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dlt_bunce.store.database import Database
from dlt_bunce.store.values import rejected_values

if TYPE_CHECKING:
    from dlt_bunce.destination.client import BunceClient


@dataclass(frozen=True)
class Store:
    """The store and account that the pages show, with callables that need the configuration.

    `explain` describes an exception in one line, with its remedy and without customer data.
    """

    url: str
    account: str
    requests_per_minute: int
    client: Callable[[], BunceClient]
    explain: Callable[[BaseException], str]

    def has_values(self) -> bool:
        """Return whether loads have fed an attribute or a segment; not before the first load."""
        database = self.read()
        if not database.exists():
            return False
        with database as db:
            return rejected_values.has_targets(db, self.account)

    def read(self) -> Database:
        """Return a read-only connection."""
        return Database(self.url, read_only=True)
