"""Detection of rows superseded by another row with the same id, anywhere in a load."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence, Sized
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc
from xxhash import xxh3_64_intdigest

from dlt_bunce.records.fields.fields import identifiers
from dlt_bunce.records.fingerprint import text_digests
from dlt_bunce.records.mapping.mapping import FieldMapping
from dlt_bunce.records.mapping.source_columns import contents_of, versions_of
from dlt_bunce.records.text.column import none_of
from dlt_bunce.records.text.spreadsheet_traces import DEFAULT_TRACES, Traces
from dlt_bunce.records.text.text import flat
from dlt_bunce.records.versions.newest_version import newest, undecided
from dlt_bunce.records.versions.version_kinds import VersionKind

DUPLICATES = pa.schema([("row", pa.int64()), ("gives_way", pa.bool_())])
"""Rows that give way to a newer row with the same id (`gives_way` is true), and rows that win over
others only by their position in the load (`gives_way` is false).
"""
PASS_IDS = 2_000_000
"""Ids held in memory at a time, as hashes of 8 bytes; larger loads are read in several passes."""
_PORTION_ROWS = 500_000
_CANDIDATES = pa.schema(
    {
        "id": pa.string(),
        "version": pa.int64(),
        "content": pa.string(),
        "open": pa.bool_(),
        "row": pa.int64(),
    }
)
_T = TypeVar("_T", bound=Sized)

Read = Callable[[Collection[str]], Iterator[tuple[int, pa.Table]]]


def find_duplicates(
    read: Read,
    rows: int,
    mapping: FieldMapping,
    date_format: str | None,
    *,
    kind: VersionKind | None = None,
    traces: Traces = DEFAULT_TRACES,
    in_order: bool = True,
    pass_ids: int = PASS_IDS,
) -> pa.Table:
    """Return the rows whose id occurs more than once (DUPLICATES, ascending).

    `read` yields the tables of a load with the requested columns, each with the number of its first
    row; every call must yield the same. `rows` is the total number of rows. Rows with versions of
    another `kind` than the load's are not compared. Of equally new rows the
    last one wins if the rows are `in_order`, as in `newest`; otherwise their content decides, so
    that every run picks the same row. Ids that occur once are held only as hashes, repeated ids
    only while their part of the ids is processed.
    """
    found = [DUPLICATES.empty_table()]
    order = ["row"] if in_order else ["content", "row"]
    parts = 1 << (max(rows - 1, 0) // pass_ids).bit_length()
    for part in range(parts):
        hashes = _repeated(read, mapping, traces, part, parts)
        if len(hashes):
            columns = {*mapping.source_columns, *([mapping.version] if mapping.version else [])}
            found += _decided(
                (
                    _candidates(first_row, table, mapping, traces, (date_format, kind), hashes)
                    for first_row, table in read(columns)
                ),
                order,
            )
    return pa.concat_tables(found).sort_by("row").combine_chunks()


def _repeated(read: Read, mapping: FieldMapping, traces: Traces, part: int, parts: int) -> pa.Array:
    """Return the hashes of the ids that occur more than once, for one part of the ids."""
    repeated = known = pa.array([], pa.uint64())
    mask = pa.scalar(parts - 1, pa.uint64())
    tables = (table for _, table in read(mapping.columns_of("customer_id")))
    hashed = (_hashes(identifiers(table, mapping, traces).values.drop_null()) for table in tables)
    wanted = (hashes.filter(pc.equal(pc.bit_wise_and(hashes, mask), part)) for hashes in hashed)
    for portion in _portions(wanted):
        counts = pa.concat_arrays([known, *portion]).value_counts()
        known = counts.field("values")
        again = known.filter(pc.greater(counts.field("counts"), 1))
        repeated = pa.concat_arrays([repeated, again]).unique()
    return repeated


def _decided(parts: Iterable[pa.Table], order: Sequence[str]) -> Iterator[pa.Table]:
    """Yield the duplicates among candidates; of equally new rows the last in `order` wins."""
    best = _CANDIDATES.empty_table()
    for portion in _portions(parts):
        rows = pa.concat_tables([best, *portion]).sort_by([(name, "ascending") for name in order])
        ids, versions, contents, was_open = (flat(rows.column(n)) for n in rows.column_names[:4])
        kept = newest(ids, versions)
        if kept is None:
            best = rows
            continue
        # an undecided winner stays undecided, even if a later row has equal content
        contents = pc.if_else(was_open, pa.scalar(None, pa.string()), contents)
        is_open = undecided(ids, versions, contents, kept)
        best = rows.set_column(3, "open", is_open).filter(kept)
        yield marked(rows.column("row").filter(pc.invert(kept)), gives_way=True)
    yield marked(best.column("row").filter(best.column("open")), gives_way=False)


def _portions(parts: Iterable[_T]) -> Iterator[list[_T]]:
    """Group parts into portions of many rows, since each comparison may involve a large table."""
    held: list[_T] = []
    rows = 0
    for part in parts:
        held.append(part)
        rows += len(part)
        if rows >= _PORTION_ROWS:
            yield held
            held, rows = [], 0
    if held:
        yield held


def _candidates(
    first_row: int,
    table: pa.Table,
    mapping: FieldMapping,
    traces: Traces,
    version_rules: tuple[str | None, VersionKind | None],
    hashes: pa.Array,
) -> pa.Table:
    ids = identifiers(table, mapping, traces).values
    rows = pa.array(range(first_row, first_row + table.num_rows), pa.int64())
    versions, _, other = versions_of(table, mapping, *version_rules)
    among = pc.and_(pc.is_valid(ids), pc.is_in(_hashes(pc.fill_null(ids, "")), hashes))
    if other is not None:
        among = pc.and_(among, pc.invert(other))
    table, ids = table.filter(among), ids.filter(among)
    contents = text_digests(contents_of(table, mapping))
    columns = [ids, versions.filter(among), contents, none_of(len(ids)), rows.filter(among)]
    return pa.table(columns, schema=_CANDIDATES)


def marked(rows: pa.Array, *, gives_way: bool) -> pa.Table:
    """Return a DUPLICATES table in which all rows have the same `gives_way`."""
    return pa.table([rows, pa.repeat(pa.scalar(gives_way), len(rows))], schema=DUPLICATES)


def _hashes(ids: pa.Array) -> pa.Array:
    return pa.array(map(xxh3_64_intdigest, ids.cast(pa.binary()).to_pylist()), pa.uint64())
