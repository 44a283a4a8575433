"""Packages that are gone from dlt's working folder although they were never loaded.

dlt moves a cursor when it extracts. If someone deletes the package then, no later run would read
its rows: the cursor is past them.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlt.common.versioned_state import decompress_state
from dlt.pipeline.state_sync import force_state_extract

from dlt_bunce.destination.folder.folder_owner import FolderOwner, noted_owner
from dlt_bunce.destination.folder.pending_packages import has_pending
from dlt_bunce.logs import logger
from dlt_bunce.store import dlt_state
from dlt_bunce.store.accounts import adopted_at

if TYPE_CHECKING:
    from dlt import Pipeline

    from dlt_bunce.destination.client import BunceClient
    from dlt_bunce.store.database import Database


def put_back_cursor(client: BunceClient, pipeline: Pipeline) -> None:
    """Put the cursor back to that of the last completed load, if the package that moved it further
    is neither pending nor loaded.

    The caller holds the working folder, which is the client's account's.
    """
    state = pipeline.state
    # unset if dlt never stores the state: its setting restore_from_destination
    extracted = state["_local"].get("_last_extracted_hash")
    database = client.database()
    if not extracted or has_pending(pipeline) or not _has_content(state):
        return
    if not database.exists():
        return
    name, account = pipeline.pipeline_name, client.config.account
    with database as db:
        if not _is_owned(client, pipeline, db.store_id):
            return  # a dry run, which does not take the folder
        if dlt_state.is_in_effect(db, name, account, extracted):
            return
        latest = dlt_state.latest_state(db, name, account)
        if latest is None and _was_adopted_since(db, account, state):
            return  # the store that had the state was lost
    sources = decompress_state(latest["state"]).get("sources", {}) if latest else {}
    with pipeline.managed_state() as changed:
        changed["sources"] = sources
        # the same rows lead to the same state, which dlt would take for stored
        force_state_extract(changed)
    logger().warning("cursor.put_back", pipeline=name)


def _has_content(state: Any) -> bool:
    return any(state.get("sources", {}).values())


def _is_owned(client: BunceClient, pipeline: Pipeline, store_id: str) -> bool:
    owner = noted_owner(Path(pipeline.working_dir))
    return owner is not None and owner.is_same(FolderOwner.of(client.config, store_id))


def _was_adopted_since(db: Database, account: str, state: Any) -> bool:
    adopted, extracted_at = adopted_at(db, account), state["_local"].get("_last_extracted_at")
    if adopted is None:
        return False
    return extracted_at is None or bool(datetime.fromisoformat(adopted) >= extracted_at)
