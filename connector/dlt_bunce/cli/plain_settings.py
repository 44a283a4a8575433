"""Settings of commands that only read the store, found without importing dlt.

Importing dlt takes most of the time of such a command, and where Airflow is installed several times
as much. Whatever is unusual is left to dlt: vaults, profiles, Airflow's variables, and mistakes.
"""

from __future__ import annotations

import ast
import os
import tempfile
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from dlt_bunce.destination.settings.misspelt_sections import (
    refuse_misspelt_sections,
    refuse_misspelt_variables,
)
from dlt_bunce.errors import ConfigurationError

AIRFLOW_SECRETS = "PROVIDERS__ENABLE_AIRFLOW_SECRETS"
_PREFIX = "DESTINATION__BUNCE__"
_OTHERS = ("DLT_CONFIG", "DLT_PROJECT", "DLT_PROFILE", "PROVIDERS__", "AIRFLOW_CTX_", "WORKSPACE__")
"""Variables that change where dlt finds settings."""


def plain_setting(name: str) -> str | None:
    """Return a setting, or its default; None if only dlt can tell."""
    if any(_is_unusual(*variable) for variable in os.environ.items()) or _has_other_files():
        return None
    known = defaults()
    if any(variable in os.environ for variable in _outside(known)):
        return None
    try:
        refuse_misspelt_variables(os.environ, [*known, "credentials.api_key"])
        sections = list(_sections(known))
    except ConfigurationError:
        return None
    if any(section is None or section.keys() - known.keys() for section in sections):
        return None
    found = next((section[name] for section in sections if section and name in section), None)
    if found is None:
        return known[name]
    return str(found) if isinstance(found, (str, int)) and not isinstance(found, bool) else None


@lru_cache(maxsize=1)
def defaults() -> Mapping[str, str | None]:
    """Return every setting with its default, or None where that is not text or a number.

    Read from the source of the configuration, whose import needs dlt.
    """
    text = files("dlt_bunce.destination.settings").joinpath("configuration.py").read_text("utf-8")
    classes = (node for node in ast.parse(text).body if isinstance(node, ast.ClassDef))
    [settings] = [node for node in classes if node.name == "BunceConfiguration"]
    found: dict[str, str | None] = {}
    for node in settings.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            value = node.value.value if isinstance(node.value, ast.Constant) else None
            is_plain = isinstance(value, (str, int)) and not isinstance(value, bool)
            found[node.target.id] = str(value) if is_plain else None
    return found


def _sections(known: Mapping[str, Any]) -> Iterator[Mapping[str, Any] | None]:
    """Yield [destination.bunce] of every place, the first to count first; None if it is unusual."""
    yield {
        variable[len(_PREFIX) :].lower().removesuffix("__api_key"): value
        for variable, value in os.environ.items()
        if variable.startswith(_PREFIX)
    }
    for file in (".dlt/secrets.toml", ".dlt/config.toml", "config.toml"):
        yield _section(Path(file), known)


def _is_unusual(variable: str, value: str) -> bool:
    is_ours = variable == AIRFLOW_SECRETS and value.lower() == "false"
    return variable.startswith(_OTHERS) and not is_ours


def _outside(known: Collection[str]) -> Iterator[str]:
    """Yield the variables that dlt would take for settings outside of their section."""
    for name in known:
        yield name.upper()
        yield f"DESTINATION__{name.upper()}"


def _has_other_files() -> bool:
    """Return whether dlt may have settings of a workspace's profile, or for all of a user's
    projects.
    """
    if Path(".dlt/.workspace").is_file():
        return True
    folders = [Path.home() / ".dlt", Path("/var/dlt"), Path(tempfile.gettempdir(), "dlt")]
    for variable, within in (("DLT_DATA_DIR", ""), ("XDG_DATA_HOME", "dlt")):
        if value := os.environ.get(variable):
            folders.append(Path(value, within))
    names = ("secrets.toml", "config.toml")
    return any((folder / name).is_file() for folder in folders for name in names)


def _section(file: Path, known: Mapping[str, Any]) -> Mapping[str, Any] | None:
    if not file.is_file():
        return {}
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        document = tomlkit.parse(file.read_text("utf-8")).unwrap()
    except (OSError, UnicodeDecodeError, TOMLKitError):
        return None
    refuse_misspelt_sections(document, known, file=str(file))
    destination = document.get("destination", {})
    if "providers" in document or not isinstance(destination, dict):
        return None
    if (document.keys() | destination.keys()) & known.keys():  # outside of the section
        return None
    section = destination.get("bunce", {})
    return section if isinstance(section, dict) else None
