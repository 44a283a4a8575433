"""Packages that an earlier run left behind: loaded to the end, or dropped.

A package can be dropped if the ledger has no record of it: none of its rows can have reached Bunce.
The cursor is restored as well, so the rows are extracted again.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlt.common.configuration.exceptions import ConfigurationException
from dlt.extract import DltResource, DltSource
from dlt.pipeline.abort import execute_abort_plan, prepare_abort_packages

from dlt_bunce.destination.access import client_of
from dlt_bunce.destination.adapter import MAPPING_HINT
from dlt_bunce.destination.data_at_rest import given_up_folder, mappings_of
from dlt_bunce.errors import BunceError, ConfigurationError, UsageError, bunce_error
from dlt_bunce.logs import logger
from dlt_bunce.store import run_chunks

if TYPE_CHECKING:
    from dlt import Pipeline

REFUSED = "refused_packages.json"
"""File in the working folder with the load ids of packages that failed with a UsageError."""


def note_refusal(pipeline: Pipeline, error: BaseException) -> None:
    """Remember that pending packages failed with a UsageError, as they would at every retry."""
    cause = bunce_error(error)
    if not isinstance(cause, UsageError):
        return
    pending = _pending(pipeline)
    if pending:
        _note(pipeline).write_text(json.dumps(pending))


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
    first = next((load_id for load_id in _pending(pipeline) if load_id in refused), None)
    if first is None or _is_recorded(pipeline, first):
        return None
    kept = _keep_aside(pipeline, first) if keep else None
    storages = pipeline._get_load_storage(), pipeline._get_normalize_storage()  # noqa: SLF001
    plan = prepare_abort_packages(*storages, first)
    assert plan is not None  # noqa: S101, the package is pending
    if plan["package_to_abort"]:
        # dlt would move the rows to its completed packages, as if they had been loaded
        plan["packages_to_delete"] = [first, *plan["packages_to_delete"]]
        plan["package_to_abort"] = None
    snapshot = execute_abort_plan(*storages, plan)
    if snapshot is not None:
        pipeline._restore_from_snapshot(*snapshot)  # noqa: SLF001, as dlt's abort does
    logger().warning(
        "package.given_up",
        pipeline=pipeline.pipeline_name,
        load_id=first,
        rows_kept_in=None if kept is None else str(kept),
    )
    return kept


def refuse_dry_run_over_left_overs(pipeline: Pipeline) -> None:
    """Raise ConfigurationError for a dry run while rows of an earlier run are pending: dlt would
    consider them loaded.
    """
    if not pipeline.has_pending_data:
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
    return not isinstance(data, Iterator)


def _pending(pipeline: Pipeline) -> list[str]:
    return sorted(
        {*pipeline.list_normalized_load_packages(), *pipeline.list_extracted_load_packages()}
    )


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


def _keep_aside(pipeline: Pipeline, load_id: str) -> Path:
    """Copy the rows of a package and of later ones to a folder next to the working folder."""
    working = Path(pipeline.working_dir)
    kept = given_up_folder(working)
    kept.mkdir(mode=0o700, exist_ok=True)
    for storage in (working / "load" / "normalized", working / "normalize" / "extracted"):
        for package in storage.glob("*"):
            files = [f for f in package.glob("*_jobs/*") if not f.name.startswith("_dlt_")]
            if package.name < load_id or not files:
                continue
            folder = kept / package.name
            folder.mkdir(mode=0o700, exist_ok=True)
            _note_mappings(package, folder)
            for file in files:
                shutil.copy2(file, folder / file.name)
                (folder / file.name).chmod(0o600)
    return kept / load_id


def _note_mappings(package: Path, kept: Path) -> None:
    """Record the mappings of a package, so that the customers in its rows can be found later."""
    try:
        tables = json.loads((package / "schema.json").read_text("utf-8"))["tables"]
    except (OSError, ValueError, KeyError):
        return
    hints = {name: {MAPPING_HINT: table.get(MAPPING_HINT)} for name, table in tables.items()}
    mappings_of(kept).write_text(json.dumps({"tables": hints}), "utf-8")


def _note(pipeline: Pipeline) -> Path:
    return Path(pipeline.working_dir) / REFUSED
