"""Commands in messages, so that they reach the store and account of the command that failed."""

from __future__ import annotations

import click

from dlt_bunce.commands import completed


def pasteable(text: str) -> str:
    """Add --account and --store-url to the commands in a text, as given to this command."""
    context = click.get_current_context(silent=True)
    params = {} if context is None else context.params
    return completed(text, params.get("account"), params.get("store_url"))
