"""Packages that an earlier run left behind: loaded to the end, or dropped.

A package can be dropped if the ledger has no record of it: none of its rows can have reached Bunce.
The cursor is restored as well, so the rows are extracted again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlt.common.configuration.exceptions import ConfigurationException
from dlt.extract import DltResource, DltSource
from dlt.pipeline.exceptions import PipelineStepFailed

from dlt_bunce.destination.access import client_of
from dlt_bunce.destination.folder.pending_packages import drop_from, has_pending, pending_packages
from dlt_bunce.destination.kept_rows import keep_aside
from dlt_bunce.errors import BunceError, ConfigurationError, UsageError, bunce_error, inside
from dlt_bunce.failures import is_stopped
from dlt_bunce.logs import logger
from dlt_bunce.store.runs import run_chunks

if TYPE_CHECKING:
    from dlt import Pipeline

REFUSED = "refused_packages.json"
"""File in the working folder with the load ids of packages that would fail at every retry."""


def note_refusal(pipeline: Pipeline, error: BaseException) -> None:
    """Remember pending packages that failed as they would at every retry: with a UsageError, or
    while dlt normalized them.
    """
    if isinstance(bunce_error(error), UsageError):
        refused = pending_packages(pipeline)
    else:
        refused = [load_id for load_id in [_not_normalized(error)] if load_id is not None]
    if refused:
        _note(pipeline).write_text(json.dumps(refused))


def give_up_refused(pipeline: Pipeline, *, keep: bool = True) -> Path | None:
    """Drop pending packages that were refused before a row of them was recorded, and restore the
    cursor from before them. Return the folder that keeps their rows, if any.

    With `keep=False` no rows are kept: the caller knows that they can be extracted again. Packages
    older than a refused one stay and are loaded.
    """
    note = _note(pipeline)
    if not note.exists():
        return None
    refused: list[str] = json.loads(note.read_text())
    note.unlink()
    first = next((load_id for load_id in pending_packages(pipeline) if load_id in refused), None)
    if first is None or _is_recorded(pipeline, first):
        return None
    kept = keep_aside(Path(pipeline.working_dir), first) if keep else None
    drop_from(pipeline, first)
    logger().warning(
        "package.given_up",
        pipeline=pipeline.pipeline_name,
        load_id=first,
        rows_kept_in=None if kept is None else str(kept),
    )
    return kept


def _not_normalized(error: BaseException) -> str | None:
    """Return the load id of a package that dlt cannot normalize, whatever its rows hold; None if
    that failed for a reason outside of them.
    """
    found = list(inside(error))
    if is_stopped(error) or any(isinstance(each, OSError | MemoryError) for each in found):
        return None
    steps = [each for each in found if isinstance(each, PipelineStepFailed)]
    return next((step.load_id for step in steps if step.step == "normalize"), None)


def refuse_dry_run_over_left_overs(pipeline: Pipeline) -> None:
    """Raise ConfigurationError for a dry run while rows of an earlier run are pending: dlt would
    consider them loaded.
    """
    if not has_pending(pipeline):
        return
    try:
        config = client_of(pipeline).config
    except ConfigurationException:
        return  # the run itself reports what is missing
    if config.dry_run:
        raise ConfigurationError(
            f"Pipeline {pipeline.pipeline_name!r} has pending rows from an earlier run, which a "
            "dry run would discard.",
            remedy="Load them first, without dry_run, or use a separate pipelines_dir for the dry "
            "run.",
        )


def can_be_read_again(data: Any) -> bool:
    """Return whether a second run could extract the same rows; False for an iterator."""
    if isinstance(data, DltSource):
        resources = data.resources.selected.values()
        return all(can_be_read_again(resource) for resource in resources)
    if isinstance(data, DltResource):
        gen = data._pipe.gen if not data._pipe.is_empty else None  # noqa: SLF001
        return not isinstance(gen, Iterator)
    if isinstance(data, (list, tuple)):
        return all(can_be_read_again(item) for item in data)
    return not isinstance(data, Iterator)


def _is_recorded(pipeline: Pipeline, load_id: str) -> bool:
    """Return whether rows may have been sent; True if the store cannot be read."""
    client = client_of(pipeline)
    database = client.database()
    try:
        if not database.exists():
            return False
        with database as db:
            return run_chunks.is_begun(db, load_id)
    except BunceError as error:
        logger().warning("package.kept", load_id=load_id, error=str(error))
        return True


def _note(pipeline: Pipeline) -> Path:
    return Path(pipeline.working_dir) / REFUSED
