"""Sections and texts that TOML has in another shape, which dlt ignores or fails to use."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, time
from typing import Any

from dlt_bunce.destination.settings.configuration_checks import EXAMPLES
from dlt_bunce.errors import ConfigurationError

_TEXT = '"…"'
_NO_TEXT = (Mapping, Sequence, bool, date, time)


def refuse_no_section(document: Mapping[str, Any], path: Sequence[str], *, file: str) -> None:
    """Raise ConfigurationError for a value, or a section in double brackets, where `path` is meant
    as a section: dlt would ignore all of its settings.
    """
    found: Any = document
    doubled = False
    for name in path:
        if isinstance(found, list):
            doubled = True
            found = next((each for each in found if isinstance(each, Mapping)), None)
        if not isinstance(found, Mapping):
            return
        found = found.get(name)
    if found is not None and (doubled or not isinstance(found, Mapping)):
        section = ".".join(path)
        raise ConfigurationError(
            f"{section} is not a section ({file}), so no setting in it has an effect.",
            remedy=f"Write [{section}], in single brackets, with a setting on each line below it.",
        )


def refuse_no_text(found: Mapping[str, Any], names: Collection[str], *, where: str) -> None:
    """Raise ConfigurationError for a list, a date, or the like, where these settings are text.

    The value is not shown: it may hold a password or the key.
    """
    for name, value in found.items():
        if name in names and isinstance(value, _NO_TEXT) and not isinstance(value, str):
            raise ConfigurationError(
                f"{name} is a {type(value).__name__}, but must be text ({where}).",
                remedy=f"For example: {name} = {EXAMPLES.get(name, _TEXT)}",
            )
