"""Detection of a wrong mapping, by the first rows of a load."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlt_bunce.errors import MappingError
from dlt_bunce.records.mapping.schema import FULL_NAME, NAMES
from dlt_bunce.records.unreadable import CODE
from dlt_bunce.records.versions.version_kinds import CODE as INVALID_VERSION
from dlt_bunce.reject_codes import REJECT_CODES

if TYPE_CHECKING:
    import pyarrow as pa

    from dlt_bunce.records.mapping.mapping import FieldMapping
    from dlt_bunce.records.prepare import Prepared

MAPPING_SAMPLE = 1_000
"""If this many first rows are all rejected for one reason, the mapping is wrong, not the rows."""

_NAME_ID = (
    'Name the column: bunce_adapter(data, customer_id="…", values_only=True), customer_id = "…" '
    "under [destination.bunce.values_tables.TABLE], or --map customer_id=… on the command line"
)


def detect_bad_mapping(
    prepared: Prepared, table: pa.Table, mapping: FieldMapping
) -> MappingError | None:
    """Return an error if a large enough first chunk has no valid row, all for the same reason."""
    # neither a line nor a version says anything about the mapping
    codes = set(prepared.rejected.column("code").to_pylist()) - {CODE, INVALID_VERSION}
    if prepared.read < MAPPING_SAMPLE or prepared.accepted.num_rows or len(codes) != 1:
        return None
    code = REJECT_CODES[codes.pop()]
    columns = mapping.columns_of(code.field or "")
    columns += mapping.columns_of(FULL_NAME) if code.field in NAMES else ()
    named = " and ".join(map(repr, columns)) or "'none'"
    sent = "Nothing was sent"
    set_it = f'Set {code.field} = "…" under [destination.bunce.mapping]'
    if mapping.values_only:  # customers, and other files of values, may have been sent before
        sent, set_it = "No value of these rows was sent", _NAME_ID
    return MappingError(
        f"All of the first {prepared.read} rows were rejected as {code.code}: the mapping of "
        f"{code.field} (column {named}) looks wrong. {sent}.",
        columns=[name for name in table.column_names if not name.startswith("_dlt_")],
        remedy=f"{set_it}, or {code.remedy}.",
    )
