"""Settings outside of the destination's section, which dlt would read all the same.

If a section does not have a setting, dlt looks for it in the sections around it, up to a variable
or a line of that name alone. An ACCOUNT that is meant for another program would name the workspace.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any

from dlt.common.configuration.providers import EnvironProvider

from dlt_bunce.errors import ConfigurationError

if TYPE_CHECKING:
    from dlt.common.configuration.providers import ConfigProvider

_OF_DLT = {"credentials", "destination_name", "destination_type", "environment"}
"""Settings of every destination, which dlt's users may well set for all of them."""


def refuse_outside(
    providers: Iterable[ConfigProvider],
    known: Collection[str],
    destination: str,
    pipeline: str | None,
    given: Collection[str],
) -> None:
    """Raise ConfigurationError for a setting that dlt would read from outside of its section.

    One under the name of the pipeline is meant as such. `providers` are in the order in which dlt
    asks them, `known` are all settings, and those `given` in code are not looked for.
    """
    section = ("destination", destination)
    names = [name for name in known if name not in _OF_DLT and name not in given]
    for provider in providers:
        if provider.is_empty:
            continue
        for name in list(names):
            within = (_key_of(provider, name, pipeline, *section[:n]) for n in (2, 1, 0))
            if (pipeline and any(within)) or _key_of(provider, name, None, *section):
                names.remove(name)  # dlt asks nobody else for it
            elif found := _outside(provider, name):
                raise _outside_error(found, name, destination, provider)


def _outside(provider: ConfigProvider, name: str) -> str | None:
    around = _key_of(provider, name, None, "destination")
    return _key_of(provider, name, None) if around is None else around


def _key_of(provider: ConfigProvider, name: str, prefix: str | None, *sections: str) -> str | None:
    """Return the full name of a setting in these sections, if it is set."""
    if isinstance(provider, EnvironProvider):
        # faster than get_value, which first finds out whether it is a secret
        variable = provider.get_key_name(name, *filter(None, (prefix, *sections)))
        return variable if variable in os.environ else None
    value, key = provider.get_value(name, Any, prefix, *sections)
    return None if value is None else key


def _outside_error(
    found: str, name: str, destination: str, provider: ConfigProvider
) -> ConfigurationError:
    inside = f"[destination.{destination}]"
    variable = f"DESTINATION__{destination.upper()}__{name.upper()}"
    is_variable = isinstance(provider, EnvironProvider)
    place = f"The environment variable {found}" if is_variable else f"{found} in {provider.name}"
    return ConfigurationError(
        f"{place} is outside of the section {inside}, but dlt would take it for the setting "
        f"{name} there.",
        remedy=f"If it is meant for dlt-bunce, move it: {variable}, or {name} in {inside}. If not, "
        f"set {variable} to the value to use, which goes before it.",
    )
