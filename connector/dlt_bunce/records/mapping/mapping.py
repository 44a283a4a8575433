"""Mapping of source columns to Bunce fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from dlt_bunce.errors import MappingError
from dlt_bunce.records.mapping.device_parts import map_device_parts
from dlt_bunce.records.mapping.earlier_columns import map_earlier, refuse_gone_id, spelled_earlier
from dlt_bunce.records.mapping.exports import Export, recognized
from dlt_bunce.records.mapping.instructions import (
    closest,
    guess,
    instructions,
    nothing_like,
    options,
)
from dlt_bunce.records.mapping.matching import as_spelled, likely_column, match
from dlt_bunce.records.mapping.paths import column_of_path
from dlt_bunce.records.mapping.schema import (
    FIELDS,
    FULL_NAME,
    MAPPABLE,
    NAMES,
    PARTS,
    REQUIRED,
    SEVERAL,
    ColumnNames,
    listed,
    names_of,
)

VERSION = "version"
_OF_STORED_LETTERS = frozenset({"source_row", "fingerprint", "email_digest"})
_EMPTY: Mapping[str, ColumnNames] = MappingProxyType({})
_NO_TEXT: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class FieldMapping:
    """The result of `resolve_mapping`.

    `columns` maps fields to source columns, or to paths within one; `fallbacks` to further columns,
    for rows in which those before are blank. `how` tells for each field (including those without a
    column of their own) and for the version what decided: hint, config, name, export, alias,
    full_name (split from that column), or default. `version` is the column that orders versions of
    a customer, or None. `export` is the name of the export that the columns were recognized as, if
    that decided a field. `values_only`: rows hold values of customers whom others bring.
    """

    columns: Mapping[str, str]
    how: Mapping[str, str]
    version: str | None = None
    fallbacks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    export: str | None = None
    values_only: bool = False

    def columns_of(self, name: str) -> tuple[str, ...]:
        """Return the columns of a field, of which the first that is filled in a row counts."""
        return (self.columns[name], *self.fallbacks.get(name, ())) if name in self.columns else ()

    @property
    def source_columns(self) -> list[str]:
        """All columns that feed a field, once each; without the version."""
        found = (column for name in self.columns for column in self.columns_of(name))
        return list(dict.fromkeys(found))

    @property
    def by_name(self) -> list[str]:
        """Fields whose columns were found by their names."""
        return [f for f in self.columns if self.how[f] in {"name", "export", "alias"}]

    @property
    def hinted(self) -> list[str]:
        """Fields, and the version, whose columns the table's own hint gave."""
        return [name for name, origin in self.how.items() if origin == "hint"]

    @property
    def shared(self) -> dict[str, list[str]]:
        """Columns that feed several fields, with these."""
        fields: dict[str, list[str]] = {}
        for name in self.columns:
            for column in self.columns_of(name):
                fields.setdefault(column, []).append(name)
        return {column: names for column, names in fields.items() if len(names) > 1}

    @property
    def recorded(self) -> dict[str, ColumnNames]:
        """Columns and version in the format `resolve_mapping` takes as hints or config."""
        columns = {name: listed(self.columns_of(name)) for name in self.columns}
        return {**columns, **({} if self.version is None else {VERSION: self.version})}


def resolve_mapping(
    columns: Sequence[str],
    *,
    earlier: Sequence[str] = (),
    hints: Mapping[str, ColumnNames] = _EMPTY,
    config: Mapping[str, ColumnNames] = _EMPTY,
    defaults: Mapping[str, str] = _NO_TEXT,
) -> FieldMapping:
    """Map every field: by hint, else config, else its own name, else a known export or alias.

    `hints` and `config` map fields (or "version") to a column, to a path within one, or to a list
    of columns of which the first that is filled counts. Case and punctuation of a column's name
    matter only where two columns differ in nothing else. `earlier` are columns that earlier loads
    had and this one has not: null here, and mapped where they are given, or where a required field
    other than customer_id has no other column. Raises MappingError, with the existing columns and
    what to write, for a required field with neither a column nor a default, a column that does not
    exist, a field that Bunce does not have, and any ambiguous match. dlt's own columns (`_dlt_…`)
    are never mapped.
    """
    own = tuple(column for column in columns if not column.startswith("_dlt_"))
    _refuse_unknown(own, hints, config, defaults)
    chosen: dict[str, tuple[str, ...]] = {}
    how: dict[str, str] = {}
    for origin, given in (("config", config), ("hint", hints)):
        for name, wanted in given.items():
            chosen[name] = existing_columns(name, names_of(wanted), own, origin, earlier)
            how[name] = origin
    export = recognized(own)
    for name in FIELDS:
        if name not in chosen and (found := match(name, own, export)) is not None:
            chosen[name], how[name] = found
    map_device_parts(chosen, how, own)
    _map_full_name(chosen, how, own, export, defaults)
    for name in FIELDS:
        if name not in chosen and name not in how and defaults.get(name) is not None:
            how[name] = "default"
    map_earlier(chosen, how, earlier)
    refuse_gone_id(own, chosen, how, earlier)
    _refuse_missing(own, chosen, how)
    fields = [name for name in (*FIELDS, FULL_NAME, *PARTS) if name in chosen]
    return FieldMapping(
        columns=MappingProxyType({name: chosen[name][0] for name in fields}),
        how=MappingProxyType({name: how[name] for name in MAPPABLE if name in how}),
        version=chosen[VERSION][0] if VERSION in chosen else None,
        fallbacks=MappingProxyType({n: chosen[n][1:] for n in fields if len(chosen[n]) > 1}),
        export=export.name if export is not None and "export" in how.values() else None,
    )


