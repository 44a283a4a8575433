"""Mapping of source columns to Bunce fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from dlt_bunce.errors import MappingError
from dlt_bunce.records.paths import HINT, column_of_path
from dlt_bunce.records.schema import (
    ALIASES,
    EXPORT_ALIASES,
    FIELDS,
    MAPPABLE,
    PARTS,
    REQUIRED,
    fold,
)

VERSION = "version"
_EMPTY: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class FieldMapping:
    """The result of `resolve_mapping`.

    `columns` maps fields to source columns, or to paths within one. `how` tells for each field
    (including those filled only by a default) and for the version what decided: hint, config, name,
    alias, or default. `version` is the column that orders versions of a customer, or None.
    """

    columns: Mapping[str, str]
    how: Mapping[str, str]
    version: str | None = None

    @property
    def by_name(self) -> list[str]:
        """Fields whose columns were found by name or alias."""
        return [field for field in self.columns if self.how[field] in {"name", "alias"}]

    @property
    def recorded(self) -> dict[str, str]:
        """Columns and version in the format `resolve_mapping` takes as hints or config."""
        return {**self.columns, **({} if self.version is None else {VERSION: self.version})}


def resolve_mapping(
    columns: Sequence[str],
    *,
    hints: Mapping[str, str] = _EMPTY,
    config: Mapping[str, str] = _EMPTY,
    defaults: Mapping[str, str] = _EMPTY,
) -> FieldMapping:
    """Map every field: by hint, else config, else the field's own name, else a known alias.

    `hints` and `config` map fields (or "version") to a column, or to a path within one. Raises
    MappingError, with the existing columns and the line to add, for a required field with neither a
    column nor a default, a column that does not exist, a field that Bunce does not have, and any
    ambiguous match. dlt's own columns (`_dlt_…`) are never mapped.
    """
    own = tuple(column for column in columns if not column.startswith("_dlt_"))
    _refuse_unknown(own, hints, config, defaults)
    chosen: dict[str, str] = {}
    how: dict[str, str] = {}
    for origin, given in (("config", config), ("hint", hints)):
        for field, column in given.items():
            _refuse_absent(field, column, own, origin)
            chosen[field], how[field] = column, origin
    for field in FIELDS:
        if field not in chosen and (found := _by_name(field, own)) is not None:
            chosen[field], how[field] = found
    _map_device_parts(chosen, how, own)
    _refuse_shared(chosen, how, own)
    for field in FIELDS:
        if field not in chosen and defaults.get(field) is not None:
            how[field] = "default"
    _refuse_missing(own, how)
    return FieldMapping(
        columns=MappingProxyType({f: chosen[f] for f in (*FIELDS, *PARTS) if f in chosen}),
        how=MappingProxyType({field: how[field] for field in MAPPABLE if field in how}),
        version=chosen.get(VERSION),
    )


def refuse_other_names(
    mapping: FieldMapping, before: Mapping[str, str], columns: Sequence[str]
) -> None:
    """Raise MappingError if a field found by name has another column than `before`.

    `before` maps fields to columns. A column added at the source must not silently replace the id
    or any other field of every customer.
    """
    for field in mapping.by_name:
        old, new = before.get(field), mapping.columns[field]
        if old not in (None, new):
            raise MappingError(
                f"Column {new!r} now matches {field} by name, but earlier runs used {old!r}.",
                columns=columns,
                remedy=f"To keep {old}: {_instructions([(field, old)])} To switch to {new}, do the "
                f'same with "{new}".',
            )


def column_of(field: str, columns: Sequence[str]) -> str | None:
    """Return the column that matches a field by name, if any. Raises MappingError for several."""
    found = _by_name(field, [name for name in columns if not name.startswith("_dlt_")])
    return None if found is None else found[0]


def _by_name(field: str, columns: Sequence[str]) -> tuple[str, str] | None:
    if field in columns:
        _refuse_ambiguous(field, [c for c in columns if c == field], columns)
        return field, "name"
    wanted = fold(field)
    same = [c for c in columns if fold(c) == wanted]
    if same:
        _refuse_ambiguous(field, same, columns)
        return same[0], "name"
    for names in (ALIASES[field], EXPORT_ALIASES.get(field, ())):
        aliases = {fold(alias) for alias in names}
        candidates = [c for c in columns if fold(c) in aliases]
        if candidates:
            _refuse_ambiguous(field, candidates, columns)
            return candidates[0], "alias"
    return None


def _refuse_unknown(
    columns: Sequence[str],
    hints: Mapping[str, str],
    config: Mapping[str, str],
    defaults: Mapping[str, str],
) -> None:
    for origin, given in (("hint", hints), ("config", config), ("default", defaults)):
        known = FIELDS if origin == "default" else MAPPABLE
        for field in given:
            if field not in known:
                raise MappingError(
                    f"The {origin} for {field!r} does not name a Bunce field. "
                    f"The fields are: {', '.join(known)}.",
                    columns=columns,
                    remedy=_instructions([(FIELDS[0], columns[0] if columns else "your_column")]),
                )
    if defaults.get("customer_id") is not None:
        raise MappingError(
            "A default for customer_id would merge all rows without an id into one customer.",
            columns=columns,
            remedy="Remove customer_id from [destination.bunce.defaults].",
        )


def _map_device_parts(chosen: dict[str, str], how: dict[str, str], columns: Sequence[str]) -> None:
    """Map device_type and device_token if both exist, unless a column is mapped to `devices`."""
    given = [part for part in PARTS if part in chosen]
    if given and "devices" in chosen:
        if how["devices"] in {"hint", "config"}:
            raise MappingError(
                f"Both devices and {given[0]} are mapped; only one of them can be.",
                columns=columns,
                remedy=_instructions([("devices", chosen["devices"])]),
            )
        del chosen["devices"], how["devices"]
    if "devices" in chosen:
        return
    found = {part: _by_name(part, columns) for part in PARTS if part not in chosen}
    matches = {part: match for part, match in found.items() if match is not None}
    if len(given) + len(matches) == len(PARTS):
        for part, match in matches.items():
            chosen[part], how[part] = match
    elif given:
        [missing] = [part for part in PARTS if part not in given]
        raise MappingError(
            f"{given[0]} is mapped but {missing} is not; a device needs both.",
            columns=columns,
            remedy=_instructions([(given[0], chosen[given[0]]), (missing, "your_column")]),
        )


def _refuse_absent(field: str, column: str, columns: Sequence[str], origin: str) -> None:
    found = columns.count(column_of_path(column, columns) or column)
    if found == 1:
        return
    problem = "does not exist" if not found else f"appears {found} times"
    raise MappingError(
        f"The {origin} maps {field} to column {column!r}, which {problem}.",
        columns=columns,
        remedy=_instructions([(field, _closest(column, columns))]),
    )


def _refuse_ambiguous(field: str, candidates: Sequence[str], columns: Sequence[str]) -> None:
    if len(candidates) > 1:
        named = ", ".join(repr(candidate) for candidate in candidates)
        raise MappingError(
            f"Several columns match {field}: {named}.",
            columns=columns,
            remedy=_instructions([(field, candidates[0])]),
        )


def _refuse_shared(
    chosen: Mapping[str, str], how: Mapping[str, str], columns: Sequence[str]
) -> None:
    for field in FIELDS:
        if how.get(field) != "alias":
            continue
        sharing = [
            mapped for mapped in FIELDS if mapped != field and chosen.get(mapped) == chosen[field]
        ]
        if sharing:
            raise MappingError(
                f"Column {chosen[field]!r} is already mapped to {sharing[0]} and also matches "
                f"{field} by name.",
                columns=columns,
                remedy=_instructions([(field, chosen[field])]),
            )


def _refuse_missing(columns: Sequence[str], how: Mapping[str, str]) -> None:
    missing = [field for field in REQUIRED if field not in how]
    if missing:
        raise MappingError(
            f"No column or default for the required {_plural(missing)}.",
            columns=columns,
            remedy=_instructions([(field, "your_column") for field in missing]),
        )


def _plural(fields: Sequence[str]) -> str:
    return f"field{'s' if len(fields) > 1 else ''} {', '.join(fields)}"


def _closest(wanted: str, columns: Sequence[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(wanted, columns, n=1)
    return close[0] if close else "your_column"


def _instructions(pairs: Sequence[tuple[str, str]]) -> str:
    keywords = ", ".join(f'{field}="{column}"' for field, column in pairs)
    lines = ", ".join(f'{field} = "{column}"' for field, column in pairs)
    options = " ".join(
        f"--version-column {column}" if field == VERSION else f"--map {field}={column}"
        for field, column in pairs
    )
    return (
        f"Use bunce_adapter(data, {keywords}) in the pipeline, {lines} under "
        f"[destination.bunce.mapping] in the configuration, or {options} on the command line. "
        f"{HINT}"
    )
