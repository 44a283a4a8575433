"""Which source column feeds which Bunce field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from dlt_bunce.errors import MappingError
from dlt_bunce.records.paths import HINT, column_of_path
from dlt_bunce.records.schema import ALIASES, FIELDS, MAPPABLE, PARTS, REQUIRED, fold

VERSION = "version"
_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class FieldMapping:
    """The outcome of `resolve_mapping`.

    `columns` goes from field to source column, or to a path within one; `how` says for each field,
    those filled by a default alone included, and for the version, what decided: hint, config,
    name, alias, or default. `version` is what orders versions of a customer, or None.
    """

    columns: Mapping[str, str]
    how: Mapping[str, str]
    version: str | None = None

    @property
    def by_name(self) -> list[str]:
        """Fields whose columns followed from names alone."""
        return [field for field in self.columns if self.how[field] in {"name", "alias"}]

    @property
    def recorded(self) -> dict[str, str]:
        """Columns and version in the form that `resolve_mapping` takes as hints or config."""
        return {**self.columns, **({} if self.version is None else {VERSION: self.version})}


def resolve_mapping(
    columns: Sequence[str],
    *,
    hints: Mapping[str, str] = _NOTHING,
    config: Mapping[str, str] = _NOTHING,
    defaults: Mapping[str, str] = _NOTHING,
) -> FieldMapping:
    """Maps every field: by hint, else config, else the field's own name, else a known alias.

    `hints` and `config` go from field (or "version") to a column, or to a path within one. Raises
    MappingError, with the columns there are and the line to write, for a required field with
    neither column nor default, a column that does not exist, a field that Bunce does not have, and
    any match that is not unique. dlt's own columns (`_dlt_…`) are never mapped.
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
    _take_parts(chosen, how, own)
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
    """Raises MappingError where names alone lead to another column than they did `before` (field to
    column): a column that is new at the source must not make everybody somebody else.
    """
    for field in mapping.by_name:
        old, new = before.get(field), mapping.columns[field]
        if old not in (None, new):
            raise MappingError(
                f"By its name, column {new!r} would be {field} now; until now that was {old!r}.",
                columns=columns,
                remedy=f"To keep {old}: {_write([(field, old)])} To take {new}: the same with "
                f'"{new}".',
            )


def column_of(field: str, columns: Sequence[str]) -> str | None:
    """The column that feeds a field by its name, if any. Raises MappingError for several."""
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
    aliases = {fold(alias) for alias in ALIASES[field]}
    candidates = [c for c in columns if fold(c) in aliases]
    if not candidates:
        return None
    _refuse_ambiguous(field, candidates, columns)
    return candidates[0], "alias"


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
                    f"The {origin} for {field!r} names no field of Bunce; "
                    f"the fields are: {', '.join(known)}.",
                    columns=columns,
                    remedy=_write([(FIELDS[0], columns[0] if columns else "your_column")]),
                )
    if defaults.get("customer_id") is not None:
        raise MappingError(
            "A default for customer_id would make one customer of every row without an id.",
            columns=columns,
            remedy="Remove customer_id from [destination.bunce.defaults].",
        )


def _take_parts(chosen: dict[str, str], how: dict[str, str], columns: Sequence[str]) -> None:
    """Maps the two columns of one device, where there are both, unless a column holds `devices`."""
    given = [part for part in PARTS if part in chosen]
    if given and "devices" in chosen:
        if how["devices"] in {"hint", "config"}:
            raise MappingError(
                f"Both devices and {given[0]} are mapped.",
                columns=columns,
                remedy=_write([("devices", chosen["devices"])]),
            )
        del chosen["devices"], how["devices"]
    if "devices" in chosen:
        return
    found = {part: _by_name(part, columns) for part in PARTS if part not in chosen}
    there = {part: one for part, one in found.items() if one is not None}
    if len(given) + len(there) == len(PARTS):
        for part, one in there.items():
            chosen[part], how[part] = one
    elif given:
        [other] = [part for part in PARTS if part not in given]
        raise MappingError(
            f"{given[0]} is mapped and {other} is not: a device needs both.",
            columns=columns,
            remedy=_write([(given[0], chosen[given[0]]), (other, "your_column")]),
        )


def _refuse_absent(field: str, column: str, columns: Sequence[str], origin: str) -> None:
    found = columns.count(column_of_path(column, columns) or column)
    if found == 1:
        return
    problem = "does not exist" if not found else f"exists {found} times"
    raise MappingError(
        f"The {origin} maps {field} to column {column!r}, which {problem}.",
        columns=columns,
        remedy=_write([(field, _likely(column, columns))]),
    )


def _refuse_ambiguous(field: str, candidates: Sequence[str], columns: Sequence[str]) -> None:
    if len(candidates) > 1:
        named = ", ".join(repr(candidate) for candidate in candidates)
        raise MappingError(
            f"Several columns could be {field}: {named}.",
            columns=columns,
            remedy=_write([(field, candidates[0])]),
        )


def _refuse_shared(
    chosen: Mapping[str, str], how: Mapping[str, str], columns: Sequence[str]
) -> None:
    for field in FIELDS:
        if how.get(field) != "alias":
            continue
        others = [
            other for other in FIELDS if other != field and chosen.get(other) == chosen[field]
        ]
        if others:
            raise MappingError(
                f"Column {chosen[field]!r} is {others[0]} already and would by its name be "
                f"{field} too.",
                columns=columns,
                remedy=_write([(field, chosen[field])]),
            )


def _refuse_missing(columns: Sequence[str], how: Mapping[str, str]) -> None:
    missing = [field for field in REQUIRED if field not in how]
    if missing:
        raise MappingError(
            f"No column and no default for the required {_plural(missing)}.",
            columns=columns,
            remedy=_write([(field, "your_column") for field in missing]),
        )


def _plural(fields: Sequence[str]) -> str:
    return f"field{'s' if len(fields) > 1 else ''} {', '.join(fields)}"


def _likely(wanted: str, columns: Sequence[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(wanted, columns, n=1)
    return close[0] if close else "your_column"


def _write(pairs: Sequence[tuple[str, str]]) -> str:
    keywords = ", ".join(f'{field}="{column}"' for field, column in pairs)
    lines = ", ".join(f'{field} = "{column}"' for field, column in pairs)
    options = " ".join(
        f"--version-column {column}" if field == VERSION else f"--map {field}={column}"
        for field, column in pairs
    )
    return (
        f"Write bunce_adapter(data, {keywords}) in the pipeline, [destination.bunce.mapping] "
        f"{lines} in the configuration, or {options} on the command line. {HINT}"
    )
