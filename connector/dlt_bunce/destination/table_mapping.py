"""Mapping of columns to fields for a table that is loaded, and the precedence of its sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from dlt.common.destination.typing import PreparedTableSchema

from dlt_bunce.destination.configuration import BunceConfiguration
from dlt_bunce.destination.mapped_rows import SHOWN_HINT
from dlt_bunce.records.id_mapping import resolve_id_mapping
from dlt_bunce.records.mapping import FieldMapping, resolve_mapping


def with_configured(
    hint: Mapping[str, Any], table_name: str, config: BunceConfiguration
) -> Mapping[str, Any]:
    """Return the mapping hint of a table, with what the configuration adds for it by name."""
    configured = config.values_hint(table_name)
    if not configured:
        return hint
    columns = {**configured["columns"], **hint.get("columns", {})}
    return {**configured, **hint, "columns": columns}


def mapping_of(
    table: PreparedTableSchema,
    columns: Sequence[str],
    config: BunceConfiguration,
    hint: Mapping[str, Any],
) -> FieldMapping:
    """Return the mapping by hint, then configuration, then names.

    Raises MappingError.
    """
    given = hint.get("columns", {})
    # dlt omits columns that held only nulls; if mapped, they must not count as unknown
    shown = cast("dict[str, list[str]]", table.get(SHOWN_HINT) or {}).get("columns", [])
    columns = [*columns, *(name for name in shown if name not in columns)]
    if hint.get("values_only"):
        return resolve_id_mapping(columns, given)
    return resolve_mapping(
        columns, hints=given, config=config.mapping or {}, defaults=config.defaults or {}
    )
