"""Cells of attribute values, as a load of the row would send them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from dlt_bunce.records import rows
from dlt_bunce.records.text.text import is_text
from dlt_bunce.records.values.recorded_targets import restored
from dlt_bunce.records.values.values import read_values
from dlt_bunce.store.runs.mappings import reader_of

_Letter = Mapping[str, Any]
Records = Callable[[_Letter], Mapping[str, Any]]
"""Return what the run that read a dead letter's row has recorded of its attributes."""


def value_cells(page: Sequence[_Letter], records: Records) -> list[dict[str, str]]:
    """Return column to text for each dead letter, of columns that feed attributes and are no text.

    A stored row is JSON, in which a timestamp is text and a decimal a number. As text of their own
    types, such values arrive like those of the rows that were loaded.
    """
    cells: list[dict[str, str]] = [{} for _ in page]
    alike: dict[tuple[str, ...], list[int]] = {}
    for at, letter in enumerate(page):
        if letter["source_row"] is not None:
            alike.setdefault((*reader_of(letter), letter["table_name"]), []).append(at)
    for numbers in alike.values():
        record = records(page[numbers[0]])
        if not record.get("attributes"):
            continue
        read = [rows.decode(page[at]["source_row"]) for at in numbers]
        table = restored(rows.arrow_table(read), record)
        for name in {*record["attributes"]}.intersection(table.column_names):
            for at, text in zip(numbers, _texts(table.column(name)), strict=True):
                cells[at] |= {} if text is None else {name: text}
    return cells


def _texts(column: pa.ChunkedArray) -> list[str | None]:
    if is_text(column.type):
        return [None] * len(column)
    texts: list[str | None] = read_values(column, "text").texts.to_pylist()
    return texts
