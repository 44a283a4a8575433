"""The setting `on_run_end`: a function of the operator's, by its import path or as it is."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from typing import Any, Union

from dlt_bunce.errors import ConfigurationError
from dlt_bunce.logs import logger
from dlt_bunce.model import RunSummary

Hook = Callable[[RunSummary], Any]

failure_listeners: list[Callable[[str], None]] = []
"""Called with a line for people when a hook fails; the command line registers here."""


def resolved(on_run_end: Union[str, Hook, None]) -> Hook | None:
    """The function itself. Raises ConfigurationError when the path leads to none."""
    if on_run_end is None or not isinstance(on_run_end, str):
        return on_run_end
    path = f"on_run_end = {on_run_end!r}"
    remedy = 'Write on_run_end = "package.module:function", and see that Python finds the module.'
    if ":" not in on_run_end:
        raise ConfigurationError(f"{path} names no function.", remedy=remedy)
    try:
        found = pkgutil.resolve_name(on_run_end)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(f"{path} cannot be found: {error}.", remedy=remedy) from None
    except Exception as error:  # noqa: BLE001
        # a module's own error may hold whatever the module does
        raise ConfigurationError(
            f"{path} cannot be imported: {type(error).__name__}.",
            remedy=f"See why with: python -c 'import {on_run_end.partition(':')[0]}'",
        ) from None
    if not callable(found):
        raise ConfigurationError(f"{path} is no function.", remedy=remedy)
    hook: Hook = found
    return hook


def call(hook: Hook, summary: RunSummary) -> None:
    """Calls the hook. What it raises never fails a run that is over: it is logged, by its type,
    since such messages tend to hold the URL, and with it the secret, of a webhook.
    """
    try:
        hook(summary)
    except Exception as error:  # noqa: BLE001, whatever the operator's code raises
        name, kind = getattr(hook, "__qualname__", type(hook).__name__), type(error).__name__
        logger().warning("run.hook_failed", hook=name, run=summary.run_id, error=kind)
        for listener in failure_listeners:
            listener(f"on_run_end failed ({name}: {kind}), so nobody has been told of this run.")
