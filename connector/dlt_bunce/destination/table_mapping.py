"""Mapping of columns to fields for a table that is loaded, and the precedence of its sources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import cast

from dlt.common.destination.typing import PreparedTableSchema

from dlt_bunce.destination.adapter import mapping_hint
from dlt_bunce.destination.configuration import BunceConfiguration
from dlt_bunce.destination.mapped_rows import SHOWN_HINT
from dlt_bunce.records.mapping import FieldMapping, resolve_mapping

Hints = Mapping[str, Mapping[str, str]]
"""Mappings that a run's resources give, by table: field to column."""

# by owner of a working folder, while it loads what an earlier run left there
_in_force: dict[str, Hints] = {}


@contextmanager
def mapped_as(owner: str, hints: Hints) -> Iterator[None]:
    """Use these hints instead of those that packages were extracted with."""
    _in_force[owner] = hints
    try:
        yield
    finally:
        del _in_force[owner]


def mapping_of(
    table: PreparedTableSchema, columns: Sequence[str], config: BunceConfiguration, owner: str
) -> FieldMapping:
    """Return the mapping by hints, then configuration, then names; raise MappingError."""
    # dlt omits columns that held only nulls; if mapped, they must not count as unknown
    shown = cast("dict[str, list[str]]", table.get(SHOWN_HINT) or {}).get("columns", [])
    override = _in_force.get(owner, {}).get(table["name"] or "")
    return resolve_mapping(
        [*columns, *(name for name in shown if name not in columns)],
        hints=mapping_hint(table) if override is None else override,
        config=config.mapping or {},
        defaults=config.defaults or {},
    )
