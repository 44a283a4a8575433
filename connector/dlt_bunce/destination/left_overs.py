"""Packages that an earlier run has left behind: loaded to their end, or given up.

A package of which no row was announced to the ledger can be given up: nothing of it can have
reached Bunce, and the cursor goes back with it, so its rows are extracted again.
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
from dlt_bunce.store import runs

if TYPE_CHECKING:
    from dlt import Pipeline

REFUSED = "refused_packages.json"
"""In the working folder: packages that failed by a mistake, by load id, until they are given up."""


def note_refusal(pipeline: Pipeline, error: BaseException) -> None:
    """Remember that pending packages failed by a mistake that they would repeat for ever."""
    cause = bunce_error(error)
    if not isinstance(cause, UsageError):
        return
    pending = _pending(pipeline)
    if pending:
        _note(pipeline).write_text(json.dumps(pending))


def give_up_refused(pipeline: Pipeline, *, keep: bool = True) -> Path | None:
    """Drop the pending packages that were refused before a row of them was announced, and put the
    cursor back to where it was before them. Returns where their rows are kept, if they are.

    Without `keep` nothing is kept: the caller knows that the rows can be extracted again. What is
    older than a refused package stays, and is loaded.
    """
    note = _note(pipeline)
    if not note.exists():
        return None
    refused: list[str] = json.loads(note.read_text())
    note.unlink()
    first = next((one for one in _pending(pipeline) if one in refused), None)
    if first is None or _is_announced(pipeline, first):
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
        pipeline._restore_from_snapshot(*snapshot)  # noqa: SLF001, dlt's own abort does the same
    logger().warning(
        "package.given_up",
        pipeline=pipeline.pipeline_name,
        load_id=first,
        rows_kept_in=None if kept is None else str(kept),
    )
    return kept


def refuse_dry_run_over_left_overs(pipeline: Pipeline) -> None:
    """Raise ConfigurationError for a dry run where an earlier run has left rows behind: dlt would
    take these for loaded.
    """
    if not pipeline.has_pending_data:
        return
    try:
        config = client_of(pipeline).config
    except ConfigurationException:
        return  # the run itself tells what is missing
    if config.dry_run:
        raise ConfigurationError(
            f"A dry run of {pipeline.pipeline_name!r} would use up rows that an earlier run has "
            "left behind.",
            remedy="Load these first, without dry_run, or give the dry run a pipelines_dir of its "
            "own.",
        )


def can_be_read_again(data: Any) -> bool:
    """Whether a second run could extract the same rows: not where an iterator was used up."""
    if isinstance(data, DltSource):
        return all(can_be_read_again(one) for one in data.resources.selected.values())
    if isinstance(data, DltResource):
        gen = data._pipe.gen if not data._pipe.is_empty else None  # noqa: SLF001
        return not isinstance(gen, Iterator)
    return not isinstance(data, Iterator)


def _pending(pipeline: Pipeline) -> list[str]:
    return sorted(
        {*pipeline.list_normalized_load_packages(), *pipeline.list_extracted_load_packages()}
    )


def _is_announced(pipeline: Pipeline, load_id: str) -> bool:
    """Whether a row may have been sent; where the store cannot tell, it may."""
    client = client_of(pipeline)
    database = client.database()
    try:
        if not database.exists():
            return False
        with database as db:
            return runs.is_begun(db, load_id)
    except BunceError as error:
        logger().warning("package.kept", load_id=load_id, error=str(error))
        return True


def _keep_aside(pipeline: Pipeline, load_id: str) -> Path:
    """Move the rows of a package, and of what came after it, to a folder beside dlt's own."""
    working = Path(pipeline.working_dir)
    kept = given_up_folder(working)
    kept.mkdir(mode=0o700, exist_ok=True)
    for found in (working / "load" / "normalized", working / "normalize" / "extracted"):
        for package in found.glob("*"):
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
    """What the package said of its columns: whose rows these are must be known later on, too."""
    try:
        tables = json.loads((package / "schema.json").read_text("utf-8"))["tables"]
    except (OSError, ValueError, KeyError):
        return
    hints = {name: {MAPPING_HINT: told.get(MAPPING_HINT)} for name, told in tables.items()}
    mappings_of(kept).write_text(json.dumps({"tables": hints}), "utf-8")


def _note(pipeline: Pipeline) -> Path:
    return Path(pipeline.working_dir) / REFUSED
