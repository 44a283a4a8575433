"""What to write where columns cannot be mapped, as it is likely to be meant."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from types import MappingProxyType

from dlt_bunce.records.mapping.paths import HINT
from dlt_bunce.records.mapping.schema import FULL_NAME, NAMES, ColumnNames, fold, names_of

_NOTHING: Mapping[str, str] = MappingProxyType({})
_SIGNS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "email": ("mail", "correo", "courriel"),
        "first_name": ("first", "given", "vorname", "prenom", "forename", "nombre"),
        "last_name": ("last", "surname", "family", "nachname", "apellido", "cognome", "sobrenome"),
        "phone_no": (
            "mobil",
            "cell",
            "celul",
            "msisdn",
            "whatsapp",
            "handy",
            "phone",
            "telef",
            "tel",
            "gsm",
            "sms",
        ),
        FULL_NAME: ("fullname", "customername", "contactname", "name"),
    }
)
"""Parts of column names that suggest a field, the likeliest first."""
_NOT_OF_PERSONS = (
    "company",
    "user",
    "file",
    "domain",
    "account",
    "event",
    "list",
    "middle",
    "nick",
)
_ABOUT_A_FIELD = re.compile(
    "login|logon|seen|visit|order|purchas|activ|modif|updat|chang|sync|conver|digest|hash|verif"
    "|confirm|consent|domain|country"
)
_WORDS_ABOUT_A_FIELD = frozenset(
    {"at", "on", "by", "in", "out", "date", "time", "type", "status", "count", "ip", "code"}
)
"""In names of columns that tell something about a field, and do not hold it: last_login_at."""
_WORD = re.compile("[A-Z]*[a-z]+|[A-Z]+")
_STAND_IN = "-"


@dataclass(frozen=True)
class Guess:
    """Columns that missing fields are likely to have, `defaults` for names that have none, and
    fields for which there is nothing to suggest.
    """

    columns: Mapping[str, ColumnNames]
    defaults: Mapping[str, str] = field(default_factory=dict)
    unknown: Sequence[str] = ()


def guess(
    missing: Sequence[str], columns: Sequence[str], chosen: Mapping[str, Sequence[str]]
) -> Guess:
    """Return what to suggest for fields without a column; `chosen` has the columns of others."""
    taken = {column for used in chosen.values() for column in used}
    free = [column for column in columns if column not in taken]
    found: dict[str, ColumnNames] = {}
    defaults: dict[str, str] = {}
    for name in missing:
        column = _id_column(free) if name == "customer_id" else _likely(name, free)
        if column is not None:
            found[name] = column
            free.remove(column)
    nameless = [name for name in NAMES if name in missing and name not in found]
    whole = _likely(FULL_NAME, free)
    if nameless and whole is not None:
        # the other name has a column of its own: this one holds the rest
        alone = len(nameless) == 1 and nameless[0] == "last_name" and fold(whole) == "name"
        found["last_name" if alone else FULL_NAME] = whole
    elif nameless == ["last_name"]:
        defaults["last_name"] = _STAND_IN
    emails = found.get("email") or chosen.get("email")
    if "customer_id" in missing and "customer_id" not in found and emails:
        found["customer_id"] = names_of(emails)[0]
    names = NAMES if FULL_NAME in found else ()
    unknown = [n for n in missing if n not in found and n not in defaults and n not in names]
    return Guess(found, defaults, unknown)


def closest(wanted: str, columns: Sequence[str], alike: float = 0.6) -> str | None:
    """Return the column whose name is most like this one, if any is at least so much alike."""
    close = get_close_matches(fold(wanted), [fold(column) for column in columns], 1, alike)
    return next((column for column in columns if fold(column) in close), None)


def instructions(pairs: Mapping[str, ColumnNames], defaults: Mapping[str, str] = _NOTHING) -> str:
    """Return how to map fields to columns in the pipeline, the configuration, and on the command
    line.
    """
    ways = []
    if pairs:
        values = {name: json.dumps(column, ensure_ascii=False) for name, column in pairs.items()}
        keywords = ", ".join(f"{name}={value}" for name, value in values.items())
        lines = ", ".join(f"{name} = {value}" for name, value in values.items())
        ways.append(
            f"Use bunce_adapter(data, {keywords}) in the pipeline, {lines} under "
            "[destination.bunce.mapping] in the configuration, or "
            f"{shlex.join(options(pairs))} on the command line."
        )
    if defaults:
        lines = ", ".join(f"{name} = {json.dumps(value)}" for name, value in defaults.items())
        ways.append(
            f"For rows without one, set {lines} under [destination.bunce.defaults], or use "
            f"{shlex.join(options({}, defaults))} on the command line."
        )
    return " ".join([*ways, *([HINT] if pairs else [])])


def options(pairs: Mapping[str, ColumnNames], defaults: Mapping[str, str] = _NOTHING) -> list[str]:
    """Return the options that map fields to columns and set defaults, as words of a command."""
    words: list[str] = []
    for name, columns in pairs.items():
        for column in names_of(columns):
            words += (
                ["--version-column", column] if name == "version" else ["--map", f"{name}={column}"]
            )
    for name, value in defaults.items():
        words += ["--default", f"{name}={value}"]
    return words


def nothing_like(fields: Collection[str]) -> str:
    """Return what to do about fields for which no column can be suggested."""
    if not fields:
        return ""
    named = " or ".join(fields)
    return (
        f"No column looks like {named}: name the one that holds it with --map FIELD=COLUMN "
        "([destination.bunce.mapping] in the configuration), or give all rows without one the same "
        "value with --default FIELD=VALUE ([destination.bunce.defaults])."
    )


def _likely(name: str, columns: Sequence[str]) -> str | None:
    for sign in _SIGNS.get(name, (name,)):
        for column in columns:
            folded = fold(column)
            if name == FULL_NAME and any(word in folded for word in _NOT_OF_PERSONS):
                continue
            if sign in folded and not _tells_about(column):
                return column
    return None


def _tells_about(column: str) -> bool:
    words = {word.lower() for word in _WORD.findall(column)}
    return bool(_ABOUT_A_FIELD.search(fold(column)) or words & _WORDS_ABOUT_A_FIELD)


def _id_column(columns: Sequence[str]) -> str | None:
    words = [(column, fold(column)) for column in columns]
    for ends in ("customerid", "contactid", "userid", "id", "number", "code", "key", "no"):
        for column, folded in words:
            if folded.endswith(ends) and not any(p in folded for p in ("phone", "mobil", "tel")):
                return column
    return None
