"""Columns that match a field by name."""

from __future__ import annotations

from collections.abc import Sequence

from dlt_bunce.errors import MappingError
from dlt_bunce.records.mapping.exports import Export, recognized
from dlt_bunce.records.mapping.instructions import closest, instructions, options
from dlt_bunce.records.mapping.paths import column_of_path, starts_of
from dlt_bunce.records.mapping.schema import ALIASES, EXPORT_ALIASES, fold, listed

_VERY_MUCH_ALIKE = 0.75
"""Between a slip of the keyboard ("emial" for "email") and chance ("mobil" and "email", 0.6)."""


def columns_of(field: str, columns: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that a field has by name, none or more. Raises MappingError if it is
    ambiguous.
    """
    own = [name for name in columns if not name.startswith("_dlt_")]
    found = match(field, own, recognized(own))
    return () if found is None else found[0]


def match(
    field: str, columns: Sequence[str], export: Export | None = None
) -> tuple[tuple[str, ...], str] | None:
    """Return the columns of a field and how they were found: by name, export, or alias.

    The field's own name goes before the columns of a recognized export, these before aliases, and
    names that only exports use come last. Raises MappingError if several columns match equally.
    """
    wanted = fold(field)
    same = [c for c in columns if c == field] or [c for c in columns if fold(c) == wanted]
    if same:
        _refuse_ambiguous(field, same, columns)
        return (same[0],), "name"
    if export is not None:
        known = export.found({fold(column): column for column in columns}).get(field)
        if known:
            # two ids are not of one kind: another number may be another person's
            return known[:1] if field == "customer_id" else known, "export"
    for names in (ALIASES[field], EXPORT_ALIASES.get(field, ())):
        aliases = {fold(alias) for alias in names}
        candidates = [c for c in columns if fold(c) in aliases]
        if candidates:
            _refuse_ambiguous(field, candidates, columns)
            return (candidates[0],), "alias"
    return None


def likely_column(field: str, wanted: str, columns: Sequence[str]) -> str | None:
    """Return the column that is meant by a name that the table does not have, if there is one.

    A column that another field has by name is one only for a name that is very much like it.
    """
    names = {each: {fold(alias) for alias in (each, *known)} for each, known in ALIASES.items()}
    own = names.pop(field, set())
    others = set().union(*names.values())
    free = [column for column in columns if fold(column) not in others]
    named = [column for column in free if fold(column) in own]
    close = closest(wanted, columns, _VERY_MUCH_ALIKE) or closest(wanted, free)
    return close or (named[0] if len(named) == 1 else None)


def as_spelled(column: str, columns: Sequence[str]) -> str | None:
    """Return a given column, or path, as the table spells it; None if it has none or several.

    A name that the table has exactly goes before one that differs in case or punctuation.
    """
    if (start := column_of_path(column, columns)) is not None:
        return column if columns.count(start) == 1 else None
    for start in starts_of(column):
        same = [name for name in columns if fold(name) == fold(start)]
        if len(same) == 1:
            return same[0] + column[len(start) :]
        if same:
            return None
    return None


def _refuse_ambiguous(field: str, candidates: Sequence[str], columns: Sequence[str]) -> None:
    if len(candidates) > 1:
        named = ", ".join(repr(candidate) for candidate in candidates)
        # two phones of a customer are usual, two ids are a decision
        wanted = listed(candidates if field in {"email", "phone_no"} else candidates[:1])
        raise MappingError(
            f"Several columns match {field}: {named}.",
            columns=columns,
            remedy=instructions({field: wanted}),
            suggested=options({field: wanted}),
        )
