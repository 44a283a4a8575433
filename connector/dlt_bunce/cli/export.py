"""Dead letters into a file, page by page."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from dlt_bunce.cli.files import replaced
from dlt_bunce.errors import UsageError

_TEXTS = "id account customer_id code field message stage source_row payload fingerprint"
_TEXTS += " first_seen_at last_seen_at status resolved_at run_id batch_id pipeline_name table_name"
_NUMBERS = "http_status version attempts"
SCHEMA = pa.schema(
    [(name, pa.string()) for name in _TEXTS.split()]
    + [(name, pa.int64()) for name in _NUMBERS.split()]
)

_Page = list[dict[str, Any]]


def write(file: Path, pages: Iterable[_Page], *, overwrite: bool = False) -> int:
    """Writes every letter; returns how many. Only the owner may read the file: it holds customers.

    The file appears whole or not at all. Raises UsageError for another ending than .parquet, .csv,
    or .jsonl, for a file that exists unless `overwrite` is set, and for one that cannot be written.
    """
    writers = {".parquet": _parquet, ".csv": _csv, ".jsonl": _jsonl}
    writer = writers.get(file.suffix.lower())
    if writer is None:
        raise UsageError(
            f"{file.name!r} has an unknown ending.",
            remedy=f"Use one of: {', '.join(writers)}.",
        )
    count = 0
    with replaced(file, overwrite=overwrite, private=True) as part, writer(part) as put:
        for page in pages:
            put(page)
            count += len(page)
    return count


@contextlib.contextmanager
def _parquet(file: Path) -> Iterator[Callable[[_Page], None]]:
    with pq.ParquetWriter(file, SCHEMA) as writer:
        yield lambda page: writer.write_table(pa.Table.from_pylist(page, SCHEMA))


@contextlib.contextmanager
def _csv(file: Path) -> Iterator[Callable[[_Page], None]]:
    with pa_csv.CSVWriter(file, SCHEMA) as writer:
        yield lambda page: writer.write_table(pa.Table.from_pylist(page, SCHEMA))


@contextlib.contextmanager
def _jsonl(file: Path) -> Iterator[Callable[[_Page], None]]:
    with file.open("w", encoding="utf-8") as out:

        def put(page: _Page) -> None:
            out.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in page)

        yield put
