"""Settings of commands that only read the store, found without importing dlt.

Importing dlt takes most of the time of such a command, and where Airflow is installed several times
as much. Whatever is unusual is left to dlt: vaults, profiles, Airflow's variables, and mistakes.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

DEFAULTS: Mapping[str, str] = MappingProxyType(
    {"store_url": "sqlite:///bunce.sqlite", "account": "default", "requests_per_minute": "500"}
)
KNOWN = frozenset(DEFAULTS) | {
    "base_url", "batch_size", "concurrency", "credentials", "customers_table", "dead_letter_rows",
    "default_region", "defaults", "destination_type", "devices", "dry_run", "egress",
    "keep_completed_jobs", "lowercase_email", "mapping", "max_batch_size", "max_concurrency",
    "max_reject_count", "max_reject_share", "min_rows", "min_rows_share_of_last", "on_run_end",
    "retention_days", "timeout_s", "unescape_html", "version_format", "wait_for_run",
}  # fmt: skip
"""Names of all settings; with any other, dlt is asked, and the mistake is reported."""
AIRFLOW_SECRETS = "PROVIDERS__ENABLE_AIRFLOW_SECRETS"
_PREFIX = "DESTINATION__BUNCE__"
_OTHERS = ("DLT_CONFIG", "DLT_PROJECT", "DLT_PROFILE", "PROVIDERS__", "AIRFLOW_CTX_", "WORKSPACE__")
"""Variables that change where dlt finds settings."""


def plain_setting(name: str) -> str | None:
    """Return a setting, or its default; None if only dlt can tell."""
    if any(_is_unusual(*variable) for variable in os.environ.items()) or _has_global_files():
        return None
    sections = list(_sections())
    if any(section is None or section.keys() - KNOWN for section in sections):
        return None
    found = next((section[name] for section in sections if section and name in section), None)
    if found is None:
        return DEFAULTS[name]
    return str(found) if isinstance(found, (str, int)) and not isinstance(found, bool) else None


def _sections() -> Iterator[Mapping[str, Any] | None]:
    """Yield [destination.bunce] of every place, the first to count first; None if it is unusual."""
    yield {
        variable[len(_PREFIX) :].lower().removesuffix("__api_key"): value
        for variable, value in os.environ.items()
        if variable.startswith(_PREFIX)
    }
    for file in (".dlt/secrets.toml", ".dlt/config.toml", "config.toml"):
        yield _section(Path(file))


def _is_unusual(variable: str, value: str) -> bool:
    is_ours = variable == AIRFLOW_SECRETS and value.lower() == "false"
    return variable.startswith(_OTHERS) and not is_ours


def _has_global_files() -> bool:
    """Return whether dlt may have settings for all projects of the user."""
    folders = [Path.home() / ".dlt", Path("/var/dlt"), Path(tempfile.gettempdir(), "dlt")]
    for variable, within in (("DLT_DATA_DIR", ""), ("XDG_DATA_HOME", "dlt")):
        if value := os.environ.get(variable):
            folders.append(Path(value, within))
    names = ("secrets.toml", "config.toml")
    return any((folder / name).is_file() for folder in folders for name in names)


def _section(file: Path) -> Mapping[str, Any] | None:
    if not file.is_file():
        return {}
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        document = tomlkit.parse(file.read_text("utf-8")).unwrap()
    except (OSError, UnicodeDecodeError, TOMLKitError):
        return None
    section = document.get("destination", {})
    if "providers" in document or not isinstance(section, dict):
        return None
    section = section.get("bunce", {})
    return section if isinstance(section, dict) else None
