"""Columns that feed attributes and segments, compared with those that Bunce has."""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

from dlt_bunce.errors import MappingError
from dlt_bunce.records.mapping.instructions import closest
from dlt_bunce.records.text.value_texts import NULL
from dlt_bunce.records.values.targets import KINDS, SECTION, FoundTarget, FoundTargets, Kind

Wanted = Mapping[Kind, Mapping[str, str]]
"""Column to name in Bunce, by kind."""
Listing = Mapping[Kind, Sequence[Mapping[str, Any]]]
"""What Bunce lists, by kind: each with `id` and `name`, and its `data_type` or `type`."""

NO_TYPE = "unknown"
"""The type of an attribute to be created whose column has no values yet."""
_TYPES = {NULL: NO_TYPE, "bigint": "numeric", "double": "numeric", "decimal": "numeric"}
_TYPES |= {"timestamp": "timestamp", "date": "timestamp"}
_NO_MOMENTS = frozenset({"bigint", "double", "decimal", "bool", "time"})
_MISFITS: Mapping[str, Collection[str]] = {
    "numeric": frozenset({"timestamp", "date", "time", "bool"}),
    "timestamp": _NO_MOMENTS,
    "date": _NO_MOMENTS,
    "boolean": frozenset({"timestamp", "date", "time"}),
}
"""Types of columns, by the attribute's type, of which no value can ever fit."""
_DATA_TYPES = {name: name for name in ("text", "numeric", "timestamp", "date", "boolean")}
"""Types of attributes whose form is known, by what Bunce may call them."""
_DATA_TYPES |= {"string": "text", "number": "numeric", "datetime": "timestamp", "bool": "boolean"}
_MANUAL = "manual"
_MAX_NAMES = 50
"""Names that a message lists."""


def match_targets(
    wanted: Wanted,
    listing: Listing,
    types: Mapping[str, str],
    *,
    create: bool,
    section: str = SECTION,
) -> list[FoundTarget]:
    """Return what Bunce has for each column.

    `types` are dlt's types of whole columns, NULL where there are no values; with `create`, missing
    attributes are to be created.
    `section` is that of the settings which name the targets.
    """
    found: list[FoundTarget] = []
    for kind, column, name in _each(wanted):
        target = partial(FoundTarget, kind, column, name)
        same = [item for item in listing[kind] if item["name"] == name]
        made = made_type(kind, types.get(column))
        if not same and create and kind == "attributes":
            to_come = [item.name for item in found if item.kind == kind]
            twin = _alike(name, [*names_of(listing[kind]), *to_come])
            if twin is not None:
                fault = f"The attribute {name!r} would be created beside {twin!r}."
                remedy = " ".join(
                    [
                        *_likely(kind, column, name, [twin], section),
                        *_beside(kind, wanted.get(kind, {})),
                        f"If both are meant, create {name!r} in Bunce's dashboard.",
                    ]
                )
                found.append(target(made, "alike", None, fault, remedy))
                continue
            found.append(target(made, "no_values" if made == NO_TYPE else "to_create"))
        elif not same:
            fault = f"Bunce has no {_noun(kind)} {name!r}."
            likely = _likely(kind, column, name, names_of(listing[kind]), section)
            likely += _beside(kind, wanted.get(kind, {})) if likely else []
            as_made = "" if made == NO_TYPE else f" as {made}"
            remedy = " ".join([*likely, _otherwise(kind, as_made)])
            found.append(target(made, "missing", None, fault, remedy))
        else:
            found.append(_judged(target, kind, same, types.get(column), name))
    return found


def remembered_targets(
    wanted: Wanted, earlier: Mapping[tuple[str, str], tuple[str, str]], types: Mapping[str, str]
) -> list[FoundTarget]:
    """Return the targets without asking Bunce: as `earlier` loads found them, which are id and type
    by kind and name, or with the type that follows from the column.
    """
    found = []
    for kind, column, name in _each(wanted):
        key, data_type = earlier.get((kind, name)) or (None, made_type(kind, types.get(column)))
        data_type = known_type(data_type) or data_type
        found.append(FoundTarget(kind, column, name, data_type, "not_compared", key))
    return found


def made_type(kind: Kind, column_type: str | None) -> str:
    """Return the type of the attribute that a column of a dlt type would make; NO_TYPE of one
    without values.
    """
    return "boolean" if kind == "segments" else _TYPES.get(column_type or "", "text")


def known_type(data_type: Any) -> str | None:
    """Return the type of an attribute as Bunce names it, as one whose form is known; else None."""
    return _DATA_TYPES.get(str(data_type).strip().casefold())


