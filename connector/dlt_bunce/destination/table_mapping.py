"""Which column feeds which field of a table that is loaded, and by whose word."""

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
"""What the resources of a run say, by table: field to column."""

# by owner of a working folder, while it loads what an earlier run has left there
_in_force: dict[str, Hints] = {}


@contextmanager
def mapped_as(owner: str, hints: Hints) -> Iterator[None]:
    """Let these hints go before those that packages were extracted with."""
    _in_force[owner] = hints
    try:
        yield
    finally:
        del _in_force[owner]


def mapping_of(
    table: PreparedTableSchema, columns: Sequence[str], config: BunceConfiguration, owner: str
) -> FieldMapping:
    """Hints, then configuration, then names. Raises MappingError."""
    # without the columns that dlt has only seen empty, a mapped one would count as unknown
    shown = cast("dict[str, list[str]]", table.get(SHOWN_HINT) or {}).get("columns", [])
    now = _in_force.get(owner, {}).get(table["name"] or "")
    return resolve_mapping(
        [*columns, *(name for name in shown if name not in columns)],
        hints=mapping_hint(table) if now is None else now,
        config=config.mapping or {},
        defaults=config.defaults or {},
    )
