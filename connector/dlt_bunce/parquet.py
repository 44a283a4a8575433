"""Rows of Parquet files, a few at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from dlt_bunce.errors import SourceError

_ENDINGS = (".parquet", ".parq", ".pq", "")
_BUFFER_BYTES = 1_048_576
"""Bytes of each column that are read at a time."""


def record_batches(
    file: str | IO[bytes], rows: int, row_groups: Callable[[int], Sequence[int]] | None = None
) -> Iterator[Any]:
    """Record batches of at most `rows`. Of a row group, which may be larger than memory, no more is
    held than the pages that the batch lies in. `row_groups` tells which to read, of so many.
    """
    with pq.ParquetFile(file, pre_buffer=False, buffer_size=_BUFFER_BYTES) as parquet:
        chosen = row_groups and list(row_groups(parquet.num_row_groups))
        yield from parquet.iter_batches(batch_size=rows, row_groups=chosen, use_threads=False)


def is_parquet(name: str) -> bool:
    """Whether a file may be Parquet by its name: as Spark, pandas, and people call them, parts
    without an ending too. Hidden files, marks such as _SUCCESS, and checksums are no data.
    """
    ending = Path(name.lower()).suffix
    return not name.startswith((".", "_")) and ending in _ENDINGS


def columns(file: Path) -> list[str]:
    """The names of a file's columns. Raises SourceError for a file that is not Parquet."""
    try:
        names: list[str] = pq.read_schema(file).names
    except (pa.ArrowInvalid, OSError) as error:
        raise SourceError(
            f"{file} cannot be read as Parquet ({type(error).__name__}).",
            remedy="Give Parquet or CSV files, or load other formats with a dlt source of your "
            "own.",
        ) from None
    return names
