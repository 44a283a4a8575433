"""Rows that give way to another of their id, wherever in a load both lie."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence, Sized
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc
from xxhash import xxh3_64_intdigest

from dlt_bunce.records.column import none_of
from dlt_bunce.records.fingerprint import text_digests
from dlt_bunce.records.identifiers import parse_identifiers
from dlt_bunce.records.mapping import FieldMapping
from dlt_bunce.records.newest_version import newest, undecided
from dlt_bunce.records.source_columns import contents_of, field_values, versions_of
from dlt_bunce.records.text import flat

DUPLICATES = pa.schema([("row", pa.int64()), ("gives_way", pa.bool_())])
"""Rows that give way to a newer one of their id; and rows to which others have to, though nothing
but their place says that they are newer.
"""
PASS_IDS = 2_000_000
"""So many ids are held at a time, as hashes of 8 bytes: larger loads are read in more passes."""
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
    form: str | None,
    *,
    in_order: bool = True,
    pass_ids: int = PASS_IDS,
) -> pa.Table:
    """The rows of ids that come more than once (DUPLICATES, ascending).

    `read` gives the tables of a load with the columns asked for, each with the number of its first
    row: the same at each call. Of equally new rows the last counts, as in `newest`, if they come
    `in_order`; else their content decides, so that each run takes the same. There are `rows` in
    all. Ids that come once are held as hashes alone, and others only for as long as their part is
    looked at.
    """
    found = [DUPLICATES.empty_table()]
    order = ["row"] if in_order else ["content", "row"]
    parts = 1 << (max(rows - 1, 0) // pass_ids).bit_length()
    for part in range(parts):
        hashes = _repeated(read, mapping, part, parts)
        if len(hashes):
            columns = {*mapping.columns.values(), *([mapping.version] if mapping.version else [])}
            found += _decided(
                (_candidates(*one, mapping, form, hashes) for one in read(columns)), order
            )
    return pa.concat_tables(found).sort_by("row").combine_chunks()


def _repeated(read: Read, mapping: FieldMapping, part: int, parts: int) -> pa.Array:
    """Hashes of a part of the ids: of those that come more than once."""
    several = known = pa.array([], pa.uint64())
    mask = pa.scalar(parts - 1, pa.uint64())
    tables = (table for _, table in read([mapping.columns["customer_id"]]))
    hashed = (_hashes(_ids(table, mapping).drop_null()) for table in tables)
    wanted = (each.filter(pc.equal(pc.bit_wise_and(each, mask), part)) for each in hashed)
    for portion in _portions(wanted):
        counts = pa.concat_arrays([known, *portion]).value_counts()
        known = counts.field("values")
        again = known.filter(pc.greater(counts.field("counts"), 1))
        several = pa.concat_arrays([several, again]).unique()
    return several


def _decided(parts: Iterable[pa.Table], order: Sequence[str]) -> Iterator[pa.Table]:
    """The duplicates among candidates; of equally new ones the last in an order counts."""
    best = _CANDIDATES.empty_table()
    for portion in _portions(parts):
        rows = pa.concat_tables([best, *portion]).sort_by([(name, "ascending") for name in order])
        ids, versions, contents, was_open = (flat(rows.column(n)) for n in rows.column_names[:4])
        kept = newest(ids, versions)
        if kept is None:
            best = rows
            continue
        # what nothing has decided stays undecided, whatever else equals it
        contents = pc.if_else(was_open, pa.scalar(None, pa.string()), contents)
        is_open = undecided(ids, versions, contents, kept)
        best = rows.set_column(3, "open", is_open).filter(kept)
        yield marked(rows.column("row").filter(pc.invert(kept)), gives_way=True)
    yield marked(best.column("row").filter(best.column("open")), gives_way=False)


def _portions(parts: Iterable[_T]) -> Iterator[list[_T]]:
    """Many rows at a time: what each portion is compared with may be large."""
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
    first_row: int, table: pa.Table, mapping: FieldMapping, form: str | None, hashes: pa.Array
) -> pa.Table:
    ids = _ids(table, mapping)
    rows = pa.array(range(first_row, first_row + table.num_rows), pa.int64())
    versions, _ = versions_of(table, mapping, form)
    among = pc.and_(pc.is_valid(ids), pc.is_in(_hashes(pc.fill_null(ids, "")), hashes))
    table, ids = table.filter(among), ids.filter(among)
    contents = text_digests(contents_of(table, mapping))
    columns = [ids, versions.filter(among), contents, none_of(len(ids)), rows.filter(among)]
    return pa.table(columns, schema=_CANDIDATES)


def marked(rows: pa.Array, *, gives_way: bool) -> pa.Table:
    """DUPLICATES of one kind."""
    return pa.table([rows, pa.repeat(pa.scalar(gives_way), len(rows))], schema=DUPLICATES)


def _ids(table: pa.Table, mapping: FieldMapping) -> pa.Array:
    return parse_identifiers(field_values(table, mapping, "customer_id")).values


def _hashes(ids: pa.Array) -> pa.Array:
    return pa.array(map(xxh3_64_intdigest, ids.cast(pa.binary()).to_pylist()), pa.uint64())
