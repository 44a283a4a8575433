"""A customer who is to be forgotten: in the store, and in what dlt's working folders still hold."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from dlt.common.json import json as dlt_json
from dlt.common.storages import FileStorage

from dlt_bunce.data_at_rest import given_up_folder
from dlt_bunce.errors import UsageError
from dlt_bunce.records.identifiers import judge_identifiers
from dlt_bunce.records.rows import arrow_table
from dlt_bunce.records.text import flat
from dlt_bunce.run_lock import run_lock
from dlt_bunce.store.database import Database
from dlt_bunce.store.erasure import erase_customers, pipelines_of


@dataclass
class Erased:
    """How many rows of each place are gone, and which folders of dlt's nobody could look through:
    those of pipelines that the account's store does not know.
    """

    ledger: int = 0
    dead_letters: int = 0
    package_rows: int = 0
    not_searched: list[str] = field(default_factory=list)


def erase(db: Database, account: str, ids: list[str], pipelines_dir: Path) -> Erased:
    """Removes customers from ledger, dead letters, and packages of the account's pipelines.

    Raises UsageError for an id that cannot be one or is being sent, and RunInProgressError while a
    run holds one of the folders.
    """
    judged = judge_identifiers(pa.array(ids, pa.string()))
    if judged.values.null_count:
        raise UsageError(
            f"{judged.values.null_count} of {len(ids)} are no customer ids.",
            remedy="Give them as the ledger has them, one a line.",
        )
    wanted = judged.values.unique()
    erased = Erased()
    known = pipelines_of(db, account)
    for folder in _folders(pipelines_dir):
        if folder.name not in known:
            erased.not_searched.append(str(folder))
            continue
        column = json.loads(known[folder.name]).get("customer_id")
        with run_lock(folder, lambda: 0.0):
            for file in _files(folder):
                erased.package_rows += _without(file, column, wanted)
    removed = erase_customers(db, account, wanted)
    erased.ledger = removed["bunce_customers"]
    erased.dead_letters = removed["bunce_dead_letters"]
    return erased


def _folders(pipelines_dir: Path) -> Iterator[Path]:
    """Working folders of pipelines into Bunce that hold rows."""
    for state in sorted(pipelines_dir.glob("*/state.json")):
        destination = json.loads(state.read_text()).get("destination_type") or ""
        if destination.startswith("dlt_bunce.") and any(_files(state.parent)):
            yield state.parent


def _files(folder: Path) -> Iterator[Path]:
    for pattern in ("load/*/*/*_jobs/*", "normalize/*/*/*_jobs/*"):
        yield from (f for f in folder.glob(pattern) if _holds_rows(f))
    yield from (f for f in given_up_folder(folder).glob("*/*") if _holds_rows(f))


def _holds_rows(file: Path) -> bool:
    kinds = (".parquet", "jsonl", "jsonl.gz")
    return not file.name.startswith("_dlt_") and file.name.endswith(kinds)


def _without(file: Path, column: str, ids: pa.Array) -> int:
    """Write the file anew without the rows of these customers; returns how many they were."""
    aside = file.with_name(f".{file.name}.without")
    write = _parquet_without if file.suffix == ".parquet" else _lines_without
    try:
        gone = write(file, aside, column, ids)
        if gone:
            aside.replace(file)
    finally:
        aside.unlink(missing_ok=True)
    return gone


def _parquet_without(file: Path, aside: Path, column: str, ids: pa.Array) -> int:
    gone = 0
    source = pq.ParquetFile(file)
    with source, pq.ParquetWriter(aside, source.schema_arrow) as writer:
        for batch in source.iter_batches():
            table = pa.Table.from_batches([batch])
            theirs = _theirs(table, column, ids)
            gone += theirs.true_count
            writer.write_table(table.filter(pc.invert(theirs)))
    return gone


def _lines_without(file: Path, aside: Path, column: str, ids: pa.Array) -> int:
    typed = "typed-jsonl" in file.name
    loads, dumps = (
        (dlt_json.typed_loadb, dlt_json.typed_dumpb) if typed else (dlt_json.loadb, dlt_json.dumpb)
    )
    gone = 0
    zipped = FileStorage.is_gzipped(str(file))
    opened = FileStorage.open_zipsafe_ro(str(file), mode="rb")
    written: Any = _opened(aside, zipped=zipped)
    with opened as lines, written as out:
        for line in lines:
            if not line.strip():
                continue
            parsed = loads(line)
            rows = parsed if isinstance(parsed, list) else [parsed]
            theirs = _theirs(arrow_table(rows), column, ids).to_pylist()
            left = [row for row, is_theirs in zip(rows, theirs, strict=True) if not is_theirs]
            gone += len(rows) - len(left)
            if left:
                out.write(dumps(left if isinstance(parsed, list) else left[0]) + b"\n")
    return gone


def _opened(file: Path, *, zipped: bool) -> Any:
    import gzip

    return gzip.open(file, "wb") if zipped else file.open("wb")


def _theirs(table: pa.Table, column: str, ids: pa.Array) -> pa.Array:
    if column not in table.column_names:
        return pa.array([False] * table.num_rows, pa.bool_())
    return pc.is_in(judge_identifiers(flat(table.column(column))).values, ids)
