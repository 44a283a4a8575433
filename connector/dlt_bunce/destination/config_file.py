"""The file config.toml beside whatever is started, in addition to dlt's own places."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Any

import dlt
from dlt.common.configuration.container import Container
from dlt.common.configuration.providers import CustomLoaderDocProvider
from dlt.common.configuration.specs import PluggableRunContext
from dlt.common.configuration.specs.config_section_context import ConfigSectionContext

from dlt_bunce.destination.configuration_checks import refuse_unknown, refuse_unknown_variables
from dlt_bunce.errors import ConfigurationError

HERE = "config.toml of the working folder"
"""Not "config.toml": dlt's own file of .dlt is named so, and dlt keeps one provider a name."""
BESIDE = "config.toml beside the pipelines"
_OURS = ("destination", "pipelines")


def use_config(script: str | Path | None = None) -> None:
    """Take settings from ./config.toml, after the environment and the files of .dlt.

    Where there is none, the one of the project counts in which `script` lies: beside it, or in the
    folder above. A file with neither [destination.bunce] nor [pipelines.…] is another program's.
    Secrets are refused there: they belong into the environment or .dlt/secrets.toml. Raises
    ConfigurationError for a file that cannot be read.
    """
    here = _first([Path()])
    _provide(HERE, here)
    if script is not None:
        folder = Path(script).resolve().parent
        _provide(BESIDE, {} if here else _first([folder, folder.parent]))


def _provide(name: str, document: dict[str, Any]) -> None:
    providers = Container()[PluggableRunContext].providers
    # also in the place of what an earlier call in another folder has found
    if document or name in providers:
        providers[name] = CustomLoaderDocProvider(name, lambda: document, supports_secrets=False)


def _first(folders: Sequence[Path]) -> dict[str, Any]:
    paths = [folder / "config.toml" for folder in folders]
    return next((_read(path.absolute()) for path in paths if path.is_file()), {})


def _read(path: Path) -> dict[str, Any]:
    try:
        status = path.stat()
        # a copy: dlt writes into what a provider holds
        return deepcopy(_document(path, status.st_mtime_ns, status.st_size, status.st_ino))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{path} cannot be read: {type(error).__name__}.", remedy="Correct or remove it."
        ) from None


# dlt asks for a destination's settings some twenty times a run
@lru_cache(maxsize=8)
def _document(path: Path, *_changed: int) -> dict[str, Any]:
    import tomlkit
    from tomlkit.exceptions import ParseError

    text = path.read_text(encoding="utf-8")
    try:
        document: dict[str, Any] = tomlkit.parse(text).unwrap()
    except ParseError as error:
        raise ConfigurationError(
            f"{path} is no TOML: line {error.line}, column {error.col}.",
            remedy='Correct it, such as account = "default".',
        ) from None
    return document if any(name in document for name in _OURS) else {}


def setting(name: str) -> str | None:
    """A setting of a pipeline by its dotted name, secrets included; None where there is none."""
    value: object = dlt.secrets.get(name)
    if value is None:
        value = dlt.config.get(name)
    return None if value is None else str(value)


def store_settings(store_url: str | None = None, account: str | None = None) -> tuple[str, str]:
    """Store and account as given, else as configured: no API key is needed to look."""
    from dlt_bunce.destination.configuration import BunceConfiguration as Defaults

    use_config()
    refuse_unknown_settings()
    section = "destination.bunce"
    return (
        store_url or dlt.config.get(f"{section}.store_url") or Defaults.store_url,
        account or dlt.config.get(f"{section}.account") or Defaults.account,
    )


def required_setting(name: str) -> str:
    """As setting(); raises ConfigurationError where there is none."""
    value = setting(name)
    if not value:
        section, _, key = name.rpartition(".")
        raise ConfigurationError(
            f"The setting {key} of [{section}] is missing.",
            remedy=f"Set it in config.toml, or as {name.replace('.', '__').upper()} in the "
            "environment, which is the place for whatever holds a password.",
        )
    return value


def refuse_unknown_settings(destination: str = "bunce") -> None:
    """Raise ConfigurationError for what environment and files set for Bunce and nobody reads.

    `destination` is the name of the destination, which dlt takes for a section, too.
    """
    from dlt_bunce.destination.configuration import BunceConfiguration

    known = [name for name in BunceConfiguration.get_resolvable_fields() if name[:2] != "__"]
    known.append("destination_type")  # how dlt finds a destination that has another name
    refuse_unknown_variables(os.environ, known, destination=destination)
    pipeline = Container()[ConfigSectionContext].pipeline_name
    for provider in dlt.config.config_providers:
        # not vaults: each question is a request there
        if not isinstance(provider, CustomLoaderDocProvider):
            continue
        for name in dict.fromkeys(["bunce", destination]):
            for prefix in dict.fromkeys([None, pipeline]):
                section, _ = provider.get_value(name, Any, prefix, "destination")  # type: ignore[arg-type]
                if not isinstance(section, Mapping):
                    continue
                path = ".".join(filter(None, [prefix, "destination", name]))
                where = f"[{path}] in {provider.name}"
                refuse_unknown(section, known, where=where)
                key = section.get("credentials")
                if isinstance(key, Mapping):
                    refuse_unknown(key, ["api_key"], where=where)
