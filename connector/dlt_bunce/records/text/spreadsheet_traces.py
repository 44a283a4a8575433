"""Traces that spreadsheets and exports leave in cells: marks around text, and words for nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.records.text.column import Column, any_true

PLACEHOLDERS = (
    "NULL",
    "null",
    "(null)",
    "\\N",
    "N/A",
    "n/a",
    "#N/A",
    "<NA>",
    "nan",
    "NaN",
    "None",
    "none",
    "-",
    "--",
    "\u2013",
    "\u2014",
    ".",
)
"""Whole values that mean that there is none. Null, Nan, and NA are left out: people have them as
names.
"""
_PLACEHOLDERS = pa.array(PLACEHOLDERS)
# an apostrophe that keeps digits as text, and a formula that returns text
_MARKED = r"""^(?:'([+0-9].*)|="([^"]*)")$"""


@dataclass(frozen=True)
class Traces:
    """What is removed: `marks` (an apostrophe before a number, and ="…"), and `placeholders`."""

    marks: bool = True
    placeholders: bool = True

    def removed(self, column: Column) -> Column:
        """Return trimmed text without traces; a placeholder is missing and `blanked`."""
        values = column.values
        if self.marks and any_true(starts := _starts(values)):
            bare = pc.replace_substring_regex(values.filter(starts), _MARKED, r"\1\2")
            bare = pc.utf8_trim_whitespace(bare)
            empty = pc.equal(pc.binary_length(bare), 0)
            bare = pc.if_else(empty, pa.scalar(None, pa.string()), bare)
            column = column.with_values(values := pc.replace_with_mask(values, starts, bare))
        if self.placeholders and any_true(words := pc.is_in(values, _PLACEHOLDERS)):
            blank = pc.if_else(words, pa.scalar(None, pa.string()), values)
            raw = pc.if_else(words, pa.scalar(None, pa.string()), column.raw)
            column = replace(column, values=blank, raw=raw, blanked=words)
        return column


DEFAULT_TRACES = Traces()
NO_TRACES = Traces(marks=False, placeholders=False)


def _starts(values: pa.Array) -> pa.Array:
    marked = pc.or_(pc.starts_with(values, "'"), pc.starts_with(values, '="'))
    return pc.fill_null(marked, False)
