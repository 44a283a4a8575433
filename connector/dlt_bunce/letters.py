"""Dead letters as a dlt source, for a pipeline into any warehouse."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import dlt


@dlt.resource(name="dead_letters", primary_key="id", write_disposition="merge")
def dead_letters(
    store_url: str | None = None,
    account: str | None = None,
    status: str | None = None,
) -> Iterator[list[dict[str, Any]]]:
    """Every dead letter of an account, or those of one `status`, in pages of dicts.

    Store and account are those of `[destination.bunce]` where they are not given. Columns are those
    of the table bunce_dead_letters; `source_row` and `payload` are JSON text.
    """
    from dlt_bunce.store.database import Database
    from dlt_bunce.store.selection import Selection, pages

    store_url, account = configured_store(store_url, account)
    with Database(store_url, read_only=True) as db:
        yield from pages(db, account, Selection(status=status))


def configured_store(store_url: str | None, account: str | None) -> tuple[str, str]:
    """Store and account as given, else as configured: no API key is needed to look."""
    from dlt_bunce.configuration import BunceConfiguration

    def configured(name: str) -> str:
        return str(dlt.config.get(f"destination.bunce.{name}") or getattr(BunceConfiguration, name))

    return store_url or configured("store_url"), account or configured("account")


def count_open(pipeline: dlt.Pipeline, *, before: datetime | None = None) -> dict[str, int]:
    """How many dead letters are open, by reject code, in the store that a pipeline loads with.

    With `before`, those that were met first before that time. Raises StoreError.
    """
    from dlt_bunce.destinations import client_of
    from dlt_bunce.store.selection import open_by_code

    client = client_of(pipeline)
    with client.database() as db:
        return open_by_code(db, client.config.account, before=before)