def fault_of(found: FoundTargets, *, may_create: bool = True) -> MappingError | None:
    """Return what stops a load: one error about all targets at fault."""
    faulty = [item for item in found.items if item.fault is not None]
    if not faulty:
        return None
    texts, remedies = [], []
    for kind in KINDS:
        missing = [item for item in faulty if (item.kind, item.state) == (kind, "missing")]
        if missing:
            there = found.available[kind]
            named = ", ".join(repr(item.name) for item in missing)
            shown = listed_names(there) or "none"
            texts.append(f"Bunce has no {_noun(kind)} {named}. It has: {shown}.")
            likely = [
                sentence
                for item in missing
                for sentence in _likely(kind, item.column, item.name, there, found.section)
            ]
            fed = {item.column: item.name for item in found.items if item.kind == kind}
            remedies += [*likely, *(_beside(kind, fed) if likely else [])]
            remedies.append(_otherwise(kind, may_create=may_create))
    others = [item for item in faulty if item.state != "missing"]
    texts += [item.fault or "" for item in others]
    remedies += dict.fromkeys(item.remedy or "" for item in others)
    return MappingError(" ".join([*texts, "Nothing was sent."]), remedy=" ".join(remedies))


def names_of(items: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names of what Bunce lists, in order."""
    return sorted({str(item["name"]) for item in items})


def listed_names(names: Sequence[str]) -> str:
    """Return names for a message."""
    more = len(names) - _MAX_NAMES
    return ", ".join(names[:_MAX_NAMES]) + (f", and {more:,} more" if more > 0 else "")


def _each(wanted: Wanted) -> list[tuple[Kind, str, str]]:
    return [(k, column, name) for k in KINDS for column, name in wanted.get(k, {}).items()]


def _judged(
    target: partial[FoundTarget],
    kind: Kind,
    same: Sequence[Mapping[str, Any]],
    column_type: str | None,
    name: str,
) -> FoundTarget:
    item, noun = same[0], _noun(kind)
    given = "boolean" if kind == "segments" else item.get("data_type")
    data_type = known_type(given)
    if len(same) > 1:
        fault = f"Bunce has {len(same)} {noun}s called {name!r}, so it is unclear which is meant."
        remedy = "Rename or delete all but one in Bunce's dashboard."
        return target(data_type or NO_TYPE, "ambiguous", None, fault, remedy)
    if kind == "segments" and str(item.get("type") or _MANUAL).casefold() != _MANUAL:
        fault = f"The segment {name!r} is automatic: Bunce decides who is a member."
        remedy = "Use a manual segment, or remove it from the segments."
        return target(data_type, "automatic", None, fault, remedy)
    if data_type is None:
        shown = "without a type" if not given else f"of type {str(given)!r}"
        known = ", ".join(dict.fromkeys(_DATA_TYPES.values()))
        fault = (
            f"Bunce lists the attribute {name!r} {shown}, and skips values in another form than "
            f"the type's without an error. Known are: {known}."
        )
        remedy = (
            "Feed an attribute of one of these types, or look for a newer version of dlt-bunce."
        )
        return target(NO_TYPE, "misfit", None, fault, remedy)
    if column_type in _MISFITS.get(data_type, ()):
        column = target.args[1]
        fault = (
            f"Column {column!r} is of type {column_type}, but {name!r} takes {data_type} values."
        )
        remedy = "Use another column, or convert it at the source."
        return target(data_type, "misfit", None, fault, remedy)
    return target(data_type, "exists", str(item["id"]))


def _alike(name: str, others: Sequence[str]) -> str | None:
    """Return which of the names differs from this one in nothing but letter case and blanks."""
    folded = "".join(name.split()).casefold()
    return next((o for o in others if "".join(o.split()).casefold() == folded), None)


def _likely(kind: Kind, column: str, name: str, names: Sequence[str], section: str) -> list[str]:
    """Return what is likely to be meant, as one sentence or none."""
    close = closest(name, names)
    if close is None:
        return []
    option = f"--{_noun(kind)} {shlex.quote(f'{column}={close}')}"
    setting = f"{json.dumps(column, ensure_ascii=False)} = {json.dumps(close, ensure_ascii=False)}"
    return [f"Did you mean {close!r}? Use {option}, or {setting} under [{section}.{kind}]."]


def _beside(kind: Kind, fed: Mapping[str, str]) -> list[str]:
    """Return what to do about the other attributes, if these may have been given by "*"."""
    if kind != "attributes" or len(fed) < 2 or any(column != name for column, name in fed.items()):
        return []
    return ["If you used '*' for attributes, name each of the others as well, in place of it."]


def _otherwise(kind: Kind, made: str = "", *, may_create: bool = True) -> str:
    create = ""
    if kind == "attributes" and may_create:
        create = f"set create_attributes = true to have it created{made}, "
    return f"Write the name as Bunce has it, {create}or create it in Bunce's dashboard."


def _noun(kind: Kind) -> str:
    return "attribute" if kind == "attributes" else "segment"
