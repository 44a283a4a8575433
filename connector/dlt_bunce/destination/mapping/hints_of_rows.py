"""Hints for rows, beside what their resource says of them: which table they are of, and hints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dlt
from dlt.extract.hints import HintsMeta
from dlt.extract.items import TableNameMeta


def table_of(meta: Any) -> str | None:
    """Return the table that a resource names for some of its rows; None for its own table."""
    if isinstance(meta, TableNameMeta):
        return meta.table_name
    if isinstance(meta, HintsMeta) and meta.create_table_variant:
        return str(meta.hints.get("table_name"))
    return None


def with_hints_of_rows(
    rows: Any, meta: Any, columns: Mapping[str, Any], table_hints: Mapping[str, Any]
) -> Any:
    """Return rows, or a table, with hints for their columns and their table.

    What the resource says in `meta` holds as well: one thing of dlt's would replace the other.
    """
    own: Any = meta.hints if isinstance(meta, HintsMeta) else {}
    told: Any = dlt.mark.make_hints(
        columns={**_columns_of(own), **columns} or None,
        additional_table_hints={**(own.get("additional_table_hints") or {}), **table_hints},
    )
    table = table_of(meta)
    if table is not None:
        told["table_name"] = table
    told = {**own, **told}
    return dlt.mark.with_hints(rows, told, create_table_variant=table is not None)


def _columns_of(hints: Mapping[str, Any]) -> Mapping[str, Any]:
    columns = hints.get("columns") or {}
    return columns if isinstance(columns, Mapping) else {}
