"""Mapping of columns to fields for a table that is loaded, and the precedence of its sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from dlt.common.destination.typing import PreparedTableSchema

from dlt_bunce.destination.adapter import mapping_hint
from dlt_bunce.destination.configuration import BunceConfiguration
from dlt_bunce.destination.mapped_rows import SHOWN_HINT
from dlt_bunce.records.mapping import FieldMapping, resolve_mapping
from dlt_bunce.records.schema import ColumnNames


def mapping_of(
    table: PreparedTableSchema,
    columns: Sequence[str],
    config: BunceConfiguration,
    override: Mapping[str, ColumnNames] | None = None,
) -> FieldMapping:
    """Return the mapping by hints (or `override`), then configuration, then names.

    Raises MappingError.
    """
    # dlt omits columns that held only nulls; if mapped, they must not count as unknown
    shown = cast("dict[str, list[str]]", table.get(SHOWN_HINT) or {}).get("columns", [])
    return resolve_mapping(
        [*columns, *(name for name in shown if name not in columns)],
        hints=mapping_hint(table) if override is None else override,
        config=config.mapping or {},
        defaults=config.defaults or {},
    )
