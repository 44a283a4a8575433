"""Write dead letters to a file, page by page."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dlt_bunce.cli.dead_letters.spreadsheet import Mappings, Spreadsheet, writing
from dlt_bunce.cli.dead_letters.value_cells import Records
from dlt_bunce.cli.files import replaced
from dlt_bunce.errors import UsageError
from dlt_bunce.store.letters.dead_letter_query import SCHEMA

_Page = list[dict[str, Any]]
_Put = Callable[[_Page], None]
_Writer = Callable[[Path], contextlib.AbstractContextManager[_Put]]


def write(
    file: Path,
    pages: Iterable[_Page],
    mapping_of: Mappings,
    *,
    records: Records,
    separator: str = ",",
    overwrite: bool = False,
) -> Spreadsheet:
    """Write every dead letter: .csv as a spreadsheet to correct, .parquet and .jsonl for programs,
    as the store has them. Only the owner may read the file, since it holds personal data.

    The file appears whole or not at all. Raises UsageError for another extension, for a file that
    exists unless `overwrite` is set, and for one that cannot be written.
    """
    written = Spreadsheet()
    ending = file.suffix.lower()
    if ending not in (".parquet", ".csv", ".jsonl"):
        raise UsageError(
            f"{file.name!r} has an unknown extension.", remedy="Use .csv, .parquet, or .jsonl."
        )
    with replaced(file, overwrite=overwrite, private=True) as part:
        writer = (
            writing(part, written, mapping_of, separator, records)
            if ending == ".csv"
            else _as_stored(_parquet if ending == ".parquet" else _jsonl, part, written)
        )
        with writer as put:
            for page in pages:
                put(page)
    return written


@contextlib.contextmanager
def _as_stored(writer: _Writer, part: Path, written: Spreadsheet) -> Iterator[_Put]:
    with writer(part) as put:

        def counted(page: _Page) -> None:
            put(page)
            written.letters += len(page)

        yield counted


@contextlib.contextmanager
def _parquet(file: Path) -> Iterator[_Put]:
    with pq.ParquetWriter(file, SCHEMA) as writer:
        yield lambda page: writer.write_table(pa.Table.from_pylist(page, SCHEMA))


@contextlib.contextmanager
def _jsonl(file: Path) -> Iterator[_Put]:
    with file.open("w", encoding="utf-8") as out:

        def put(page: _Page) -> None:
            out.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in page)

        yield put
