"""Hints that tell the destination which column feeds which field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from dlt.destinations.utils import get_resource_for_adapter
from dlt.extract import DltResource, DltSource

from dlt_bunce.destination.mapped_rows import with_mapped_rows
from dlt_bunce.errors import DispositionError, MappingError

TABLE_HINT = "x-bunce-customers"
MAPPING_HINT = "x-bunce-mapping"
"""The whole of what a caller says of a table's columns: dlt replaces it as one, while hints of
columns would be merged with those of all runs before.
"""
REPLACE_REFUSED = (
    'write_disposition="replace" is refused: Bunce has no call that deletes customers.'
)
REPLACE_REMEDY = 'Use "merge" (create and update) or "append" (create only).'


def bunce_adapter(
    data: Any,
    *,
    customer_id: str | None = None,
    email: str | None = None,
    first_name: str | None = None,
    last_name: str | None = None,
    phone_no: str | None = None,
    devices: str | None = None,
    device_type: str | None = None,
    device_token: str | None = None,
    version: str | None = None,
) -> DltResource:
    """Marks `data` as customers and says which of its columns feeds which field.

    `data` is anything dlt loads: a resource, a source with one resource, or an iterable of rows.
    A field's column may be a path into a nested one, such as properties.email; `device_type` and
    `device_token` are the columns of one device a row, where no column holds `devices`.
    Fields left out are found by name. `version` is a column that grows whenever a row changes,
    such as updated_at: the newest version of a customer wins. What is said here replaces what an
    earlier run has said, in whole.

    Rows that are no resource of dlt's are merged. A resource keeps its write disposition, which is
    "append" (create only) unless it says "merge": dlt does not tell one that was not chosen.

    Raises MappingError when one column is given twice, DispositionError for "replace".
    """
    columns = {
        "customer_id": customer_id,
        "email": email,
        "first_name": first_name,
        "last_name": last_name,
        "phone_no": phone_no,
        "devices": devices,
        "device_type": device_type,
        "device_token": device_token,
        "version": version,
    }
    mapping: dict[str, str] = {}
    for field, column in columns.items():
        if column is None:
            continue
        if column in mapping.values():
            other = next(one for one, taken in mapping.items() if taken == column)
            raise MappingError(
                f"Column {column!r} is given for {other} and for {field}.",
                remedy="Give every field a column of its own.",
            )
        mapping[field] = column
    chosen = chosen_by_default(data)
    resource = get_resource_for_adapter(data)
    if chosen is not None:
        resource.apply_hints(write_disposition=chosen)
    refuse_replace(resource.write_disposition)
    resource.apply_hints(additional_table_hints={TABLE_HINT: True})
    adapt(resource, mapping)
    return resource


def adapt(resource: DltResource, mapping: Mapping[str, str]) -> None:
    """Gives a resource this mapping, and no part of an earlier one."""
    resource.apply_hints(additional_table_hints={MAPPING_HINT: {"columns": dict(mapping)}})
    with_mapped_rows(resource, mapping)


def is_adapted(resource: DltResource) -> bool:
    """Whether a mapping was given to the resource, be it an empty one."""
    return MAPPING_HINT in _table_hints(resource)


def mapping_given(resource: DltResource) -> dict[str, str]:
    """The mapping that `adapt` gave the resource."""
    return mapping_hint(_table_hints(resource))


def mapping_hint(table: Mapping[str, Any]) -> dict[str, str]:
    """What the hint of a table says, as it came with its newest extraction."""
    hint: dict[str, dict[str, str]] = table.get(MAPPING_HINT) or {}
    return dict(hint.get("columns", {}))


def _table_hints(resource: DltResource) -> Mapping[str, Any]:
    # not compute_table_schema(): hints may depend on rows, which are not there yet
    hints: Mapping[str, Any] = resource._hints or {}  # noqa: SLF001
    return hints.get("additional_table_hints") or {}


def chosen_by_default(data: Any) -> Literal["merge"] | None:
    """Merge for rows that are not in a resource, where nobody can have chosen; else None."""
    made = (DltResource, DltSource)
    items = data if isinstance(data, (list, tuple)) else [data]
    return None if any(isinstance(one, made) or callable(one) for one in items[:1]) else "merge"


def refuse_replace(disposition: Any) -> None:
    """Raises DispositionError for "replace", given as text or as dlt's dict."""
    if isinstance(disposition, dict):
        disposition = disposition.get("disposition")
    if disposition == "replace":
        raise DispositionError(REPLACE_REFUSED, remedy=REPLACE_REMEDY)
