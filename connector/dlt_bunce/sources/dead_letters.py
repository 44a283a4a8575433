"""Dead letters as a dlt resource, for a pipeline into any warehouse."""

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
    """Yield the dead letters of an account, or those of one `status`, in pages of dicts.

    `store_url` and `account` default to the settings, as for every load.

    The columns are those of the table bunce_dead_letters; `source_row` and `payload` are JSON text.
    """
    from dlt_bunce.destination.config_file import store_settings
    from dlt_bunce.store.database import Database
    from dlt_bunce.store.dead_letter_query import Selection, pages

    store_url, account = store_settings(store_url, account)
    with Database(store_url, read_only=True) as db:
        yield from pages(db, account, Selection(status=status))


def count_open(pipeline: dlt.Pipeline, *, before: datetime | None = None) -> dict[str, int]:
    """Return the number of open dead letters by reject code, in the store of a pipeline.

    With `before`, count only those first seen before that time. Raises StoreError.
    """
    from dlt_bunce.destination.access import client_of
    from dlt_bunce.store.dead_letter_query import open_by_code

    client = client_of(pipeline)
    with client.database() as db:
        return open_by_code(db, client.config.account, before=before)
