"""Removal of customers' rows from the files in dlt's load packages."""

from __future__ import annotations

import gzip
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from dlt.common.json import json

from dlt_bunce.erasure.person import Persons, ids_in
from dlt_bunce.errors import MappingError, UsageError
from dlt_bunce.load.parquet import record_batches, schema
from dlt_bunce.records.mapping.matching import as_spelled, columns_of
from dlt_bunce.records.mapping.schema import ColumnNames, names_of
from dlt_bunce.records.rows import arrow_table

_ROWS = 10_000
_GZIP = b"\x1f\x8b"


@dataclass
class RowsFile:
    """A file with rows of the customers to erase; `columns` maps fields to columns."""

    path: Path
    columns: Mapping[str, Sequence[str]]
    ids: set[str] = field(default_factory=set)

    @classmethod
    def of(
        cls,
        path: Path,
        persons: Persons,
        hints: Mapping[str, ColumnNames],
        guesses: Sequence[Mapping[str, ColumnNames]] = (),
    ) -> RowsFile | None:
        """Return the file, or None if it has no row of the customers.

        `hints` (field to column) come from the package itself; `guesses` apply if their columns
        exist. Raises UsageError if the file may have such a row but its id column is unknown.
        """
        file = cls(path, {})
        file.columns = _columns(file._names(), hints, guesses)
        has_rows = False
        for table in file._tables():
            if "customer_id" not in file.columns:
                if persons.may_be_in(table):
                    raise UsageError(
                        f"{path} may contain rows of these customers, but its customer_id column "
                        "is unknown. Nothing was erased.",
                        remedy="Pass --map customer_id=COLUMN, or delete the file.",
                    )
                continue
            rows = table.filter(persons.are_in(table, file.columns))
            has_rows = has_rows or rows.num_rows > 0
            for ids in ids_in(rows, file.columns["customer_id"]):
                file.ids |= set(ids.drop_null().to_pylist()) & {*persons.ids}
        return file if has_rows else None

    def remove(self, persons: Persons) -> int:
        """Rewrite the file without their rows and return how many were removed."""
        # not in the jobs folder: a file left there by a kill would fail every later run
        part = self.path.parent.with_name(f".{self.path.name}.{secrets.token_hex(4)}")
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        try:
            is_parquet = self.path.suffix == ".parquet"
            count = (self._parquet if is_parquet else self._lines)(part, persons)
            part.replace(self.path)
        finally:
            part.unlink(missing_ok=True)
        return count

    def _parquet(self, part: Path, persons: Persons) -> int:
        count = 0
        with pq.ParquetWriter(part, schema(str(self.path))) as writer:
            for batch in record_batches(str(self.path), _ROWS):
                table = pa.Table.from_batches([batch])
                kept = table.filter(pc.invert(persons.are_in(table, self.columns)))
                count += table.num_rows - kept.num_rows
                writer.write_table(kept)
        return count

    def _lines(self, part: Path, persons: Persons) -> int:
        count = 0
        loads, dumps = self._json()
        with self._opened(part, "wb") as written:
            for line in self._lines_of_file():
                rows = loads(line)
                listed = rows if isinstance(rows, list) else [rows]
                table = arrow_table(listed)
                mask = persons.are_in(table, self.columns).to_pylist()
                kept = [row for row, is_theirs in zip(listed, mask, strict=True) if not is_theirs]
                count += len(listed) - len(kept)
                if len(kept) == len(listed):
                    written.write(line)
                elif kept:
                    written.write(dumps(kept if isinstance(rows, list) else kept[0]) + b"\n")
        return count

    def _names(self) -> list[str]:
        if self.path.suffix == ".parquet":
            names: list[str] = schema(str(self.path)).names
            return names
        # from all rows, since a row need not have every column
        return list(dict.fromkeys(name for table in self._tables() for name in table.column_names))

    def _tables(self) -> Iterator[pa.Table]:
        if self.path.suffix == ".parquet":
            for batch in record_batches(str(self.path), _ROWS):
                yield pa.Table.from_batches([batch])
            return
        loads, _ = self._json()
        for line in self._lines_of_file():
            rows = loads(line)
            yield arrow_table(rows if isinstance(rows, list) else [rows])

    def _lines_of_file(self) -> Iterator[bytes]:
        with self._opened(self.path, "rb") as file:
            yield from (line for line in file if line.strip())

    def _json(self) -> tuple[Any, Any]:
        if "typed-jsonl" in self.path.name:
            return json.typed_loadb, json.typed_dumpb
        return json.loadb, json.dumpb

    def _opened(self, path: Path, mode: str) -> Any:
        # dlt may compress a file without .gz in its name
        with self.path.open("rb") as file:
            zipped = file.read(2) == _GZIP
        return gzip.open(path, mode) if zipped else path.open(mode)


def _columns(
    names: list[str],
    hints: Mapping[str, ColumnNames],
    guesses: Sequence[Mapping[str, ColumnNames]],
) -> dict[str, Sequence[str]]:
    found: dict[str, Sequence[str]] = {}
    for name in ("customer_id", "email"):
        # an absent column of a hint counts as one without values: rows need not have every column
        hinted = [as_spelled(c, names) or c for c in names_of(hints.get(name, ()))]
        given = ([as_spelled(c, names) for c in names_of(guess.get(name, ()))] for guess in guesses)
        guessed = next((own for columns in given if (own := [c for c in columns if c])), [])
        try:
            columns = hinted or guessed or columns_of(name, names)
        except MappingError:
            continue  # several columns match
        if columns:
            found[name] = columns
    return found
