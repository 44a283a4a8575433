"""Checks of settings: unknown names, and values of the wrong type."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import Any, Literal, get_args, get_origin

from dlt_bunce.errors import ConfigurationError

VALUES_TABLE = ("customer_id", "version", "attributes", "segments", "segments_whole")
"""What `values_tables` may have of a table."""
EXAMPLES: Mapping[str, str] = {
    "attributes": '{ plan = "Plan" }',
    "segments": '{ is_vip = "VIP customers" }',
    "segments_min_share": "0.5",
    "timezone": '"Africa/Lagos"',
    "values_tables": '{ payments = { attributes = { balance = "Balance" } } }',
    "account": '"default"',
    "allow_host": '"bunce-gateway.example.com"',
    "customers_table": '"customers"',
    "dead_letter_rows": '"full"',
    "default_region": '"NG"',
    "defaults": '{ last_name = "-" }',
    "egress": '"default"',
    "mapping": '{ email = "contact_mail" }',
    "max_reject_share": "0.05",
    "min_rows_share_of_last": "0.5",
    "min_rows": "1",
    "retention_days": "90",
    "version_format": '"%d/%m/%Y"',
    "on_run_end": '"package.module:function"',
    "store_url": '"sqlite:///bunce.sqlite"',
}
_KINDS: Mapping[Any, tuple[str, str]] = {
    bool: ("true or false", "true"),
    int: ("a whole number", "100"),
    float: ("a number", "60.0"),
    str: ("text", '"default"'),
}


def refuse_unknown(names: Iterable[str], known: Iterable[str], *, where: str) -> None:
    """Raise ConfigurationError for the first unknown name, suggesting the closest known one."""
    known = list(known)
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
            suggestion = f"Did you mean {near[0]}? " if near else ""
            raise ConfigurationError(
                f"Unknown setting {name!r} ({where}).",
                remedy=f"{suggestion}Valid settings: {', '.join(sorted(set(known)))}.",
            )


def refuse_unknown_variables(
    environ: Iterable[str], known: Iterable[str], *, destination: str
) -> None:
    """Raise ConfigurationError for an unknown variable DESTINATION__BUNCE__….

    The name of a pipeline may precede it. A key of a dictionary raises, too: dlt reads dictionaries
    as one JSON object.
    """
    known = list(known)
    sections = {"bunce", destination.lower()}
    for variable in environ:
        words = variable.lower().split("__")
        for at in (0, 1):
            if words[at : at + 1] != ["destination"] or words[at + 1 : at + 2] == []:
                continue
            if words[at + 1] not in sections or len(words) < at + 3:
                continue
            name, rest = words[at + 2], words[at + 3 :]
            refuse_unknown([name], known, where=f"environment variable {variable}")
            if rest and name in {"mapping", "defaults", "attributes", "segments", "values_tables"}:
                whole = "__".join(variable.split("__")[: at + 3])
                raise ConfigurationError(
                    f"The environment variable {variable} has no effect.",
                    remedy="Set the whole dictionary as one JSON object: "
                    f'{whole}=\'{{"{"__".join(rest)}": "…"}}\'',
                )
            if rest and name != "credentials":
                raise ConfigurationError(
                    f"Unknown setting {'.'.join([name, *rest])!r} (environment variable "
                    f"{variable}).",
                    remedy=f"Valid settings: {', '.join(sorted(set(known)))}.",
                )
            if rest and name == "credentials":
                refuse_unknown(rest[:1], ["api_key"], where=f"environment variable {variable}")
            if variable != variable.upper():
                raise ConfigurationError(
                    f"The environment variable {variable} has no effect: dlt reads only names in "
                    "capitals.",
                    remedy=f"Set {variable.upper()}.",
                )


def check_kind(name: str, hint: Any, value: object) -> None:
    """Raise ConfigurationError for a value of the wrong type for its setting; None is valid."""
    hints = [arg for arg in get_args(hint) if arg is not type(None)] or [hint]
    kind = hint if get_origin(hint) is Literal else hints[0] if len(hints) == 1 else None
    if value is None or kind is None:
        return
    if get_origin(kind) is Literal:
        allowed = get_args(kind)
        if value not in allowed:
            raise wrong_value(
                name, value, "one of " + ", ".join(f'"{choice}"' for choice in allowed)
            )
        return
    if get_origin(kind) is dict:
        if not isinstance(value, dict):
            raise wrong_value(name, value, "a dictionary")
        return
    if kind not in _KINDS:
        return
    expected, example = _KINDS[kind]
    is_bool = isinstance(value, bool)
    fits = {
        bool: is_bool,
        int: isinstance(value, int) and not is_bool,
        float: isinstance(value, int | float) and not is_bool and math.isfinite(value),
        str: isinstance(value, str),
    }
    if not fits[kind]:
        raise wrong_value(name, value, expected, example)


def check_text(name: str, value: object) -> None:
    """Raise ConfigurationError for text that is blank, or has quotes or blanks around it, as a
    variable of a container may. The value is not shown: it may hold a password.
    """
    if not isinstance(value, str):
        return
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    if value.strip() and value == value.strip() and not quoted:
        return
    remedy = f"Remove the setting, or set it as it is meant, for example: {name} = "
    remedy += f"{EXAMPLES.get(name, '…')}."
    if not value.strip():
        raise ConfigurationError(f"{name} is blank.", remedy=remedy)
    raise ConfigurationError(
        f"{name} has quotes or blanks around its value.",
        remedy=f"{remedy} Files of variables, as for docker --env-file, take quotes for a part of "
        "the value.",
    )


def check_values_tables(tables: Mapping[str, Any]) -> None:
    """Raise ConfigurationError for an unknown name in `values_tables`, and for a wrong type."""
    for table, given in tables.items():
        check_kind(f"values_tables.{table}", dict[str, Any], given)
        refuse_unknown(given, VALUES_TABLE, where=f"in values_tables.{table}")
        check_kind(f"values_tables.{table}.segments_whole", bool, given.get("segments_whole"))


def wrong_value(name: str, value: object, expected: str, example: str = "…") -> ConfigurationError:
    """Return the error for a value of the wrong type, with an example of a valid one."""
    shown = repr(value) if len(repr(value)) < 40 else f"a {type(value).__name__}"
    return ConfigurationError(
        f"{name} is {shown}, but must be {expected}.",
        remedy=f"For example: {name} = {EXAMPLES.get(name, example)}",
    )


def kind_of(hint: Any) -> tuple[str, str]:
    """Return a description of a setting's valid values, and an example."""
    if get_origin(hint) is Literal:
        choices = [f'"{choice}"' for choice in get_args(hint)]
        return "one of " + ", ".join(choices), choices[0]
    hints = [arg for arg in get_args(hint) if arg is not type(None)] or [hint]
    return _KINDS.get(hints[0], ("a dictionary", "{ }"))


