"""The start of a run into Bunce: what must hold before dlt uses its working folder."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from dlt.common.configuration.exceptions import ConfigurationException

from dlt_bunce.destination.access import client_of, context_of
from dlt_bunce.destination.folder import data_at_rest, folder_locks
from dlt_bunce.destination.folder.dry_run_state import keep_state, undo_killed_dry_run
from dlt_bunce.destination.folder.folder_owner import FolderOwner, take_folder
from dlt_bunce.destination.folder.lost_packages import put_back_cursor
from dlt_bunce.destination.folder.run_lock import owner_of
from dlt_bunce.destination.left_overs import give_up_refused, refuse_dry_run_over_left_overs
from dlt_bunce.destination.mapping.hints_given import hints_for_left_overs, latest_hints
from dlt_bunce.destination.mapping.naming import refuse_other_naming
from dlt_bunce.errors import BunceError

if TYPE_CHECKING:
    from dlt import Pipeline

    from dlt_bunce.destination.client import BunceClient


def begin(step: str, pipeline: Pipeline) -> None:
    """Take the working folder for a trace that starts with this step; see `folder_locks.begin`."""
    # dlt takes long to resolve settings: once is enough
    client = cache(partial(_client, pipeline))
    if folder_locks.begin(pipeline, partial(_check, step, client)):
        data_at_rest.make_private(pipeline)
        give_up_refused(pipeline)
        context = context_of(pipeline)
        # another run: what stopped the last one may be over
        context.stopped.clear()
        if (found := client()) is not None:
            context.settings[settings_key(pipeline)] = found.config
            if found.config.dry_run:
                keep_state(pipeline, step)
        if step == "run" and (hints := hints_for_left_overs(pipeline)):
            context.map_as(owner_name(pipeline), hints)
        if step == "load" and not context.is_flushing(owner_name(pipeline)):
            # a package of an earlier run may be loaded beside that of the latest extraction
            context.map_as(owner_name(pipeline), latest_hints(pipeline))


def owner_name(pipeline: Pipeline) -> str:
    """Return who holds the working folder."""
    return owner_of(Path(pipeline.working_dir)).name


def settings_key(pipeline: Pipeline) -> tuple[str, str]:
    """Return the key under which the run's settings are kept."""
    return pipeline.pipeline_name, owner_name(pipeline)


def _client(pipeline: Pipeline) -> BunceClient | None:
    """Return the destination's client; None if a setting is wrong, which the run itself reports."""
    try:
        client = client_of(pipeline)
        FolderOwner.of(client.config)
    except (BunceError, ConfigurationException):
        return None
    return client


def _check(step: str, client: Callable[[], BunceClient | None], pipeline: Pipeline) -> None:
    """Raise BunceError if the step may not use what is in the working folder."""
    undo_killed_dry_run(pipeline)
    if step == "run":
        refuse_other_naming(pipeline)
        refuse_dry_run_over_left_overs(pipeline)
    if (found := client()) is not None:
        take_folder(found, pipeline)
        if step in {"run", "extract"}:
            put_back_cursor(found, pipeline)
