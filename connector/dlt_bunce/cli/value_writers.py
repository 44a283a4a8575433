"""Write rejected values to a file, page by page."""

from __future__ import annotations

import codecs
import contextlib
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq

from dlt_bunce.cli.files import replaced
from dlt_bunce.errors import UsageError
from dlt_bunce.records.cells import marked
from dlt_bunce.store.values.rejected_values import SCHEMA

_Put = Callable[[pa.Table], None]
_WRITTEN = [name for name in SCHEMA.names if name != "slot"]
_COLUMNS = pa.schema([SCHEMA.field(name) for name in _WRITTEN])


def write(file: Path, pages: Iterable[pa.Table], *, overwrite: bool) -> int:
    """Write rejected values to a .csv, .parquet, or .jsonl that only its owner may read.

    Returns how many there were. The file appears whole or not at all. Raises UsageError for another
    extension, for a file that exists unless `overwrite` is set, and for one that cannot be written.
    """
    writer = {".csv": _csv, ".parquet": _parquet, ".jsonl": _jsonl}.get(file.suffix.lower())
    if writer is None:
        raise UsageError(
            f"{file.name!r} has an unknown extension.", remedy="Use .csv, .parquet, or .jsonl."
        )
    count = 0
    with replaced(file, overwrite=overwrite, private=True) as part, writer(part) as put:
        for page in pages:
            put(page.select(_WRITTEN))
            count += page.num_rows
    return count


@contextlib.contextmanager
def _csv(file: Path) -> Iterator[_Put]:
    with file.open("wb") as out:
        out.write(codecs.BOM_UTF8)  # without it Excel garbles accented letters
        texts = pa.schema([(name, pa.string()) for name in _WRITTEN])
        with arrow_csv.CSVWriter(out, texts) as writer:

            def put(page: pa.Table) -> None:
                cells = [marked(column.cast(pa.string())) for column in page.columns]
                writer.write_table(pa.table(cells, schema=texts))

            yield put


@contextlib.contextmanager
def _parquet(file: Path) -> Iterator[_Put]:
    with pq.ParquetWriter(file, _COLUMNS) as writer:
        yield writer.write_table


@contextlib.contextmanager
def _jsonl(file: Path) -> Iterator[_Put]:
    with file.open("w", encoding="utf-8") as out:

        def put(page: pa.Table) -> None:
            rows = page.to_pylist()
            out.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)

        yield put