def check_version_format(form: str | None) -> None:
    """Raise ConfigurationError unless this is a strptime format that includes the year."""
    if form is None:
        return
    now = datetime.now(timezone.utc)
    try:
        read = datetime.strptime(now.strftime(form), form)  # noqa: DTZ007, only its year counts
    except ValueError:
        read = None
    if read is None or read.year != now.year:
        raise ConfigurationError(
            f"version_format is {form!r}, which is not a date format that includes the year.",
            remedy='Use a strptime format: version_format = "%d/%m/%Y %H:%M" in the '
            "configuration, or --date-format '%d/%m/%Y %H:%M' on the command line.",
        )


def checked_region(region: str | None) -> str | None:
    """Return a country code in capitals. Raises ConfigurationError for one that no country has."""
    if region is None:
        return None
    import phonenumbers

    code = region.strip().upper()
    if code not in phonenumbers.SUPPORTED_REGIONS:
        raise ConfigurationError(
            f"default_region is {region!r}, which is not a country code.",
            remedy='Use a two-letter code, for example: default_region = "NG"',
        )
    return code


def check_timezone(timezone: str | None) -> None:
    """Raise ConfigurationError for a time zone that does not exist."""
    if timezone is not None:
        from dlt_bunce.records.values.value_moments import refuse_unknown_timezone

        refuse_unknown_timezone(timezone)
