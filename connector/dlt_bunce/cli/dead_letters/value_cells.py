"""Cells of columns whose types JSON does not keep, as a load of the row would read them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import pyarrow as pa

from dlt_bunce.records import rows
from dlt_bunce.records.text.text import is_text
from dlt_bunce.records.values.recorded_targets import restored, types_in
from dlt_bunce.records.values.values import read_values
from dlt_bunce.store.runs.mappings import reader_of

_Letter = Mapping[str, Any]
Records = Callable[[str, str, str], str]
"""Return what a run (run_id, pipeline_name) has recorded of a table's targets, as JSON."""


def value_cells(page: Sequence[_Letter], records: Records) -> list[dict[str, str]]:
    """Return column to text for each dead letter, of columns that feed attributes and are no text.

    A stored row is JSON, in which a timestamp is text and a decimal a number. As text of their own
    types, such values arrive like those of the rows that were loaded.
    """
    cells: list[dict[str, str]] = [{} for _ in page]
    # pages have rows of many runs, most of which have recorded the same
    alike: dict[str, list[int]] = {}
    for at, letter in enumerate(page):
        if letter["source_row"] is not None:
            found = records(*reader_of(letter), letter["table_name"])
            alike.setdefault(found, []).append(at)
    for found, numbers in alike.items():
        record = json.loads(found)
        if not record.get("attributes"):
            continue
        for some, table in _restored(page, numbers, record):
            for name in {*record["attributes"]}.intersection(table.column_names):
                for at, text in zip(some, _texts(table.column(name)), strict=True):
                    cells[at] |= {} if text is None else {name: text}
    return cells


def moment_columns(letter: _Letter, records: Records) -> frozenset[str]:
    """Return the columns that held dates and times: as text they would pass as names or ids."""
    return _moments_in(records(*reader_of(letter), letter["table_name"]))


@lru_cache
def _moments_in(record: str) -> frozenset[str]:
    types = types_in(json.loads(record))
    return frozenset(field.name for field in types if pa.types.is_temporal(field.type))


def _restored(
    page: Sequence[_Letter], numbers: list[int], record: Mapping[str, Any]
) -> Iterator[tuple[list[int], pa.Table]]:
    """Yield rows with the types in their record: each by itself if a value of any does not fit."""
    read = [rows.decode(page[at]["source_row"]) for at in numbers]
    whole = restored(rows.arrow_table(read), record)
    types = (field for field in types_in(record) if field.name in whole.column_names)
    if all(whole.schema.field(field.name).type == field.type for field in types):
        yield numbers, whole
        return
    for at, row in zip(numbers, read, strict=True):
        yield [at], restored(rows.arrow_table([row]), record)


def _texts(column: pa.ChunkedArray) -> list[str | None]:
    if is_text(column.type):
        return [None] * len(column)
    texts: list[str | None] = read_values(column, "text").texts.to_pylist()
    return texts
