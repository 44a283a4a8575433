"""Choice of the newest among rows with the same key."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc


def newest(keys: pa.Array, versions: pa.Array) -> pa.Array | None:
    """Return a boolean mask of the rows to keep, or None if no key occurs twice.

    Of the rows with one key (string), the row with the largest version (int64, null is smallest)
    stays; of equal versions, the last row. Rows without a key all stay.
    """
    encoded = keys.dictionary_encode()
    if len(encoded.dictionary) + keys.null_count == len(keys):
        return None
    table = pa.table(
        {"key": encoded.indices, "version": versions, "row": pa.array(range(len(keys)))}
    ).filter(pc.is_valid(keys))
    if versions.null_count < len(versions):
        tops = table.group_by("key").aggregate([("version", "max")]).sort_by("key")
        # keys are dictionary indices, so they index the sorted groups
        top = tops["version_max"].take(table["key"])
        among = pc.fill_null(pc.equal(table["version"], top), False)
        table = table.filter(pc.or_(among, pc.is_null(top)))
    lasts = table.group_by("key").aggregate([("row", "max")])["row_max"]
    kept = pc.is_in(pa.array(range(len(keys))), value_set=lasts.combine_chunks())
    return pc.or_(kept, pc.is_null(keys))


def repeated(keys: pa.Array) -> pa.Array:
    """Return a boolean mask of the rows whose key occurs more than once."""
    counts = keys.value_counts()
    repeated_keys = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
    return pc.and_(pc.is_valid(keys), pc.is_in(keys, repeated_keys))


def with_many(keys: pa.Array, values: pa.Array, least: int) -> int:
    """Return the number of rows whose key has at least so many distinct values."""
    found = pa.table({"key": keys, "value": values}).filter(pc.is_valid(keys))
    counts = found.group_by("key").aggregate([("value", "count_distinct"), ("key", "count")])
    shared = counts.filter(pc.greater_equal(counts["value_count_distinct"], least))
    return int(pc.sum(shared["key_count"], min_count=0).as_py())


def undecided(keys: pa.Array, versions: pa.Array, contents: pa.Array, kept: pa.Array) -> pa.Array:
    """Return a boolean mask of the `kept` rows that won only by their position.

    Another row with the same key has an equal version (or also none) and different `contents`
    (string; null differs from everything).
    """
    winners = pc.index_in(keys, value_set=keys.filter(kept))
    version = versions.filter(kept).take(winners)
    neither = pc.and_(pc.is_null(versions), pc.is_null(version))
    equal = pc.or_(neither, pc.fill_null(pc.equal(versions, version), False))
    same = pc.fill_null(pc.equal(contents, contents.filter(kept).take(winners)), False)
    rivals = keys.filter(pc.and_(equal, pc.invert(same)))
    return pc.and_(kept, pc.is_in(keys, value_set=rivals))
