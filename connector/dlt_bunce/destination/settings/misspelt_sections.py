"""Misspelt sections of settings, which dlt does not read: their settings would have no effect.

What may be meant for something else is left alone: sections of other destinations, of destinations
with a name of their own, and those without a setting of ours.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from difflib import SequenceMatcher, get_close_matches
from functools import lru_cache
from typing import Any

from dlt_bunce.errors import ConfigurationError

Path = tuple[str, ...]
DESTINATION: Path = ("destination", "bunce")
_OURS = {"bunce", "parquet", "postgres", "warehouse"}
"""Sections with names of our choice; names that users choose may be like each other on purpose."""
_OURS_ALONE = {"dry_run", "store_url", "customers_table"}
"""Settings that show a file to be ours even where they stand outside of any section."""
_DEPTH = 4
"""Most names before a value: those of a pipeline, of a section of two, and of a setting."""
_NAME_AND_SETTING = 2


def refuse_misspelt_variables(
    environ: Iterable[str],
    settings: Collection[str],
    section: Path = DESTINATION,
    *,
    pipeline: str | None = None,
) -> None:
    """Raise ConfigurationError for a variable that is meant for `section` and not read by dlt.

    `settings` are the names in the section, with dots where one is in a section of its own.
    """
    paths = {variable: tuple(variable.lower().split("__")) for variable in environ}
    others = _named(paths.values())
    for variable, path in paths.items():
        meant = _meant(path, section, settings, {*others, (pipeline or "").lower()})
        if meant:
            raise ConfigurationError(
                f"The environment variable {variable} has no effect.",
                remedy=f"Did you mean {'__'.join(meant).upper()}?",
            )


def refuse_misspelt_sections(
    document: Mapping[str, Any],
    settings: Collection[str],
    section: Path = DESTINATION,
    *,
    pipeline: str | None = None,
    file: str,
) -> None:
    """Raise ConfigurationError as `refuse_misspelt_variables` does, for a parsed TOML file."""
    paths = list(_paths(document))
    others = {*_named(paths), pipeline or ""}
    for path in paths:
        meant = _meant(path, section, settings, others)
        if meant:
            raise ConfigurationError(
                f"The setting {'.'.join(path)} has no effect ({file}).",
                remedy=f"Did you mean {meant[-1]} in [{'.'.join(meant[:-1])}]?",
            )


def is_file_of_ours(document: Mapping[str, Any]) -> bool:
    """Return whether a file has a section of ours, or one that is meant to be, or a setting outside
    of it; the name of a pipeline may come first.
    """
    return any(
        name in _OURS_ALONE
        or _is_section_of_ours(name)
        or (isinstance(within, Mapping) and any(_is_like(each, "destination") for each in within))
        for name, within in document.items()
    )


def _is_section_of_ours(name: str) -> bool:
    joined = _letters((name,))
    return joined.startswith(_letters(DESTINATION)) or any(
        _is_like(name, right) for right in ("destination", "pipelines", "bunce")
    )


def _paths(document: Mapping[str, Any], above: Path = ()) -> Iterator[Path]:
    for name, value in document.items():
        path = (*above, str(name))
        if isinstance(value, Mapping) and value and len(path) < _DEPTH:
            yield from _paths(value, path)
        else:
            yield path


def _named(paths: Iterable[Path]) -> set[str]:
    """Return the names of destinations that are declared as such."""
    return {path[-2] for path in paths if path[-1] == "destination_type" and len(path) > 1}


def _meant(
    path: Path, section: Path, settings: Collection[str], others: Collection[str]
) -> Path | None:
    """Return the path that was meant, if it is not this one; `others` are names of their own."""
    for start in (0, 1):  # the name of a pipeline may come first
        before, rest = path[:start], path[start:]
        if rest[: len(section)] == section:
            return None
        found = _run_together(rest, section, settings) or _slip(rest, section, settings, others)
        if found:
            return (*before, *section, *found)
    if section == DESTINATION and path[0] == section[1] and path[0] not in others:
        return next(((*section, name) for name in settings if path[1:] == (name,)), None)
    return None


def _run_together(path: Path, section: Path, settings: Collection[str]) -> Path | None:
    """Return the setting of a path with separators in the wrong places."""
    if name := _by_letters(section, tuple(settings)).get(_letters(path)):
        return tuple(name.split("."))
    if len(path) != _NAME_AND_SETTING or path[0] != section[0]:
        return None
    name, begins = path[1], f"{section[1]}_"
    return _closest(name.removeprefix(begins), settings) if name.startswith(begins) else None


def _slip(
    path: Path, section: Path, settings: Collection[str], others: Collection[str]
) -> Path | None:
    """Return the setting of a path with a slip in the names of its sections."""
    if len(path) <= _NAME_AND_SETTING or path[1] in others:
        return None
    if not all(_is_like(word, right) for word, right in zip(path, section, strict=False)):
        return None
    found = _closest(path[_NAME_AND_SETTING], settings)
    return found and (*found, *path[_NAME_AND_SETTING + 1 :])


def _closest(name: str, settings: Collection[str]) -> Path | None:
    return tuple(get_close_matches(name.lower(), settings, n=1)) or None


@lru_cache(maxsize=4096)
def _letters(path: Path) -> str:
    return re.sub("[^a-z0-9]", "", "".join(path).lower())


@lru_cache(maxsize=64)
def _by_letters(section: Path, settings: tuple[str, ...]) -> Mapping[str, str]:
    return {_letters((*section, name)): name for name in settings}


@lru_cache(maxsize=4096)
def _is_like(word: str, right: str) -> bool:
    """Return whether a word is the right one, but for one letter or its case.

    Longer names that begin with it, such as "bunce_eu", are names of their own.
    """
    near = word.lower()
    if near == right or right not in {"destination", "pipelines", *_OURS}:
        return near == right
    if not near.isalpha() or abs(len(near) - len(right)) > 1:
        return False
    return SequenceMatcher(None, near, right).ratio() >= 0.8
