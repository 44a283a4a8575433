"""The values of each field, read from the columns that are mapped to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import reduce

import pyarrow as pa

from dlt_bunce.records.fields.full_names import split
from dlt_bunce.records.fields.identifiers import parse_identifiers
from dlt_bunce.records.mapping.mapping import FieldMapping
from dlt_bunce.records.mapping.schema import FULL_NAME, NAMES
from dlt_bunce.records.mapping.source_columns import field_values
from dlt_bunce.records.text.column import Column
from dlt_bunce.records.text.spreadsheet_traces import Traces
from dlt_bunce.records.text.text import read_text

Parser = Callable[[pa.Array], Column]


def identifiers(source: pa.Table, mapping: FieldMapping, traces: Traces) -> Column:
    """Return the customer_id of every row."""
    return read_field(
        source, mapping, "customer_id", lambda array: parse_identifiers(array, traces=traces)
    )


def read_field(source: pa.Table, mapping: FieldMapping, name: str, parse: Parser) -> Column:
    """Return a field of every row: from the first of its columns that is filled."""
    return first_filled(field_values(source, mapping, name), parse)


def first_filled(arrays: Iterable[pa.Array], parse: Parser) -> Column:
    """Return the values of several columns: in each row, those of the first that is filled."""
    return reduce(Column.or_else, map(parse, arrays))


def split_names(source: pa.Table, mapping: FieldMapping, traces: Traces) -> dict[str, Column]:
    """Return first_name and last_name of every row as its full name has them, not validated.

    Empty if no column is mapped to full_name.
    """
    if FULL_NAME not in mapping.columns:
        return {}
    whole = read_field(source, mapping, FULL_NAME, lambda array: read_text(array, traces=traces))
    return {
        name: Column(values, whole.invalid, whole.reason, whole.raw, blanked=whole.blanked)
        for name, values in zip(NAMES, split(whole.values), strict=True)
    }
