"""Checks of a resource's columns before a row of it is loaded, so that nothing is left behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

import dlt
import pyarrow as pa
from dlt.extract import DltResource

from dlt_bunce.destination.mapping.source_keys import key_of, refuse_part_of_key
from dlt_bunce.destination.mapping.table_mapping import mapping_of_columns
from dlt_bunce.errors import MappingError
from dlt_bunce.records.mapping.schema import ColumnNames

if TYPE_CHECKING:
    from dlt.common.destination.typing import PreparedTableSchema

    from dlt_bunce.destination.client import BunceClient


def refuse_known_key(
    resource: DltResource, client: BunceClient, given: Mapping[str, ColumnNames]
) -> None:
    """Refuse a composite key before a row is read, if the key and the columns are known by then."""
    key = (resource._hints or {}).get("primary_key")  # noqa: SLF001, dlt exposes it for static tables only
    if "customer_id" in given or not isinstance(key, (list, tuple)) or not key:
        return
    if len(key) > 1:
        refuse_part_of_key(key, "customer_id")
    if isinstance(resource.table_name, str):
        table = cast("PreparedTableSchema", resource.compute_table_schema())
        try:
            mapping = client.mapping(table)
        except MappingError:  # not all columns are known yet
            return
        if "customer_id" in mapping.by_name:
            refuse_part_of_key(key, mapping.columns["customer_id"])


def column_check(
    resource: DltResource, client: BunceClient, pipeline: dlt.Pipeline
) -> Callable[[Any], Any]:
    """Return a function that raises for a first Arrow table that the mapping does not fit.

    Rows in dicts are checked by the load: a column may be missing only in the first of them.
    """
    unchecked = True

    def check(item: Any) -> Any:
        nonlocal unchecked
        # a page without rows has no columns where it was made of a list
        if unchecked and isinstance(item, (pa.Table, pa.RecordBatch)) and item.schema.names:
            unchecked = False
            table = cast("PreparedTableSchema", resource.compute_table_schema(item))
            columns = item.schema.names
            earlier = [name for name in _known_columns(pipeline, table) if name not in columns]
            mapping = mapping_of_columns(columns, earlier, client.config, client.hint(table))
            if "customer_id" in mapping.by_name:
                refuse_part_of_key(key_of(table), mapping.columns["customer_id"])
        return item

    return check


def _known_columns(pipeline: dlt.Pipeline, table: PreparedTableSchema) -> list[str]:
    """Return the columns that a table had in earlier loads."""
    if not pipeline.default_schema_name:
        return []
    tables = [schema.tables.get(table["name"] or "") for schema in pipeline.schemas.values()]
    return [name for known in tables if known for name in known["columns"]]
