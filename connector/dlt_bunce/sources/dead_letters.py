"""Dead letters as a dlt resource, for a pipeline into any warehouse."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import dlt
import pyarrow as pa


@dlt.resource(name="dead_letters", primary_key="id", write_disposition="merge")
def dead_letters(
    store_url: str | None = None,
    account: str | None = None,
    status: str | None = None,
) -> Iterator[pa.Table]:
    """Yield the dead letters of an account, or those of one `status`, as Arrow tables.

    `store_url` and `account` default to the settings, as for every load.

    The columns are those of the table bunce_dead_letters, each with its type even if it is empty;
    `source_row`, `payload`, and `other_defects` are JSON text; `source` and `source_line` tell
    where the row came from. Raises UsageError for an account or a status that does not exist.
    """
    from dlt_bunce.destination.settings.config_file import store_settings
    from dlt_bunce.store.accounts import refuse_unknown_account
    from dlt_bunce.store.database import Database
    from dlt_bunce.store.letters.dead_letter_query import tables
    from dlt_bunce.store.letters.selection import Selection, refuse_unknown

    store_url, account = store_settings(store_url, account)
    chosen = Selection(status=status)
    refuse_unknown(chosen)
    with Database(store_url, read_only=True) as db:
        refuse_unknown_account(db, account)
        for table in tables(db, account, chosen):
            yield table.cast(_with_times(table.schema))


def _with_times(schema: pa.Schema) -> pa.Schema:
    """Return the schema with timestamps for what the store keeps as text."""
    moment = pa.timestamp("us", tz="UTC")
    return pa.schema(
        [field.with_type(moment) if field.name.endswith("_at") else field for field in schema]
    )


def count_open(pipeline: dlt.Pipeline, *, before: datetime | None = None) -> dict[str, int]:
    """Return the number of open dead letters by reject code, in the store of a pipeline.

    With `before`, count only those first seen before that time. Raises StoreError.
    """
    from dlt_bunce.destination.access import client_of
    from dlt_bunce.store.letters.dead_letter_query import open_by_code

    client = client_of(pipeline)
    with client.database() as db:
        return open_by_code(db, client.config.account, before=before)