def refuse_other_names(
    mapping: FieldMapping, before: Mapping[str, ColumnNames], columns: Sequence[str]
) -> None:
    """Raise MappingError if a field found by name has other columns than `before`, or the version
    of `before` is not mapped.

    `before` maps fields to columns. A column added at the source, or a mapping that is no longer
    given, must not silently replace the id or any other field of every customer.
    """
    for name in mapping.by_name:
        old, new = names_of(before.get(name, ())), mapping.columns_of(name)
        if old and old != new:
            gone = [column for column in old if as_spelled(column, columns) is None]
            keep, switch = instructions({name: listed(old)}), instructions({name: listed(new)})
            raise MappingError(
                f"{_named(new)} now matches {name} by name, but earlier runs used {_quoted(old)}"
                f"{', which no row has now' if gone else ''}.",
                columns=columns,
                remedy=f"If {_quoted(new)} holds the same values: {switch}"
                if gone
                else f"To keep {', '.join(old)}: {keep} To switch to {', '.join(new)}: {switch}",
            )
    if VERSION in before and mapping.version is None:
        [column] = names_of(before[VERSION])
        there = as_spelled(column, columns) is not None
        raise MappingError(
            f"No column is mapped to version any more, but earlier runs used {column!r}: older "
            "rows would overwrite newer ones.",
            columns=columns,
            remedy=(f"To keep it: {instructions({VERSION: column})} " if there else "")
            + "To load without a version, once: bunce_adapter(data) in the pipeline, or "
            "--version-column '' on the command line.",
        )


def existing_columns(
    name: str,
    wanted: tuple[str, ...],
    columns: Sequence[str],
    origin: str,
    earlier: Sequence[str] = (),
) -> tuple[str, ...]:
    """Return columns that are given for a field, as the table, or an earlier load, spells them.

    Raises MappingError.
    """
    if not wanted or (len(wanted) > 1 and name not in SEVERAL):
        raise MappingError(
            f"The {origin} maps {name} to {len(wanted)} columns, but it must be one.",
            columns=columns,
            remedy=f"Fields that may have several: {', '.join(SEVERAL)}.",
        )
    found = []
    for column in wanted:
        spelled = as_spelled(column, columns) or spelled_earlier(name, column, earlier)
        if spelled is None:
            count = columns.count(column_of_path(column, columns) or column)
            problem = f"appears {count} times" if count else "does not exist"
            close = likely_column(name, column, columns)
            pairs = {} if close is None else {name: close}
            raise MappingError(
                f"The {origin} maps {name} to column {column!r}, which {problem}.",
                columns=columns,
                remedy=instructions(pairs) or f"Name one of these columns for {name}.",
                suggested=options(pairs),
            )
        found.append(spelled)
    return tuple(dict.fromkeys(found))


def _refuse_unknown(
    columns: Sequence[str],
    hints: Mapping[str, ColumnNames],
    config: Mapping[str, ColumnNames],
    defaults: Mapping[str, str],
) -> None:
    for origin, given in (("hint", hints), ("config", config), ("default", defaults)):
        known = FIELDS if origin == "default" else MAPPABLE
        for name in given:
            if name not in known:
                close = closest(name, known)
                raise MappingError(
                    f"The {origin} for {name!r} does not name a Bunce field. "
                    f"The fields are: {', '.join(known)}.",
                    columns=columns,
                    remedy=None if close is None else f"Did you mean {close}?",
                )
    if defaults.get("customer_id") is not None:
        raise MappingError(
            "A default for customer_id would merge all rows without an id into one customer.",
            columns=columns,
            remedy="Remove customer_id from [destination.bunce.defaults].",
        )


def _map_full_name(
    chosen: dict[str, tuple[str, ...]],
    how: dict[str, str],
    columns: Sequence[str],
    export: Export | None,
    defaults: Mapping[str, str],
) -> None:
    """Map full_name by name if neither name has a column, and let it feed those without one.

    Two defaults take its place: they were chosen on purpose.
    """
    if not any(name in chosen for name in NAMES) and not all(defaults.get(n) for n in NAMES):
        found = None if FULL_NAME in chosen else match(FULL_NAME, columns, export)
        if found is not None:
            chosen[FULL_NAME], how[FULL_NAME] = found
    if FULL_NAME in chosen:
        for name in NAMES:
            how.setdefault(name, FULL_NAME)


def _refuse_missing(
    columns: Sequence[str], chosen: Mapping[str, tuple[str, ...]], how: Mapping[str, str]
) -> None:
    missing = [name for name in REQUIRED if name not in how]
    if missing and _OF_STORED_LETTERS.issubset(columns):
        raise MappingError(
            "These rows are dead letters as the store keeps them, not customers.",
            remedy="To send the stored rows again: dlt-bunce dead-letters replay. To correct them: "
            "export them to a .csv file, which can be loaded.",
        )
    if missing:
        likely = guess(missing, columns, chosen)
        unresolved = nothing_like(likely.unknown)
        remedies = (instructions(likely.columns, likely.defaults), unresolved)
        raise MappingError(
            f"No column or default for the required field{'s' if len(missing) > 1 else ''} "
            f"{', '.join(missing)}.",
            columns=columns,
            remedy=" ".join(filter(None, remedies)),
            suggested=options(likely.columns, likely.defaults),
            unresolved=unresolved,
        )


def _named(columns: Sequence[str]) -> str:
    return f"Column{'s' if len(columns) > 1 else ''} {_quoted(columns)}"


def _quoted(columns: Sequence[str]) -> str:
    return ", ".join(repr(column) for column in columns)
