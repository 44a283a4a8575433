"""dlt's state during a dry run: no rows are sent, so the cursor must not move.

The state is kept in the working folder, so that the next run also undoes a dry run that was killed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dlt_bunce.destination.folder.pending_packages import delete_package, pending_packages
from dlt_bunce.logs import logger

if TYPE_CHECKING:
    from dlt import Pipeline

KEPT = "state_before_dry_{step}.json"


def keep_state(pipeline: Pipeline, step: str) -> None:
    """Keep the state as it is before a dry run, or before a step of one that is called alone."""
    kept = Path(pipeline.working_dir, KEPT.format(step=step))
    part = kept.with_suffix(".part")
    part.write_bytes(Path(pipeline.working_dir, pipeline.STATE_FILE).read_bytes())
    part.replace(kept)


def put_back_state(pipeline: Pipeline) -> None:
    """Restore the state that `keep_state` has kept, if any."""
    folder = Path(pipeline.working_dir)
    for kept in folder.glob(KEPT.format(step="*")):
        kept.replace(folder / pipeline.STATE_FILE)


def undo_killed_dry_run(pipeline: Pipeline) -> None:
    """Restore the state from before a dry run that was killed, and delete what it has extracted.

    The caller holds the working folder. dlt would take files that the dry run has counted for
    loaded.
    """
    folder = Path(pipeline.working_dir)
    if (folder / KEPT.format(step="run")).exists():
        # a dry run does not start while other packages are pending, so these are its own
        for load_id in pending_packages(pipeline):
            delete_package(pipeline, load_id)
            logger().warning("package.removed", load_id=load_id, why="its dry run was killed")
    put_back_state(pipeline)
