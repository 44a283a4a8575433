"""Settings from a config.toml next to the program, in addition to dlt's own files."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Any, Optional

import dlt
from dlt.common.configuration.container import Container
from dlt.common.configuration.exceptions import ConfigValueCannotBeCoercedException
from dlt.common.configuration.providers import (
    ConfigProvider,
    CustomLoaderDocProvider,
    EnvironProvider,
)
from dlt.common.configuration.specs import PluggableRunContext
from dlt.common.configuration.specs.config_section_context import ConfigSectionContext

from dlt_bunce.destination.settings.configuration_checks import (
    refuse_unknown,
    refuse_unknown_variables,
)
from dlt_bunce.destination.settings.misspelt_sections import (
    DESTINATION,
    is_file_of_ours,
    refuse_misspelt_sections,
    refuse_misspelt_variables,
)
from dlt_bunce.destination.settings.outside_settings import refuse_outside
from dlt_bunce.destination.settings.section_shapes import refuse_no_section, refuse_no_text
from dlt_bunce.errors import ConfigurationError
from dlt_bunce.failures.known import SAVE_AS_UTF_8

_WORKING_DIR_PROVIDER = "config.toml in the working directory"
"""Not "config.toml": dlt uses that name for its own file in .dlt, and provider names are unique."""
_SCRIPT_DIR_PROVIDER = "config.toml next to the pipelines"


def use_config(script: str | Path | None = None) -> None:
    """Read settings from ./config.toml, after the environment and the files in .dlt.

    If there is no such file, use the one next to `script` or in the folder above it. A file with
    neither [destination.bunce], for all pipelines or within the section of one, nor [pipelines.…]
    belongs to another program and is ignored. Secrets are not read from it: they belong in the
    environment or .dlt/secrets.toml. Raises ConfigurationError for a file that cannot be read.
    """
    here = _first([Path()])
    # dlt asks in the order in which they are added
    _provide(_WORKING_DIR_PROVIDER, here, add=script is not None)
    if script is not None:
        folder = Path(script).resolve().parent
        _provide(_SCRIPT_DIR_PROVIDER, {} if here else _first([folder, folder.parent]))


def _provide(name: str, document: dict[str, Any], *, add: bool = False) -> None:
    providers = Container()[PluggableRunContext].providers
    # an empty document replaces what an earlier call found in another folder
    if document or add or name in providers:
        providers[name] = CustomLoaderDocProvider(name, lambda: document, supports_secrets=False)


def _first(folders: Sequence[Path]) -> dict[str, Any]:
    paths = [folder / "config.toml" for folder in folders]
    return next((_read(path.absolute()) for path in paths if path.is_file()), {})


def _read(path: Path) -> dict[str, Any]:
    try:
        status = path.stat()
        # a copy: dlt writes into what a provider holds
        return deepcopy(_document(path, status.st_mtime_ns, status.st_size, status.st_ino))
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path} is not UTF-8 text.", remedy=SAVE_AS_UTF_8) from None
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be read: {type(error).__name__}.", remedy="Fix the file or remove it."
        ) from None


# dlt resolves a destination's settings about twenty times per run
@lru_cache(maxsize=8)
def _document(path: Path, *_changed: int) -> dict[str, Any]:
    import tomlkit
    from tomlkit.exceptions import ParseError, TOMLKitError

    text = path.read_text(encoding="utf-8-sig")  # Notepad writes a byte order mark
    try:
        document: dict[str, Any] = tomlkit.parse(text).unwrap()
    except TOMLKitError as error:
        where = "a key appears twice"
        if isinstance(error, ParseError):
            where = f"line {error.line}, column {error.col}"
        raise ConfigurationError(
            f"{path} is not valid TOML ({where}).",
            remedy='Fix the syntax, for example: account = "default"',
        ) from None
    return document if is_file_of_ours(document) else {}


def setting(name: str) -> str | None:
    """Return a setting or secret by its dotted name; None if it is not set."""
    value: object = dlt.secrets.get(name)
    if value is None:
        value = dlt.config.get(name)
    return None if value is None else str(value)


def configured(name: str) -> dict[str, Any]:
    """Return a dictionary among the destination's settings, as configured."""
    use_config()
    refuse_unknown_settings()
    return dict(dlt.config.get(f"destination.bunce.{name}", dict) or {})


def configured_targets() -> tuple[Any, Any]:
    """Return the settings `attributes` and `segments` as configured, None where they are not."""
    use_config()
    attributes: Any = dlt.config.get("destination.bunce.attributes")
    return attributes, dlt.config.get("destination.bunce.segments", dict)


def configured_values_tables() -> dict[str, Any]:
    """Return the setting `values_tables` as configured."""
    use_config()
    return dict(dlt.config.get("destination.bunce.values_tables", dict) or {})


def store_settings(
    store_url: str | None = None, account: str | None = None, *, checked: bool = True
) -> tuple[str, str]:
    """Return the store URL and account, as given or as configured; no API key is required.

    Unless `checked` is false, raises ConfigurationError for an unknown setting.
    """
    from dlt_bunce.destination.settings.configuration import BunceConfiguration as Defaults

    use_config()
    if checked:
        refuse_unknown_settings()
    section = "destination.bunce"
    return (
        store_url or dlt.config.get(f"{section}.store_url", str) or Defaults.store_url,
        # as dlt resolves it for a load, also if it looks like a number
        account or dlt.config.get(f"{section}.account", str) or Defaults.account,
    )


