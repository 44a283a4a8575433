"""Mapping of columns to fields for a table that is loaded, and the precedence of its sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from dlt.common.destination.typing import PreparedTableSchema

from dlt_bunce.destination.mapping.absent_columns import absent_columns
from dlt_bunce.destination.mapping.mapped_rows import SHOWN_HINT
from dlt_bunce.destination.settings.configuration import BunceConfiguration
from dlt_bunce.records.mapping.id_mapping import resolve_id_mapping
from dlt_bunce.records.mapping.mapping import FieldMapping, resolve_mapping
from dlt_bunce.records.mapping.schema import VARIANT


def with_configured(
    hint: Mapping[str, Any], table_name: str, config: BunceConfiguration
) -> Mapping[str, Any]:
    """Return the mapping hint of a table, with what the configuration adds for it by name."""
    configured = config.values_hint(table_name)
    if not configured:
        return hint
    columns = {**configured["columns"], **hint.get("columns", {})}
    return {**configured, **hint, "columns": columns}


def columns_of(table: PreparedTableSchema) -> list[str]:
    """Return the columns that rows of this load have, as far as is known.

    dlt leaves out columns that held only nulls so far; it keeps those that no row has any more.
    """
    shown: Sequence[str] = cast("Any", table.get(SHOWN_HINT) or {}).get("columns", [])
    absent = set(absent_columns(table))
    return [
        *(name for name in table["columns"] if name.partition(VARIANT)[0] not in absent),
        *(name for name in shown if name not in table["columns"]),
    ]


def mapping_of(
    table: PreparedTableSchema, config: BunceConfiguration, hint: Mapping[str, Any]
) -> FieldMapping:
    """Return the mapping of a table that is loaded. Raises MappingError."""
    return mapping_of_columns(columns_of(table), absent_columns(table), config, hint)


def mapping_of_columns(
    columns: Sequence[str],
    earlier: Sequence[str],
    config: BunceConfiguration,
    hint: Mapping[str, Any],
) -> FieldMapping:
    """Return the mapping of columns by hint, then configuration, then names; see `resolve_mapping`.

    Raises MappingError.
    """
    given = hint.get("columns", {})
    if hint.get("values_only"):
        return resolve_id_mapping(columns, given, earlier)
    return resolve_mapping(
        columns,
        earlier=earlier,
        hints=given,
        config=config.mapping or {},
        defaults=config.defaults or {},
    )
