"""Files of dlt's load packages: the one that a job loads, and the others of its table."""

from __future__ import annotations

import errno
import glob
import gzip
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
from dlt.common.json import json
from dlt.common.storages.load_package import PackageStorage, ParsedLoadJobFileName

from dlt_bunce.load.chunks import Source
from dlt_bunce.load.parquet import record_batches
from dlt_bunce.records.mapping.source_columns import belonging
from dlt_bunce.records.rows import arrow_table

_FOLDERS = (
    PackageStorage.NEW_JOBS_FOLDER,
    PackageStorage.STARTED_JOBS_FOLDER,
    PackageStorage.COMPLETED_JOBS_FOLDER,
    PackageStorage.FAILED_JOBS_FOLDER,
)
FORMATS = ("parquet", "jsonl", "typed-jsonl")
_GZIP = b"\x1f\x8b"
_TRIES = 10
"""Attempts to open a file that dlt may be moving between folders."""


def load_file(path: str) -> Source:
    """Return a file of a load package as a source, wherever dlt moves it in the package."""
    name = ParsedLoadJobFileName.parse(path)
    place = _Place(Path(path).parent.parent, Path(path).name)
    if name.file_format == "parquet":
        return _ParquetFile(place)
    return _JsonlFile(place, typed=name.is_compressed or name.file_format == "typed-jsonl")


def files_of_table(path: str) -> Mapping[str, Source]:
    """Return by file id all files of a package that load into the same table as `path`."""
    own = ParsedLoadJobFileName.parse(path)
    package = Path(path).parent.parent
    # twice, and in the order in which dlt moves files, so that none is missed while moving
    paths = [file for folder in (*_FOLDERS, *_FOLDERS) for file in package.glob(f"{folder}/*")]
    found: dict[str, Source] = {}
    for file in sorted(paths):
        name = ParsedLoadJobFileName.parse(file.name)
        if name.table_name == own.table_name and name.file_format in FORMATS:
            found[name.file_id] = load_file(str(file))
    return found


def rows_of_table(path: str) -> int:
    """Return how many rows these files hold, not counting those that do not say."""
    return sum(source.row_count or 0 for source in files_of_table(path).values())


@dataclass(frozen=True)
class _Place:
    """A file of a package by its name, whose last part is dlt's retry count."""

    package: Path
    name: str

    def open(self) -> IO[bytes]:
        """Open the file; it stays readable wherever it is moved."""
        for _ in range(_TRIES):
            for path in self._paths():
                with suppress(FileNotFoundError):
                    return path.open("rb")
        raise FileNotFoundError(errno.ENOENT, "file is no longer in its load package", self.name)

    def _paths(self) -> Iterator[Path]:
        yield from (self.package / folder / self.name for folder in _FOLDERS)
        prefix = ".".join(self.name.split(".")[:2])
        for folder in _FOLDERS:
            yield from self.package.glob(f"{folder}/{glob.escape(prefix)}.*")


@dataclass(frozen=True)
class _ParquetFile:
    place: _Place

    @property
    def row_count(self) -> int:
        """Number of rows, from the file's footer."""
        with self.place.open() as file:
            return int(pq.read_metadata(file).num_rows)

    def chunks(self, rows: int, columns: Collection[str] | None = None) -> Iterator[pa.Table]:
        """Yield tables of at most `rows` rows, whatever the size of the row groups."""
        wanted = None if columns is None else partial(belonging, columns=columns)
        with self.place.open() as file:
            for batch in record_batches(file, rows, columns=wanted):
                yield pa.Table.from_batches([batch])


@dataclass(frozen=True)
class _JsonlFile:
    """A JSONL file, gzipped or not, with one object per line; typed values are decoded."""

    place: _Place
    typed: bool

    @property
    def row_count(self) -> int | None:
        """None, as the number is unknown until the file is read."""
        return None

    def chunks(self, rows: int, columns: Collection[str] | None = None) -> Iterator[pa.Table]:
        """Yield tables of at most `rows` rows; a key that is missing from a row is null."""
        loads = json.typed_loadb if self.typed else json.loadb
        with self.place.open() as raw, unzipped(raw) as file:
            held: list[dict[str, Any]] = []
            for line in file:
                if not line.strip():
                    continue
                parsed = loads(line)
                held.extend(parsed if isinstance(parsed, list) else [parsed])
                while len(held) >= rows:
                    yield arrow_table(held[:rows])
                    held = held[rows:]
            if held:
                yield arrow_table(held)


def unzipped(file: IO[bytes]) -> IO[bytes]:
    """Return the file, decompressed if needed: dlt's file names do not always show compression."""
    start = file.read(len(_GZIP))
    file.seek(0)
    return cast("IO[bytes]", gzip.GzipFile(fileobj=file)) if start == _GZIP else file
