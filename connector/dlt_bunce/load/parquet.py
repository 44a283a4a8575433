"""Rows of Parquet files, a few at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from dlt_bunce.errors import SourceError

_BUFFER_BYTES = 1_048_576
"""Bytes of each column that are read at a time."""


def record_batches(
    file: str | IO[bytes],
    rows: int,
    row_groups: Callable[[int], Sequence[int]] | None = None,
    columns: Callable[[Sequence[str]], Sequence[str]] | None = None,
) -> Iterator[Any]:
    """Record batches of at most `rows`. Of a row group, which may be larger than memory, no more is
    held than the pages that the batch lies in. `row_groups` tells which to read, of so many, and
    `columns` which, of those that there are.
    """
    with pq.ParquetFile(file, pre_buffer=False, buffer_size=_BUFFER_BYTES) as parquet:
        yield from parquet.iter_batches(
            batch_size=rows,
            row_groups=row_groups and list(row_groups(parquet.num_row_groups)),
            columns=columns and list(columns(parquet.schema_arrow.names)),
            use_threads=False,
        )


def schema(file: Path | IO[bytes], name: str) -> pa.Schema:
    """Return the schema of a file called `name`. Raises SourceError for one that is not Parquet."""
    try:
        return pq.read_schema(file)
    except (pa.ArrowInvalid, OSError) as error:
        raise SourceError(
            f"{name} cannot be read as Parquet ({type(error).__name__}).",
            remedy="Give Parquet or CSV files, or load other formats with a dlt source of your "
            "own.",
        ) from None
