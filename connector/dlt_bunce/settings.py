"""Settings are a closed set: an unknown name or a value of the wrong kind is an error everywhere.

A setting that nothing reads is worse than one that fails: `dryrun` for `dry_run` sends for real.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from dlt_bunce.errors import ConfigurationError

_KINDS: Mapping[str, tuple[type, ...]] = {
    "a whole number": (int,),
    "a number": (int, float),
    "true or false": (bool,),
    "text": (str,),
}
NUMBERS = (
    "batch_size",
    "max_batch_size",
    "concurrency",
    "max_concurrency",
    "requests_per_minute",
    "max_reject_count",
)
FRACTIONS = ("max_reject_share", "min_rows_share_of_last")
SECONDS = ("timeout_s", "wait_for_run")
SWITCHES = ("lowercase_email", "dry_run", "keep_completed_jobs")
TEXTS = ("store_url", "account", "customers_table", "egress")


def refuse_unknown(given: Iterable[str], known: Iterable[str], where: str) -> None:
    """Raises ConfigurationError for a name that is no setting, with the one that was meant."""
    known = sorted(known)
    for name in given:
        if name not in known:
            close = get_close_matches(name.lower(), known, n=1, cutoff=0.6)
            meant = f"Did you mean {close[0]}? " if close else ""
            raise ConfigurationError(
                f"{name} ({where}) is no setting of bunce.",
                remedy=f"{meant}The settings are: {', '.join(known)}.",
            )


def refuse_wrong_kinds(values: Mapping[str, Any]) -> None:
    """Raises ConfigurationError for a value of another kind than its setting's."""
    for kind, names in (
        ("a whole number", NUMBERS),
        ("a number", (*FRACTIONS, *SECONDS)),
        ("true or false", SWITCHES),
        ("text", TEXTS),
    ):
        for name in names:
            value = values[name]
            wrong = not isinstance(value, _KINDS[kind])
            if value is not None and (wrong or (kind != "true or false" and value is True)):
                raise ConfigurationError(
                    f"{name} is {value!r}, but must be {kind}.",
                    remedy=f"Correct {name} under [destination.bunce], or in bunce(…).",
                )
    choices = ("full", "keys")
    if values["dead_letter_rows"] not in choices:
        raise ConfigurationError(
            f"dead_letter_rows is {values['dead_letter_rows']!r}, but must be one of: "
            f"{', '.join(choices)}.",
            remedy='Write dead_letter_rows = "full" or "keys" under [destination.bunce].',
        )


def configured_names(section: str) -> Iterator[tuple[str, str]]:
    """Every name that the environment and the files give for a destination, and where."""
    prefix = f"DESTINATION__{section.upper()}__"
    for variable in os.environ:
        if variable.upper().startswith(prefix):
            yield variable[len(prefix) :].partition("__")[0].lower(), variable
    for provider, document in _documents():
        given = document.get("destination", {})
        given = given.get(section, {}) if isinstance(given, dict) else {}
        for name in given if isinstance(given, dict) else ():
            yield str(name), f"[destination.{section}] in {provider}"


def _documents() -> Iterator[tuple[str, Mapping[str, Any]]]:
    from dlt.common.configuration.container import Container
    from dlt.common.configuration.providers.doc import BaseDocProvider
    from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext

    for provider in Container()[PluggableRunContext].providers.providers:
        if isinstance(provider, BaseDocProvider):
            yield provider.name, provider._config_doc  # noqa: SLF001, dlt lists no names
