"""Rows of Parquet files, a few at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from dlt_bunce.records.row_origin import counted_from

_BUFFER_BYTES = 1_048_576
"""Bytes of each column that are read at a time."""
INT96_UNIT = "us"
"""In which old timestamps are read, as Spark still writes them: as nanoseconds, which is Arrow's
default, they would wrap outside of the years 1677 to 2262, and the year 9999 be 1816.
"""


def record_batches(
    file: str | IO[bytes],
    rows: int,
    row_groups: Callable[[int], Sequence[int]] | None = None,
    columns: Callable[[Sequence[str]], Sequence[str]] | None = None,
) -> Iterator[Any]:
    """Yield record batches of at most `rows`. Of a row group, which may be larger than memory, no
    more is held than the pages that contain the batch. `row_groups` and `columns` choose which to
    read, given the number of row groups and the names of the columns.
    """
    with _opened(file) as parquet:
        chosen = row_groups and list(row_groups(parquet.num_row_groups))
        names = columns and list(columns(parquet.schema_arrow.names))
        yield from parquet.iter_batches(rows, chosen, names, use_threads=False)


def numbered_batches(
    file: IO[bytes], rows: int, row_groups: Callable[[int], Sequence[int]] | None = None
) -> Iterator[tuple[Any, pa.Array]]:
    """Yield record batches as `record_batches` does, each with the numbers of its rows in the file,
    counted from 1.
    """
    with _opened(file) as parquet:
        count = parquet.num_row_groups
        groups = list(range(count) if row_groups is None else row_groups(count))
        numbers = _Numbers(parquet.metadata, groups)
        for batch in parquet.iter_batches(rows, groups, use_threads=False):
            yield batch, numbers.take(batch.num_rows)


def schema(file: str | IO[bytes]) -> pa.Schema:
    """Return the columns that `record_batches` yields."""
    with _opened(file) as parquet:
        return parquet.schema_arrow


def _opened(file: str | IO[bytes]) -> Any:
    return pq.ParquetFile(
        file,
        pre_buffer=False,
        buffer_size=_BUFFER_BYTES,
        coerce_int96_timestamp_unit=INT96_UNIT,
    )


class _Numbers:
    """The numbers of the rows of some row groups, in order; a batch may span several of these."""

    def __init__(self, metadata: Any, groups: Sequence[int]) -> None:
        sizes = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
        ends = list(accumulate(sizes, initial=1))
        self._left = deque((ends[group], sizes[group]) for group in groups)

    def take(self, rows: int) -> pa.Array:
        """Return the next numbers."""
        parts = []
        while rows:
            first, size = self._left.popleft()
            taken = min(rows, size)
            parts.append(counted_from(first, taken))
            rows -= taken
            if taken < size:
                self._left.appendleft((first + taken, size - taken))
        return pa.concat_arrays(parts) if parts else counted_from(1, 0)