def store_settings_of(pipeline: str) -> dict[str, Any]:
    """Return the store URL and account of a pipeline's own section, None where it has none."""
    use_config()
    section = f"{pipeline}.destination.bunce"
    return {name: dlt.config.get(f"{section}.{name}", str) for name in ("store_url", "account")}


def is_dry_run_configured(pipeline: str | None) -> bool:
    """Return whether runs of a pipeline are dry runs, or those of all pipelines without a name.

    False for a value that is neither true nor false, which the run itself reports.
    """
    use_config()
    sections = [*([f"{pipeline}.destination.bunce"] if pipeline else []), "destination.bunce"]
    try:
        found = (dlt.config.get(f"{section}.dry_run", bool) for section in sections)
        return bool(next((value for value in found if value is not None), False))
    except ConfigValueCannotBeCoercedException:
        return False


def required_setting(name: str) -> str:
    """Return a setting as `setting()` does; raise ConfigurationError if it is missing."""
    value = setting(name)
    if not value:
        section, _, key = name.rpartition(".")
        raise ConfigurationError(
            f"The setting {key} in [{section}] is missing.",
            remedy=f"Set it in config.toml, or as {name.replace('.', '__').upper()} in the "
            "environment if it contains a password.",
        )
    return value


def settings_of(pipeline: str, *names: str) -> dict[str, str | None]:
    """Return the settings in [pipelines.<pipeline>] by name, None for those that are not set.

    Raises ConfigurationError for any other name there, and for a misspelt section.
    """
    section = ("pipelines", pipeline)
    refuse_misspelt_variables(os.environ, names, section)
    begin = f"{'__'.join(section).upper()}__"
    given = [variable for variable in os.environ if variable.upper().startswith(begin)]
    for variable in given:
        name = variable[len(begin) :].lower()
        refuse_unknown([name], names, where=f"environment variable {variable}")
    for provider in _files():
        where = f"[{'.'.join(section)}] in {provider.name}"
        refuse_misspelt_sections(_content(provider), names, section, file=provider.name)
        refuse_unknown(
            _content(provider).get("pipelines", {}).get(pipeline, {}), names, where=where
        )
    return {name: setting(".".join((*section, name))) for name in names}


def refuse_unknown_settings(destination: str = "bunce", given: Collection[str] = ()) -> None:
    """Raise ConfigurationError for an unknown Bunce setting in the environment or a file, and for
    one that dlt would read although it stands outside of the section.

    `destination` is the destination's name, which dlt also reads as a section; settings that are
    `given` in code are read nowhere else.
    """
    from dlt_bunce.destination.settings.configuration import BunceConfiguration

    fields = BunceConfiguration.get_resolvable_fields()
    known = [name for name in fields if name[:2] != "__"]
    texts = [name for name in known if fields[name] in {str, Optional[str]}]
    known.append("destination_type")  # set for a destination with a custom name
    refuse_unknown_variables(os.environ, known, destination=destination)
    pipeline = Container()[ConfigSectionContext].pipeline_name
    refuse_outside(_environment_and_files(), known, destination, pipeline, given)
    paths = dict.fromkeys([DESTINATION, ("destination", destination)])
    within = [*known, "credentials.api_key"]
    for path in paths:
        refuse_misspelt_variables(os.environ, within, path, pipeline=pipeline)
    for provider in _files():
        content = _content(provider)
        for path in paths:
            refuse_misspelt_sections(content, within, path, pipeline=pipeline, file=provider.name)
        for name in dict.fromkeys(["bunce", destination]):
            for prefix in dict.fromkeys([None, pipeline]):
                whole = tuple(filter(None, [prefix, "destination", name]))
                refuse_no_section(content, whole, file=provider.name)
                found, _ = provider.get_value(name, Any, prefix, "destination")  # type: ignore[arg-type]
                if not isinstance(found, Mapping):
                    continue
                where = f"[{'.'.join(whole)}] in {provider.name}"
                refuse_unknown(found, known, where=where)
                refuse_no_text(found, texts, where=where)
                key = found.get("credentials")
                if isinstance(key, Mapping):
                    refuse_unknown(key, ["api_key"], where=where)
                    refuse_no_text(key, ["api_key"], where=where)
                elif key is not None:
                    refuse_no_text(found, ["credentials"], where=where)


def _environment_and_files() -> list[ConfigProvider]:
    """Return the environment and the files, in the order in which dlt reads them."""
    found = Container()[PluggableRunContext].providers.providers
    return [each for each in found if isinstance(each, EnvironProvider | CustomLoaderDocProvider)]


def _files() -> list[CustomLoaderDocProvider]:
    """Return the files that dlt reads; not vaults, where each lookup is a request."""
    found = dlt.config.config_providers
    return [provider for provider in found if isinstance(provider, CustomLoaderDocProvider)]


def _content(provider: CustomLoaderDocProvider) -> dict[str, Any]:
    return provider._config_doc  # noqa: SLF001, dlt has no other way to list what is set
