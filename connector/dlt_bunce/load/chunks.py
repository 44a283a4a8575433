"""The rows of a load, a chunk at a time, of each id only the newest."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from operator import methodcaller
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.records.duplicates import find_duplicates
from dlt_bunce.records.fields.rules import Rules
from dlt_bunce.records.identities import Identities, read_identities
from dlt_bunce.records.mapping.mapping import FieldMapping
from dlt_bunce.records.mapping.source_columns import values_of
from dlt_bunce.records.prepare import Prepared, prepare
from dlt_bunce.records.prepare_ids import prepare_ids
from dlt_bunce.records.text.text import flat
from dlt_bunce.records.versions.version_kinds import VersionKind, kind_of

CHUNK_ROWS = 10_000
"""Rows read and compared with the ledger at a time: a load holds a few chunks in memory."""
_FILE_ROWS = 1 << 40
"""More than a file has: in a load, the rows of each have numbers of their own."""


class Source(Protocol):
    """A file of customers that can be read again from its beginning."""

    @property
    def row_count(self) -> int | None:
        """Rows there are, where the file says so."""

    def chunks(self, rows: int, columns: Collection[str] | None = None) -> Iterator[pa.Table]:
        """Return the rows in order, in tables of at most `rows`: the same tables at each call,
        which may leave out other columns than `columns`.
        """


@dataclass(frozen=True)
class Chunk:
    """A part of a file. `is_alone`: no other row of the load has an id of its accepted rows."""

    number: int
    first_row: int
    table: pa.Table
    prepared: Prepared
    is_alone: bool


class Duplicates:
    """Rows that give way to a newer one of their id, among all files of a load that go into one
    table. Found when they are first asked for, once for all.
    """

    def __init__(self, sources: Mapping[str, Source], mapping: FieldMapping, rules: Rules) -> None:
        self.sources, self.mapping, self.rules = sources, mapping, rules
        self._starts = {name: number * _FILE_ROWS for number, name in enumerate(sources)}
        self._lock = threading.RLock()
        self._found: pa.Table = None
        self._kinds: list[VersionKind | None] | None = None
        self._identities: Identities | None = None

    def among(self, name: str, first_row: int, rows: int) -> pa.Table:
        """Those (DUPLICATES) of so many rows of a file, counted from the first of these."""
        with self._lock:
            if self._found is None:
                self._found = self._find()
        numbers, start = flat(self._found.column("row")), self._starts[name] + first_row
        # an array's items are scalars
        first, end = (
            bisect_left(numbers, n, key=methodcaller("as_py")) for n in (start, start + rows)
        )
        found = self._found.slice(first, end - first).combine_chunks()
        return found.set_column(0, "row", pc.subtract(found.column("row"), start))

    def identities(self) -> Identities:
        """Return who is in the load: read when it is first asked for, once for all files."""
        with self._lock:
            if self._identities is None:
                rows = self._row_count()
                self._identities = read_identities(self._read, rows, self.mapping, self.rules)
        return self._identities

    def version_kind(self) -> VersionKind | None:
        """Return the kind that versions have in most of the files, by their first rows that have
        any; None if there are none. Found when it is first asked for.
        """
        with self._lock:
            if self._kinds is None:
                # by name, as dlt moves files while others are loaded
                files = [self.sources[name] for name in sorted(self.sources)]
                self._kinds = list(map(self._kind_of, files)) if self.mapping.version else []
        found = Counter(kind for kind in self._kinds if kind is not None)
        return found.most_common(1)[0][0] if found else None

    def _kind_of(self, source: Source) -> VersionKind | None:
        column, form = self.mapping.version or "", self.rules.version_format
        found = (
            kind_of(values_of(table, column), column, form)
            for table in source.chunks(CHUNK_ROWS, [column])
        )
        return next(filter(None, found), None)

    def _row_count(self) -> int:
        return sum(self._rows_of(source) for source in self.sources.values())

    def _find(self) -> pa.Table:
        return find_duplicates(
            self._read,
            self._row_count(),
            self.mapping,
            self.rules.version_format,
            kind=self.version_kind(),
            traces=self.rules.traces,
            # dlt names the files of an extraction by chance, and goes on in the order of names
            in_order=len(self.sources) == 1,
        )

    def _rows_of(self, source: Source) -> int:
        if source.row_count is not None:
            return source.row_count
        return sum(table.num_rows for table in source.chunks(CHUNK_ROWS, []))

    def _read(self, columns: Collection[str]) -> Iterator[tuple[int, pa.Table]]:
        for name, source in self.sources.items():
            row = self._starts[name]
            for table in source.chunks(CHUNK_ROWS, columns):
                yield row, table
                row += table.num_rows


class Chunks:
    """The chunks of one file of a load.

    Whether an id comes again in another chunk takes one more reading of all files, so it is found
    out only when it matters: from `again` on.
    """

    def __init__(self, name: str, duplicates: Duplicates, rows: int = CHUNK_ROWS) -> None:
        self._name, self._duplicates, self._rows = name, duplicates, rows
        self._source = duplicates.sources[name]
        count = self._source.row_count
        self._is_only = len(duplicates.sources) == 1 and count is not None and count <= rows
        self._is_alone = self._is_only

    def read(self, only: Collection[int] | None = None) -> Iterator[Chunk]:
        """All of the file from its beginning, or chunks of some numbers."""
        first_row = 0
        for number, table in enumerate(self._source.chunks(self._rows)):
            if only is None or number in only:
                yield self._judged(number, first_row, table)
            first_row += table.num_rows

    def again(self, chunk: Chunk) -> Chunk:
        """Return the same chunk, without rows of which a newer one lies elsewhere in the load."""
        self._is_alone = True
        return self._judged(chunk.number, chunk.first_row, chunk.table)

    def _judged(self, number: int, first_row: int, table: pa.Table) -> Chunk:
        duplicates, is_alone = self._duplicates, self._is_alone
        others = None
        if is_alone and not self._is_only:
            others = duplicates.among(self._name, first_row, table.num_rows)
        mapping = duplicates.mapping
        read = prepare_ids if mapping.values_only else prepare
        prepared = read(table, mapping, duplicates.rules, others, duplicates.version_kind())
        return Chunk(number, first_row, table, prepared, is_alone)
