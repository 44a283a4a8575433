"""Data frames of pandas and polars as the Arrow tables that dlt would make of them later."""

from __future__ import annotations

import re
from typing import Any

import pyarrow as pa
from dlt.common.libs import is_pandas_frame, is_polars_frame

from dlt_bunce.errors import SourceError
from dlt_bunce.records.text.plain import refuse_twice

_COLUMN = re.compile(r"column (.+?)(?: with type .*| not supported.*|\) .*)?$")


def tables_of(item: Any) -> list[Any]:
    """Return the tables and data frames that a resource yields as one item, each as an Arrow table
    or record batch; none if the item is something else.

    Raises SourceError for a data frame that Arrow cannot read.
    """
    items = item if isinstance(item, list) else [item]
    if not items or not _is_table(items[0]):
        return []
    return [_as_arrow(each) for each in items]


def _is_table(item: Any) -> bool:
    is_arrow = isinstance(item, pa.Table | pa.RecordBatch)
    return is_arrow or is_pandas_frame(item) or is_polars_frame(item)


def _as_arrow(item: Any) -> Any:
    if is_polars_frame(item):
        from dlt.common.libs.polars import polars_to_arrow

        return polars_to_arrow(item)
    if not is_pandas_frame(item):
        return item
    refuse_twice(map(str, item.columns), "The rows")
    try:
        return pa.Table.from_pandas(item, preserve_index=False)  # as dlt does it
    except (pa.ArrowException, TypeError, ValueError) as error:
        # the text has values; which column it is comes last, and alone
        found = _COLUMN.search(str(error.args[-1]))
        column = f"column {found[1]!r} of a data frame" if found else "a data frame"
        raise SourceError(
            f"The values in {column} have no common type.",
            remedy='Pass the rows as dicts: df.to_dict("records").',
        ) from None
