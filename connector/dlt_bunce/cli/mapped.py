"""Which columns a load has mapped by their names, in one line."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from dlt_bunce.cli.printable import echo

if TYPE_CHECKING:
    from dlt_bunce.destination.factory import bunce
    from dlt_bunce.records.mapping.mapping import FieldMapping

_GUESSED = frozenset({"alias", "export"})
_CHOSEN = frozenset({"hint", "config"})


@contextlib.contextmanager
def mapping_shown(
    destination: bunce, others: Collection[str] | None, *, quiet: bool
) -> Iterator[None]:
    """Print on stderr, once, which columns are mapped because of their names, and which columns
    have such a name but are not used; nothing if `quiet`.

    `others` are columns with another use, or None for all that are not mapped.
    """
    shown: set[str] = set()

    def show(mapping: FieldMapping, columns: Sequence[str]) -> None:
        for line in _lines(mapping, columns, columns if others is None else others):
            if line not in shown and not quiet:
                shown.add(line)
                echo(line, err=True)

    listeners = destination.run_context.on_mapped
    listeners.append(show)
    try:
        yield
    finally:
        listeners.remove(show)


def _lines(mapping: FieldMapping, columns: Sequence[str], others: Collection[str]) -> Iterator[str]:
    pairs = [
        f"{', else '.join(mapping.columns_of(field))} -> {field}"
        for field in mapping.columns
        if mapping.how[field] in _GUESSED
    ]
    if pairs:
        known = f" ({mapping.export})" if mapping.export else ""
        yield f"Mapped by their names{known}: {', '.join(pairs)}."
    if left := _left_over(mapping, columns, others):
        yield (
            f"Not used, though named like a field: {', '.join(left)}. To use one: --map "
            "FIELD=COLUMN."
        )


def _left_over(mapping: FieldMapping, columns: Sequence[str], others: Collection[str]) -> list[str]:
    from dlt_bunce.records.mapping.exports import known_names
    from dlt_bunce.records.mapping.schema import FULL_NAME, NAMES, REQUIRED, fold

    # what was named on purpose needs no other column
    fields = {field for field in REQUIRED if mapping.how.get(field) not in _CHOSEN}
    if not any(name in mapping.columns for name in NAMES):
        fields.add(FULL_NAME)
    names = known_names(fields)
    used = {*mapping.source_columns, mapping.version, *others}
    return [column for column in columns if column not in used and fold(column) in names]
