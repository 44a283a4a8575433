"""Packages in dlt's working folder that are still to be loaded."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from dlt.pipeline.abort import TAbortPlan, execute_abort_plan

if TYPE_CHECKING:
    from dlt import Pipeline


_folders: WeakKeyDictionary[Pipeline, tuple[str, str]] = WeakKeyDictionary()


def has_pending(pipeline: Pipeline) -> bool:
    """Return dlt's `has_pending_data`, at a fraction of its cost while nothing is pending.

    dlt resolves settings and opens two storages each time it is asked, and a run asks ten times.
    Where they keep packages does not change.
    """
    folders = _folders.get(pipeline)
    if folders is None:
        extracted = pipeline._get_normalize_storage().extracted_packages  # noqa: SLF001, dlt has no public access
        normalized = pipeline._get_load_storage().normalized_packages  # noqa: SLF001
        folders = (extracted.storage.storage_path, normalized.storage.storage_path)
        _folders[pipeline] = folders
    return any(map(_has_entries, folders)) and pipeline.has_pending_data


def _has_entries(folder: str) -> bool:
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is not None
    except FileNotFoundError:
        return False  # dlt makes it with the first package


def pending_packages(pipeline: Pipeline) -> list[str]:
    """Return the load ids of extracted and of normalized packages, the oldest first."""
    if not has_pending(pipeline):
        return []  # dlt may not have made the folders yet
    return sorted(
        {*pipeline.list_normalized_load_packages(), *pipeline.list_extracted_load_packages()}
    )


def delete_package(pipeline: Pipeline, load_id: str) -> None:
    """Delete a pending package, with what dlt has normalized of it."""
    load, normalize = pipeline._get_load_storage(), pipeline._get_normalize_storage()  # noqa: SLF001, dlt has no public access
    for packages in (load.new_packages, load.normalized_packages, normalize.extracted_packages):
        packages.delete_package(load_id, not_exists_ok=True)


def drop_from(pipeline: Pipeline, first: str) -> None:
    """Delete this pending package and all later ones; restore the state from before the first.

    dlt's own abort would move its rows to the completed packages, as if they had been loaded.
    """
    load_ids = [load_id for load_id in pending_packages(pipeline) if load_id >= first]
    # the first has the state, so it is deleted by the plan, after that is read
    plan = TAbortPlan(
        package_to_abort=None,
        packages_to_delete=[],
        extracted_packages_to_delete=[],
        restore_from_load_id=first,
    )
    storages = pipeline._get_load_storage(), pipeline._get_normalize_storage()  # noqa: SLF001
    snapshot = execute_abort_plan(*storages, plan)
    for load_id in load_ids:
        delete_package(pipeline, load_id)
    if snapshot is not None:
        pipeline._restore_from_snapshot(*snapshot)  # noqa: SLF001, as dlt's abort does
