"""Rows of Parquet files, a few at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any

import pyarrow.parquet as pq

_BUFFER_BYTES = 1_048_576
"""Bytes of each column that are read at a time."""


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
    with pq.ParquetFile(file, pre_buffer=False, buffer_size=_BUFFER_BYTES) as parquet:
        yield from parquet.iter_batches(
            batch_size=rows,
            row_groups=row_groups and list(row_groups(parquet.num_row_groups)),
            columns=columns and list(columns(parquet.schema_arrow.names)),
            use_threads=False,
        )
