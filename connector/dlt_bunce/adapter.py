"""Hints that tell the destination which column feeds which field."""

from __future__ import annotations

from typing import Any, Literal

from dlt.common.schema.typing import TTableSchemaColumns
from dlt.destinations.utils import get_resource_for_adapter
from dlt.extract import DltResource, DltSource

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
    chosen = chosen_by_default(data)
    resource = get_resource_for_adapter(data)
    if chosen is not None:
        resource.apply_hints(write_disposition=chosen)
    refuse_replace(resource.write_disposition)
    resource.apply_hints(columns=hints or None, additional_table_hints={TABLE_HINT: True})
    return resource


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
