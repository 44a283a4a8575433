"""The `on_run_end` setting: a function, given by its import path or directly."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterable
from typing import Any, Union

from dlt_bunce.errors import ConfigurationError
from dlt_bunce.logs import logger
from dlt_bunce.model import RunSummary

Hook = Callable[[RunSummary], Any]


def resolve_hook(on_run_end: Union[str, Hook, None]) -> Hook | None:
    """Return the function; raise ConfigurationError if the path does not lead to one."""
    if on_run_end is None or not isinstance(on_run_end, str):
        return on_run_end
    path = f"on_run_end = {on_run_end!r}"
    remedy = 'Set on_run_end = "package.module:function", with a module that Python can import.'
    if ":" not in on_run_end:
        raise ConfigurationError(f"{path} does not name a function.", remedy=remedy)
    try:
        found = pkgutil.resolve_name(on_run_end)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(f"{path} was not found: {error}.", remedy=remedy) from None
    except Exception as error:  # noqa: BLE001
        # an error raised by the module itself may hold anything
        raise ConfigurationError(
            f"{path} cannot be imported: {type(error).__name__}.",
            remedy=f"To see why, run: python -c 'import {on_run_end.partition(':')[0]}'",
        ) from None
    if not callable(found):
        raise ConfigurationError(f"{path} is not a function.", remedy=remedy)
    hook: Hook = found
    return hook


def call(hook: Hook, summary: RunSummary, on_failure: Iterable[Callable[[str], None]] = ()) -> None:
    """Call the hook; log the type of what it raises, and call `on_failure` with a sentence.

    An exception never fails a run that is over. Its message is not logged, since such messages tend
    to hold the URL, and so the secret, of a webhook.
    """
    try:
        hook(summary)
    except Exception as error:  # noqa: BLE001, whatever the operator's code raises
        name, kind = getattr(hook, "__qualname__", type(hook).__name__), type(error).__name__
        logger().warning("run.hook_failed", hook=name, run=summary.run_id, error=kind)
        for listener in on_failure:
            listener(
                f"on_run_end failed ({name} raised {kind}); no notification was sent for this run."
            )
