"""Failed runs on their way into the store: noted in the working folder while it cannot be used."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlt_bunce.errors import BunceError, StoreError, UsageError, inside
from dlt_bunce.failures import failure_of
from dlt_bunce.logs import logger
from dlt_bunce.model import Failure
from dlt_bunce.store import failures

if TYPE_CHECKING:
    from dlt_bunce.destination.client import BunceClient
    from dlt_bunce.store.database import Database

NOTE = "unrecorded_failures.jsonl"
"""File in the working folder with the failures that the store could not take."""


def record(
    client: BunceClient, folder: Path, error: BaseException, state: str, started_at: str
) -> None:
    """Record a failed run of the pipeline with this working folder in the store; if that fails,
    its next run does it.

    A mistake of the caller does not create a store.
    """
    failure = failure_of(error)
    found: dict[str, Any] = {
        "account": client.config.account,
        "pipeline_name": folder.name,
        "state": state,
        "load_ids": sorted(set(_load_ids(error))),
        "started_at": started_at,
        "source": client.context.source,
    }
    try:
        database = client.database()
        if failure.is_usage and not database.exists():
            return
        with database as db:
            failures.record(db, failure=failure, **found)
    except BunceError as unusable:
        logger().warning("run.not_recorded", pipeline=folder.name, error=str(unusable))
        if isinstance(unusable, StoreError) and not isinstance(error, UsageError):
            with suppress(OSError), (folder / NOTE).open("a", encoding="utf-8") as file:
                file.write(json.dumps({**found, "failure": asdict(failure)}) + "\n")


def record_noted(db: Database, account: str, folder: Path) -> None:
    """Record what earlier runs of the pipeline could not, and runs whose processes were killed."""
    failures.close_interrupted(db, account)
    note = folder / NOTE
    if not note.exists():
        return
    for line in note.read_text("utf-8").splitlines():
        found: dict[str, Any] = json.loads(line)
        failures.record(db, failure=Failure(**found.pop("failure")), **found)
    note.unlink()


def _load_ids(error: BaseException) -> Iterator[str]:
    """Yield the load ids that dlt's exceptions name."""
    for cause in inside(error):
        load_id = getattr(cause, "load_id", None)
        if isinstance(load_id, str) and load_id:
            yield load_id
