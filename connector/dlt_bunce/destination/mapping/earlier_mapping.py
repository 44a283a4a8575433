"""A table's mapping beside that of the last completed run, which names alone must not change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlt_bunce.destination.folder.folder_owner import has_cursor
from dlt_bunce.destination.mapping.adapter import is_given
from dlt_bunce.records.mapping.mapping import VERSION, FieldMapping, refuse_other_names
from dlt_bunce.store.runs import mappings
from dlt_bunce.store.runs.run_chunks import sum_chunks
from dlt_bunce.store.statements import COUNT_CUSTOMERS

if TYPE_CHECKING:
    from dlt.common.destination.typing import PreparedTableSchema

    from dlt_bunce.destination.client import BunceClient
    from dlt_bunce.store.database import Database


def refuse_changed_names(
    client: BunceClient,
    table: PreparedTableSchema,
    mapping: FieldMapping,
    columns: Sequence[str],
) -> None:
    """Raise MappingError if a field has another column than before, and nobody has chosen it.

    A mapping in code replaces the earlier one as a whole, so what it leaves out is a choice. An
    option that is missing from a command is not.
    """
    database = client.database()
    if not database.exists():
        return
    source = client.context.command_source
    key = client.pipeline_name if source is None else source.key
    with database as db:
        last = mappings.of_last_run(db, client.config.account, key, table["name"] or "")
    before = last.by_name if source is None and is_given(client.hint(table)) else last.columns
    if source is not None and source.is_unversioned:
        before = {name: names for name, names in before.items() if name != VERSION}
    refuse_other_names(mapping, before, columns)


def unread_since_change(client: BunceClient, db: Database, load_id: str) -> int:
    """Return how many customers a load has not read, if it reads by a cursor and maps a field to
    another column than the load before: they keep what the earlier mapping sent.
    """
    account = client.config.account
    if not has_cursor(client.state) or not mappings.is_changed(
        db, account, load_id, client.pipeline_name
    ):
        return 0
    known: int = db.rows(COUNT_CUSTOMERS, (account,))[0]["delivered"]
    return max(0, known - sum_chunks(db, load_id)["read"])
