"""Lock of a working folder during one dlt trace: a run, or a step that is called alone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from dlt_bunce.destination.folder import run_lock
from dlt_bunce.errors import BunceError

if TYPE_CHECKING:
    from dlt import Pipeline

    from dlt_bunce.destination.factory import bunce
    from dlt_bunce.destination.folder.run_lock import Owner

# by thread: dlt swallows a tracker's errors, so they are kept until its next call
_refused: dict[int, BunceError] = {}
_stopped: dict[int, Exception] = {}


def begin(pipeline: Pipeline, check: Callable[[Pipeline], None] | None = None) -> bool:
    """Take the lock, or remember the error; return whether it was taken.

    `check` is called while the lock is held; if it raises, the run may not use the folder.
    """
    folder = Path(pipeline.working_dir)
    try:
        run_lock.acquire(folder, lambda: _wait_s(pipeline), _on_wait(pipeline.destination))
        try:
            if check is not None:
                check(pipeline)
        except BunceError:
            run_lock.release(folder)
            raise
    except BunceError as error:
        _refused[threading.get_ident()] = error
        return False
    return True


def end(pipeline: Pipeline) -> None:
    """Release the lock, if `begin` took it."""
    _stopped.pop(threading.get_ident(), None)
    if _refused.pop(threading.get_ident(), None) is None:
        run_lock.release(Path(pipeline.working_dir))


def is_held() -> bool:
    """Return whether this thread's run has its working folder to itself."""
    return threading.get_ident() not in _refused


def stop(error: Exception) -> None:
    """Let this thread's run, which holds its working folder, end with the error."""
    _stopped[threading.get_ident()] = error


def raise_if_refused() -> None:
    """Raise the error that kept this thread's run from its working folder, or stops it, if any."""
    thread = threading.get_ident()
    if (error := _refused.get(thread) or _stopped.get(thread)) is not None:
        raise error


def folder_lock(pipeline: Pipeline) -> AbstractContextManager[Owner]:
    """Hold the pipeline's working folder; no other run can use it until the block ends.

    Raises RunInProgressError if another run holds it for longer than `wait_for_run`, and TypeError
    if the pipeline has another destination.
    """
    from dlt_bunce.destination.access import context_of

    folder, on_wait = Path(pipeline.working_dir), context_of(pipeline).on_wait
    return run_lock.run_lock(folder, lambda: _wait_s(pipeline), on_wait)


def lock_for(
    destination: bunce, name: str, pipelines_dir: str | None
) -> AbstractContextManager[Owner]:
    """Hold the folder before `dlt.pipeline()`, which deletes one that another process is creating.

    Otherwise as `folder_lock`.
    """
    from dlt.common.pipeline import get_dlt_pipelines_dir

    from dlt_bunce.destination.access import client_for

    return run_lock.run_lock(
        Path(pipelines_dir or get_dlt_pipelines_dir(), name),
        lambda: client_for(destination, name).config.wait_for_run,
        _on_wait(destination),
    )


def _on_wait(destination: Any) -> list[Callable[[str], None]]:
    return cast("bunce", destination).run_context.on_wait


def _wait_s(pipeline: Pipeline) -> float:
    """Return the seconds to wait for another run.

    This is the default if dlt cannot read the settings; the run itself then reports why.
    """
    from dlt.common.configuration.exceptions import ConfigurationException

    from dlt_bunce.destination.access import client_of

    try:
        return client_of(pipeline).config.wait_for_run
    except (BunceError, ConfigurationException):
        return run_lock.DEFAULT_WAIT_S
