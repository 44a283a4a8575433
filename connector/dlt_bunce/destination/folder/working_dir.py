"""Repair of dlt's working folder after a kill or an interrupt: states from which dlt does not
recover.

All were found by killing loads at random moments (dlt 1.31).
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from dlt_bunce.logs import logger

if TYPE_CHECKING:
    import dlt

_STORAGES = {"normalize": ("extracted",), "load": ("new", "normalized", "loaded")}
_UNFINISHED = re.compile("[0-9a-f]{16}")
"""Temporary names of files that dlt renames once they are complete."""


def mend(pipeline: dlt.Pipeline) -> None:
    """Make the working folder usable again; nothing that is still to be loaded is touched."""
    folder = Path(pipeline.working_dir)
    _forget_half_made_schemas(pipeline)
    _make_missing_folders(folder)
    _move_completed(folder / "load")
    _remove_remnants(folder)
    _forget_unfinished_schemas(pipeline, folder / "schemas")


def _forget_half_made_schemas(pipeline: dlt.Pipeline) -> None:
    """Forget schemas in memory that an interrupt has left without their tables: dlt replaces their
    content in place, and would write the rest over the one in the folder, which fails every run.

    Between runs, each schema in memory is one that was saved, and is read from the folder again.
    """
    schemas = pipeline._schema_storage.live_schemas  # noqa: SLF001
    for name in [name for name, schema in schemas.items() if schema.is_new]:
        del schemas[name]


def _make_missing_folders(working_folder: Path) -> None:
    """Create missing folders: dlt marks a storage as complete before the last of them exists."""
    for storage, folders in _STORAGES.items():
        if (working_folder / storage / ".version").exists():
            for folder in folders:
                (working_folder / storage / folder).mkdir(exist_ok=True)


def _move_completed(load: Path) -> None:
    """Move packages that are marked as completed: dlt cannot complete them a second time."""
    for mark in load.glob("normalized/*/package_completed.json"):
        mark.parent.rename(load / "loaded" / mark.parent.name)


def _remove_remnants(working_folder: Path) -> None:
    """Remove what is left of extracted packages that dlt was deleting.

    A package appears complete among the extracted ones, and is deleted there once its normalized
    form is in place, or if it is empty. The rest of an interrupted deletion looks like a package
    and fails every later run.
    """
    load = working_folder / "load"
    normalized = {path.name for path in [*load.glob("normalized/*"), *load.glob("loaded/*")]}
    for package in (working_folder / "normalize" / "extracted").glob("*"):
        if package.name in normalized or not any(package.glob("new_jobs/*")):
            logger().warning("package.removed", load_id=package.name, why="it was being deleted")
            shutil.rmtree(package)


def _forget_unfinished_schemas(pipeline: dlt.Pipeline, schemas: Path) -> None:
    """Delete temporary schema files, which dlt would otherwise keep as schemas of that name."""
    for path in schemas.glob("*"):
        if _UNFINISHED.fullmatch(path.name):
            path.unlink()
    with pipeline.managed_state() as state:
        state["schema_names"] = [
            name
            for name in state["schema_names"] or []
            if not _UNFINISHED.fullmatch(name) or any(schemas.glob(f"{name}.*"))
        ]
