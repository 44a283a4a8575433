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


def schema(file: Path | IO[bytes], name: str) -> pa.Schema:
    """Return the schema of a file called `name`. Raises SourceError for one that is not Parquet."""
    try:
        return pq.read_schema(file)
    except (pa.ArrowInvalid, OSError) as error:
        # what Arrow says of a footer quotes no value
        reason = str(error).splitlines()[0].rstrip(".")[:200] if str(error) else "no reason given"
        raise SourceError(
            f"{name} cannot be read as Parquet: {reason}.",
            remedy="If the file is damaged or incomplete, write it again; load other formats with "
            "a dlt source of your own.",
        ) from None
