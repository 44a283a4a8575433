"""Commands in messages, so that they reach the store and account of the command that failed."""

from __future__ import annotations

import contextlib
from typing import Any

import click

from dlt_bunce.commands import completed
from dlt_bunce.errors import ConfigurationError, SourceError


def pasteable(text: str) -> str:
    """Add --account and --store-url to the commands in a text, as given to this command, or as in
    the section of the pipeline that it loads: commands that read the store know no pipeline.
    """
    context = click.get_current_context(silent=True)
    params = {} if context is None else context.params
    if context is not None and context.info_name == "load" and params["name"]:
        params = _of_section(params["name"]) | {n: p for n, p in params.items() if p is not None}
    return completed(text, params.get("account"), params.get("store_url"))


def _of_section(pipeline: str) -> dict[str, Any]:
    """Return what a pipeline's section has of the store and account."""
    from dlt_bunce.destination.settings.config_file import store_settings_of
    from dlt_bunce.sources.locations import has_password

    with contextlib.suppress(ConfigurationError, SourceError):  # a wrong setting is told already
        found = store_settings_of(pipeline)
        if not has_password(found["store_url"] or ""):
            return found
    return {}
