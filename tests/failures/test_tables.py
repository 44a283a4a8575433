"""Arrow's errors about whole tables, which list every column of both."""

from __future__ import annotations

import pyarrow as pa
import pytest

from dlt_bunce.failures import failure_of


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"id": ["8"], "at": [{"x": 1}]}, "column 'id': int64 and string"),
        ({"id": [8], "at": [1]}, "column 'at': struct<x: int64> and int64"),
        ({"id": [8]}, "column 'at': struct<x: int64> and none"),
        ({"at": [{"x": 1}], "id": [8]}, "their columns"),
    ],
)
def test_tables_of_one_resource_that_differ_are_told_by_column(
    other: dict[str, list[object]], told: str
) -> None:
    with pytest.raises(pa.ArrowInvalid) as caught:
        pa.concat_tables([pa.table({"id": [7], "at": [{"x": 1}]}), pa.table(other)])

    failure = failure_of(caught.value)

    assert failure.error == f"Tables of one resource differ in {told}."
    assert "ARROW_CONCAT_PROMOTE_OPTIONS=default" in str(failure.remedy)
