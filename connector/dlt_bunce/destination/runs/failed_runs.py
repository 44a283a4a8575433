"""Failed runs on their way into the store: noted in the working folder while it cannot be used."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlt.common.configuration.exceptions import ConfigurationException

from dlt_bunce.destination.folder.folder_owner import noted_store_id
from dlt_bunce.destination.runs import run_hook as hooks
from dlt_bunce.destination.runs.run_summary import add_up
from dlt_bunce.destination.settings.config_file import setting, store_settings
from dlt_bunce.errors import BunceError, StoreError, UsageError, inside
from dlt_bunce.failures import failure_of, is_stopped
from dlt_bunce.logs import logger
from dlt_bunce.model import Failure, RunSummary
from dlt_bunce.store.database import Database
from dlt_bunce.store.runs import failures

if TYPE_CHECKING:
    from dlt_bunce.destination.client import BunceClient

NOTE = "unrecorded_failures.jsonl"
"""File in the working folder with the failures that the store could not take."""


def record(
    client: BunceClient, folder: Path, error: BaseException, state: str, started_at: str
) -> None:
    """Record a failed run of the pipeline with this working folder in the store; if that fails,
    its next run does it.

    A mistake of the caller does not create a store, and no failure one in place of a lost one.
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
        if not database.exists():
            if failure.is_usage:
                return
            expected = noted_store_id(folder, client.config)
            database = Database(client.config.store_url, expected=expected)
        with database as db:
            failures.record(db, failure=failure, **found)
    except BunceError as unusable:
        logger().warning("run.not_recorded", pipeline=folder.name, error=str(unusable))
        if isinstance(unusable, StoreError) and not isinstance(error, UsageError):
            with suppress(OSError), (folder / NOTE).open("a", encoding="utf-8") as file:
                file.write(json.dumps({**found, "failure": asdict(failure)}) + "\n")


def record_unconfigured(
    error: BaseException,
    is_its: Callable[[str], bool],
    *,
    started_at: str,
    source: str | None = None,
    store_url: str | None = None,
    account: str | None = None,
    on_run_end: str | hooks.Hook | None = None,
) -> None:
    """Record a run that failed before it had a client, such as for want of a key, and call the
    hook.

    This is done for a pipeline that has run before (see `record_if_known`): a mistake in the first
    command is none of an operator's business, and one in what ran yesterday is. Settings that are
    not given are those configured, as far as they can be read.
    """
    failure, state = failure_of(error), "stopped" if is_stopped(error) else "failed"
    try:
        store_url, account = store_settings(store_url, account, checked=False)
        if str(setting("destination.bunce.dry_run")).lower() == "true":
            return
        database = Database(store_url)
        if not database.exists():
            return
        with database as db:
            name = failures.record_if_known(
                db, account, is_its, failure, state=state, started_at=started_at, source=source
            )
        if name is None:
            return
        hook = hooks.resolve_hook(on_run_end or setting("destination.bunce.on_run_end"))
    except (BunceError, ConfigurationException):
        return  # the error itself is reported
    if hook is not None:
        hooks.call(hook, failed(add_up([], name), failure, state, source))


def failed(
    summary: RunSummary, failure: Failure, state: str, source: str | None = None
) -> RunSummary:
    """Return the summary of a run that failed, with the reason, and with its source if it had not
    begun to load.
    """
    return replace(
        summary,
        source=summary.source or source,
        state=state,
        error=str(failure),
        error_class=failure.error_class,
        remedy=failure.remedy,
    )


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
