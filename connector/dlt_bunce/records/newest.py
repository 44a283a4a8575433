"""Which of several rows with one key counts."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc


def newest(keys: pa.Array, versions: pa.Array) -> pa.Array | None:
    """Boolean mask of the rows to keep, or None if every key is there once.

    Of the rows with one key (string) the one with the largest version (int64, null the smallest)
    stays, of equal ones the last. Rows without a key all stay.
    """
    encoded = keys.dictionary_encode()
    if len(encoded.dictionary) + keys.null_count == len(keys):
        return None
    table = pa.table(
        {"key": encoded.indices, "version": versions, "row": pa.array(range(len(keys)))}
    ).filter(pc.is_valid(keys))
    if versions.null_count < len(versions):
        tops = table.group_by("key").aggregate([("version", "max")]).sort_by("key")
        # keys are dictionary indices, so the sorted groups are addressed by them
        top = tops["version_max"].take(table["key"])
        among = pc.fill_null(pc.equal(table["version"], top), False)
        table = table.filter(pc.or_(among, pc.is_null(top)))
    lasts = table.group_by("key").aggregate([("row", "max")])["row_max"]
    kept = pc.is_in(pa.array(range(len(keys))), value_set=lasts.combine_chunks())
    return pc.or_(kept, pc.is_null(keys))


def repeated(keys: pa.Array) -> pa.Array:
    """Boolean mask of the rows whose key comes more than once."""
    counts = keys.value_counts()
    several = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
    return pc.and_(pc.is_valid(keys), pc.is_in(keys, several))


def undecided(keys: pa.Array, versions: pa.Array, contents: pa.Array) -> int:
    """How many rows had to give way to another of their key though nothing says which is newer.

    Their `contents` (string) differ, and the key's versions are all equal or null.
    """
    table = pa.table({"key": keys, "version": versions, "content": contents})
    found = table.group_by("key").aggregate(
        [("version", "count_distinct", pc.CountOptions("all")), ("content", "count_distinct")]
    )
    alike = found.filter(pc.equal(found["version_count_distinct"], 1))
    return int(pc.sum(pc.subtract(alike["content_count_distinct"], 1), min_count=0).as_py())
