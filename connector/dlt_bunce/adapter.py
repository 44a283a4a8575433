"""Hints that tell the destination which column feeds which field."""

from __future__ import annotations

from typing import Any

from dlt.common.schema.typing import TTableSchemaColumns
from dlt.destinations.utils import get_resource_for_adapter
from dlt.extract import DltResource

from dlt_bunce.errors import DispositionError, MappingError

FIELD_HINT = "x-bunce-field"
TABLE_HINT = "x-bunce-customers"
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
    version: str | None = None,
) -> DltResource:
    """Marks `data` as customers and says which of its columns feeds which field.

    `data` is anything dlt loads: a resource, a source with one resource, or an iterable of rows.
    Fields left out are found by name. `version` is a column that grows whenever a row changes,
    such as updated_at: the newest version of a customer wins.

    Raises MappingError when one column is given twice, DispositionError for "replace".
    """
    columns = {
        "customer_id": customer_id,
        "email": email,
        "first_name": first_name,
        "last_name": last_name,
        "phone_no": phone_no,
        "devices": devices,
        "version": version,
    }
    hints: TTableSchemaColumns = {}
    for field, column in columns.items():
        if column is None:
            continue
        if column in hints:
            raise MappingError(
                f"Column {column!r} is given for {hints[column][FIELD_HINT]} and for {field}.",  # type: ignore[literal-required]
                remedy="Give every field a column of its own.",
            )
        hints[column] = {"name": column, FIELD_HINT: field}  # type: ignore[misc]
    resource = get_resource_for_adapter(data)
    refuse_replace(resource.write_disposition)
    resource.apply_hints(columns=hints or None, additional_table_hints={TABLE_HINT: True})
    return resource


def refuse_replace(disposition: Any) -> None:
    """Raises DispositionError for "replace", given as text or as dlt's dict."""
    if isinstance(disposition, dict):
        disposition = disposition.get("disposition")
    if disposition == "replace":
        raise DispositionError(REPLACE_REFUSED, remedy=REPLACE_REMEDY)
