"""What a list prints when there is nothing in it: one sentence, with the filters it was given."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from datetime import datetime, timezone

import click
from click.core import ParameterSource

from dlt_bunce.cli.tables import print_sentence

_NO_FILTERS = {"account", "as_json", "by", "count", "discarded", "ended", "limit", "status"}
_NO_FILTERS |= {"everything", "maps", "on_email_taken", "store_url"}


def print_none(account: str, noun: str) -> None:
    """Print that an account has none of these, or none with the filters of this command."""
    filters = shlex.join(_filters(click.get_current_context()))
    which = f" with {filters}" if filters else ""
    print_sentence(f"Account {account} has no {noun}{which}.")


def _filters(context: click.Context) -> Iterator[str]:
    """Yield the words of the options that select what is listed."""
    for option in context.command.params:
        name = option.name or ""
        is_given = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if is_given and name not in _NO_FILTERS:
            value = context.params[name]
            for each in value if option.multiple else [value]:
                yield option.opts[-1]
                yield _typed(each)


def _typed(value: object) -> str:
    """Return a value as it can be typed: an age such as 24h became a time."""
    if isinstance(value, datetime):
        return f"{value.astimezone(timezone.utc):%Y-%m-%dT%H:%MZ}"
    return str(value)
