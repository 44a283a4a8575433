"""Parquet files: where they are, and their rows a few at a time."""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from dlt_bunce.errors import SourceError

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
        yield from parquet.iter_batches(batch_size=rows, row_groups=chosen)


def split_glob(location: str) -> tuple[str, str]:
    """Folder and pattern, as dlt's filesystem source takes them."""
    head = location.split("*", 1)[0].split("?", 1)[0].split("[", 1)[0]
    if head.endswith("/") and head == location:
        return location.rstrip("/"), "**/*.parquet"
    if head == location and Path(location).is_dir():
        return location, "**/*.parquet"
    folder = head.rsplit("/", 1)[0]
    return folder, location[len(folder) + 1 :]


def check(location: str) -> None:
    """Raises SourceError unless a path, folder, or glob leads to Parquet files alone."""
    path = Path(location)
    matching = glob.glob(location, recursive=True)  # noqa: PTH207, Path.glob takes no absolute pattern
    found = [path] if path.exists() else [Path(name) for name in matching]
    files = [f for p in found for f in (p.rglob("*.parquet") if p.is_dir() else [p])]
    if not files:
        raise SourceError(f"There is no file {location}.", remedy="Check the path or the glob.")
    for file in files:
        _check_parquet(file)


def _check_parquet(file: Path) -> None:
    try:
        pq.read_schema(file)
    except (pa.ArrowInvalid, OSError) as error:
        raise SourceError(
            f"{file} cannot be read as Parquet ({type(error).__name__}).",
            remedy="Give Parquet files, or load other formats with a dlt source of your own.",
        ) from None
