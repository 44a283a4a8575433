"""Columns that earlier loads had, and that no row of this one has: their values are null."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from dlt_bunce.errors import MappingError
from dlt_bunce.records.mapping.exports import recognized
from dlt_bunce.records.mapping.instructions import guess, instructions, nothing_like, options
from dlt_bunce.records.mapping.matching import as_spelled, match
from dlt_bunce.records.mapping.schema import FULL_NAME, NAMES, REQUIRED

CUSTOMER_ID = "customer_id"


def spelled_earlier(name: str, column: str, earlier: Sequence[str]) -> str | None:
    """Return a column that is given for a field as earlier loads had it, if they had it.

    None for the customer's id, without which no row can be loaded.
    """
    return None if name == CUSTOMER_ID else as_spelled(column, earlier)


def map_earlier(
    chosen: dict[str, tuple[str, ...]], how: dict[str, str], earlier: Sequence[str]
) -> None:
    """Map required fields that have no column to those of earlier loads, except customer_id."""
    for name in REQUIRED[1:]:
        if name not in how and (found := _match(name, earlier)) is not None:
            chosen[name], how[name] = found
    nameless = [name for name in NAMES if name not in how]
    if nameless and (found := _match(FULL_NAME, earlier)) is not None:
        chosen[FULL_NAME], how[FULL_NAME] = found
        how |= dict.fromkeys(nameless, FULL_NAME)


def refuse_gone_id(
    columns: Sequence[str],
    chosen: Mapping[str, tuple[str, ...]],
    how: Collection[str],
    earlier: Sequence[str],
) -> None:
    """Raise MappingError if no column is the customer's id, and one of an earlier load was."""
    found = None if CUSTOMER_ID in how else _match(CUSTOMER_ID, earlier)
    if found is None:
        return
    likely = guess([CUSTOMER_ID], columns, chosen)
    unresolved = nothing_like(likely.unknown)
    raise MappingError(
        f"No row has column {found[0][0]!r}, which earlier loads had as {CUSTOMER_ID}.",
        columns=columns,
        remedy="Bring it back at the source, or map the column that now holds the same ids. "
        + (instructions(likely.columns) or unresolved),
        suggested=options(likely.columns),
        unresolved=unresolved,
    )


def _match(name: str, columns: Sequence[str]) -> tuple[tuple[str, ...], str] | None:
    try:
        return match(name, columns, recognized(columns))
    except MappingError:  # several; none of them has a value
        return None
