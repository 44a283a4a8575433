"""Hints that map source columns to Bunce's fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from dlt.destinations.utils import get_resource_for_adapter
from dlt.extract import DltResource, DltSource

from dlt_bunce.destination.mapping.mapped_rows import with_mapped_rows
from dlt_bunce.errors import DispositionError
from dlt_bunce.records.mapping.schema import ColumnNames, listed, names_of

TABLE_HINT = "x-bunce-customers"
MAPPING_HINT = "x-bunce-mapping"
"""A table's whole mapping in one hint: dlt replaces table hints, but merges column hints with those
of earlier runs.
"""
DIFFERING_HINT = "x-bunce-differing"
"""Names of the resources that give a table different mappings in one load."""
KEY_HINT = "x-bunce-key"
"""Columns of the primary key that a load's resource gives, if it has several: dlt merges them with
those of earlier loads.
"""
REPLACE_REFUSED = (
    'write_disposition="replace" is not supported: Bunce has no API call that deletes customers.'
)
REPLACE_REMEDY = 'Use "merge" (create and update) or "append" (create only).'
REFRESH_REFUSED = (
    'refresh="drop_data" is not supported: Bunce has no API call that deletes customers.'
)
REFRESH_REMEDY = (
    'To read everything again, use refresh="drop_resources": only customers that differ are sent.'
)


def bunce_adapter(
    data: Any,
    *,
    customer_id: ColumnNames | None = None,
    email: ColumnNames | None = None,
    first_name: ColumnNames | None = None,
    last_name: ColumnNames | None = None,
    phone_no: ColumnNames | None = None,
    full_name: ColumnNames | None = None,
    devices: str | None = None,
    device_type: str | None = None,
    device_token: str | None = None,
    version: str | None = None,
    attributes: Mapping[str, str] | Literal["*"] | None = None,
    segments: Mapping[str, str] | None = None,
    segments_whole: bool | None = None,
    values_only: bool = False,
) -> DltResource:
    """Mark `data` as customers and map its columns to Bunce's fields.

    `data` is anything dlt can load: a resource, a source with one resource, or an iterable of rows.
    A column may be a path into a nested column, such as properties.email. Of a list of columns, the
    first that is filled in a row counts. `full_name` is a column with both names, split where a row
    has no first or last name in a column of its own. `device_type` and `device_token` are the
    columns of a single device per row, for data without a `devices` column. Fields left out are
    matched by column name. `version` is a column that increases whenever a row changes, such as
    updated_at: the newest version of a customer wins. This mapping replaces that of an earlier run
    as a whole.

    `attributes` maps columns to the names of attributes (custom fields) in Bunce, and "*" takes
    every column that is not mapped, under its own name. `segments` maps boolean columns to the
    names of manual segments: true adds a customer, false removes one that was added. With
    `segments_whole`, `data` holds all members: whoever it does not have as true is removed as well,
    unless more are missing than the setting `segments_min_share` allows. It must be read as a
    whole, without a cursor or a limit.

    With `values_only`, rows hold values of customers whom another table brings: of the fields only
    `customer_id`, and `version`, may be mapped, and no row creates or changes a customer. Values of
    customers whom Bunce does not have yet wait for them.

    Rows that are not a dlt resource are merged. A resource keeps its write disposition, which is
    "append" (create only) unless set to "merge": dlt does not distinguish a default from a choice.

    Raises DispositionError for "replace".
    """
    columns = {
        "customer_id": customer_id,
        "email": email,
        "first_name": first_name,
        "last_name": last_name,
        "phone_no": phone_no,
        "full_name": full_name,
        "devices": devices,
        "device_type": device_type,
        "device_token": device_token,
        "version": version,
    }
    mapping = {f: listed(names_of(c)) for f, c in columns.items() if c is not None}
    if data is None:
        raise TypeError("bunce_adapter() was given None: a function may lack its return or yield")
    chosen = chosen_by_default(data)
    resource = get_resource_for_adapter(data)
    if resource.name.startswith("<"):  # of a generator expression or a lambda
        resource = resource.with_name("content")  # as dlt names a list
    if chosen is not None:
        resource.apply_hints(write_disposition=chosen)
    refuse_replace(resource.write_disposition)
    resource.apply_hints(additional_table_hints={TABLE_HINT: True})
    adapt(
        resource,
        mapping,
        attributes=attributes,
        segments=segments,
        segments_whole=segments_whole,
        values_only=values_only,
    )
    return resource


def adapt(
    resource: DltResource,
    mapping: Mapping[str, ColumnNames],
    *,
    attributes: Mapping[str, str] | Literal["*"] | None = None,
    segments: Mapping[str, str] | None = None,
    segments_whole: bool | None = None,
    values_only: bool = False,
    by_names: bool = False,
) -> None:
    """Set the mapping of a resource, replacing any earlier one as a whole.

    `by_names`: nobody has asked for a mapping, so none is given.
    """
    hint: dict[str, Any] = {"columns": dict(mapping)}
    if by_names:
        hint["by_names"] = True
    if values_only:
        hint["values_only"] = True
    if attributes is not None:
        hint["attributes"] = attributes if isinstance(attributes, str) else dict(attributes)
    if segments is not None:
        hint["segments"] = dict(segments)
    if segments_whole is not None:
        hint["segments_whole"] = segments_whole
    resource.apply_hints(additional_table_hints={MAPPING_HINT: hint})
    with_mapped_rows(resource, mapping, attributes or {}, segments or {})


def is_adapted(resource: DltResource) -> bool:
    """Return whether the resource has a mapping, even an empty one."""
    return MAPPING_HINT in _table_hints(resource)


def hint_given(resource: DltResource) -> dict[str, Any]:
    """Return the mapping hint that `adapt` set on the resource."""
    return hint_of(_table_hints(resource))


def is_given(hint: Mapping[str, Any]) -> bool:
    """Return whether a mapping hint is one that somebody has given, even an empty one."""
    return bool(hint) and not hint.get("by_names")


def hint_of(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return the mapping hint of a table, as of its latest extraction: `columns`, and `attributes`,
    `segments`, `segments_whole`, and `values_only` if they were given.
    """
    return dict(table.get(MAPPING_HINT) or {})


def mapping_hint(table: Mapping[str, Any]) -> dict[str, ColumnNames]:
    """Return the mapping in a table's hint: field to columns."""
    return dict(hint_of(table).get("columns", {}))


def _table_hints(resource: DltResource) -> Mapping[str, Any]:
    # not compute_table_schema(): hints may be functions of rows, which do not exist yet
    hints: Mapping[str, Any] = resource._hints or {}  # noqa: SLF001
    return hints.get("additional_table_hints") or {}


def chosen_by_default(data: Any) -> Literal["merge"] | None:
    """Return "merge" for rows outside a resource, which carry no disposition; else None."""
    resource_types = (DltResource, DltSource)
    items = data if isinstance(data, (list, tuple)) else [data]
    is_resource = any(isinstance(item, resource_types) or callable(item) for item in items[:1])
    return None if is_resource else "merge"


def refuse_replace(disposition: Any) -> None:
    """Raise DispositionError for "replace", given as a string or as dlt's dict."""
    if isinstance(disposition, dict):
        disposition = disposition.get("disposition")
    if disposition == "replace":
        raise DispositionError(REPLACE_REFUSED, remedy=REPLACE_REMEDY)
