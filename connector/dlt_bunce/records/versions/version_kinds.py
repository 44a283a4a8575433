"""The kind of a load's versions: only versions of one kind tell which row is newer."""

from __future__ import annotations

from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.errors import MappingError
from dlt_bunce.records.text.column import any_true
from dlt_bunce.records.text.text import flat
from dlt_bunce.records.versions.version_scale import PER_SECOND, middle, range_of, unit_of
from dlt_bunce.records.versions.versions import Versions, read_cells, read_versions

CODE = "invalid_version"
_OF_TIMES = "microseconds"
_NO_VERSION = pa.scalar(None, pa.int64())


class VersionKind(NamedTuple):
    """Times, or numbers; of numbers that are likely to be times, the unit."""

    are_times: bool
    unit: str | None


class KnownVersions(NamedTuple):
    """Versions as of `read_versions`, null where they are `of_other_kind` (None if none are)."""

    values: pa.Array
    unreadable: int
    of_other_kind: pa.Array | None = None


def kind_of(array: pa.Array, column: str, date_format: str | None = None) -> VersionKind | None:
    """Return the kind of most versions of a column, or None if there are none.

    Raises MappingError as `read_versions` does.
    """
    versions, _ = read_versions(array, column, date_format)
    median = middle(pa.chunked_array([versions]))
    if median is None:
        return None
    are_times = read_cells(array, column, date_format).are_times
    if pc.and_(are_times, pc.is_valid(versions)).true_count:
        return VersionKind(True, _OF_TIMES)
    return VersionKind(False, unit_of(median))


def read_as(
    array: pa.Array, column: str, date_format: str | None, kind: VersionKind | None
) -> KnownVersions:
    """Return the versions of a part of a load whose versions are of this kind, as far as known.

    Versions of another kind, such as seconds among timestamps, are `of_other_kind`, and so are
    unreadable cells if they are at least half of the part's: none of them may decide who is newer.
    """
    if kind is None:
        return KnownVersions(*read_versions(array, column, date_format))
    array = flat(array)
    try:
        cells = read_cells(array, column, date_format)
    except MappingError:  # the part has another type
        nothing = pa.nulls(len(array), pa.int64())
        return KnownVersions(nothing, 0, pc.is_valid(array))
    other = _of_other_kind(cells, kind)
    bad = pc.and_(pc.is_null(cells.values), cells.present)
    unreadable = bad.true_count
    if unreadable and 2 * unreadable >= cells.present.true_count:
        other, unreadable = pc.or_(other, bad), 0
    if not any_true(other):
        return KnownVersions(cells.values, unreadable)
    return KnownVersions(pc.if_else(other, _NO_VERSION, cells.values), unreadable, other)


def _of_other_kind(cells: Versions, kind: VersionKind) -> pa.Array:
    are_numbers = pc.and_(pc.is_valid(cells.values), pc.invert(cells.are_times))
    times = pc.and_(pc.is_valid(cells.values), cells.are_times)
    other = times if kind.unit != _OF_TIMES else pc.and_(times, False)
    if not any_true(are_numbers):
        return other
    own = None if kind.unit is None else _within(cells.values, kind.unit)
    if kind.are_times:
        return pc.or_(other, pc.and_(are_numbers, pc.invert(own)))
    for unit in PER_SECOND if kind.unit is not None else ():
        if unit != kind.unit:
            other = pc.or_(other, pc.and_(are_numbers, _within(cells.values, unit)))
    return other


def _within(versions: pa.Array, unit: str) -> pa.Array:
    """Return which versions are times of this century in a unit."""
    first, last = range_of(unit)
    within = pc.and_(pc.greater_equal(versions, first), pc.less(versions, last))
    return pc.fill_null(within, False)
