"""dlt's working folder after a kill: four states out of which dlt does not find by itself.

All were met by killing loads at random moments (dlt 1.31).
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
"""Files that dlt writes under such a name first, to rename them when they are whole."""


def mend(pipeline: dlt.Pipeline) -> None:
    """Makes the working folder usable again; nothing that is still to be loaded is touched."""
    folder = Path(pipeline.working_dir)
    _make_missing_folders(folder)
    _put_completed_away(folder / "load")
    _remove_remnants(folder)
    _forget_unfinished_schemas(pipeline, folder / "schemas")


def _make_missing_folders(working_folder: Path) -> None:
    """A storage is marked as made before the last of its folders is, and never looked at again."""
    for storage, folders in _STORAGES.items():
        if (working_folder / storage / ".version").exists():
            for folder in folders:
                (working_folder / storage / folder).mkdir(exist_ok=True)


def _put_completed_away(load: Path) -> None:
    """A package is marked as completed before it is moved away, and cannot be completed twice."""
    for mark in load.glob("normalized/*/package_completed.json"):
        mark.parent.rename(load / "loaded" / mark.parent.name)


def _remove_remnants(working_folder: Path) -> None:
    """Removes what is left of extracted packages that dlt was deleting.

    A package comes to where extracted ones lie as a whole, and is deleted there once its
    normalized form is in place, or when there is nothing in it. The rest of such a deletion looks
    like a package and fails every later run.
    """
    load = working_folder / "load"
    done = {path.name for path in [*load.glob("normalized/*"), *load.glob("loaded/*")]}
    for package in (working_folder / "normalize" / "extracted").glob("*"):
        if package.name in done or not any(package.glob("new_jobs/*")):
            logger().warning("package.removed", load_id=package.name, why="it was being deleted")
            shutil.rmtree(package)


def _forget_unfinished_schemas(pipeline: dlt.Pipeline, schemas: Path) -> None:
    """A schema file that was being written counts as a schema of that name, for good."""
    for path in schemas.glob("*"):
        if _UNFINISHED.fullmatch(path.name):
            path.unlink()
    with pipeline.managed_state() as state:
        state["schema_names"] = [
            name
            for name in state["schema_names"] or []
            if not _UNFINISHED.fullmatch(name) or any(schemas.glob(f"{name}.*"))
        ]
