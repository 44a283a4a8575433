"""Lines of a file that cannot be split into columns: rows of their own, unless there are many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.errors import SourceError
from dlt_bunce.records.cells import PREFIX
from dlt_bunce.records.row_origin import LINE as NUMBER
from dlt_bunce.records.row_origin import with_lines as numbered
from dlt_bunce.records.unreadable import LINE, UNREADABLE

SAMPLE = 1_000
"""First rows of a file that show whether it is read in the right way."""
MAX_SHARE = 0.1
"""With a larger share of unreadable lines among the first rows, the file is refused."""
MIN_LINES = 5
"""Fewer unreadable lines do not refuse a file, unless it has no other rows."""
_MAX_TEXT = 100_000
"""Characters of a line that are kept."""


@dataclass(frozen=True)
class Line:
    """An unreadable line: the numbers of its row and of its first line in the file, why it cannot
    be read, and its text.
    """

    row: int
    line: int
    reason: str
    text: str


@dataclass(frozen=True)
class Part:
    """Rows that were read, and the lines between them that cannot be read."""

    rows: Any
    lines: Sequence[Line] = ()


def with_lines(parts: Iterator[Part], name: str, remedy: str) -> Iterator[Any]:
    """Yield the rows of the parts of a file called `name`, and its unreadable lines as rows in
    which only the column UNREADABLE is filled. A row of an export of dead letters in which an
    unreadable line is all that there is, is that line again.

    Raises SourceError, before anything is yielded, if more than MAX_SHARE of the first SAMPLE rows
    are unreadable.
    """
    first: list[Part] = []
    read = 0
    for part in parts:
        first.append(part)
        read += part.rows.num_rows + len(part.lines)
        if read >= SAMPLE:
            break
    _refuse_many(first, read, name, remedy)
    for part in chain(first, parts):
        if part.rows.num_rows:
            yield _with_exported(part.rows, name)
        if part.lines:
            yield _as_rows(part.lines, part.rows.schema, name)


def _refuse_many(parts: Sequence[Part], read: int, name: str, remedy: str) -> None:
    lines = [line for part in parts for line in part.lines]
    many = len(lines) >= MIN_LINES and len(lines) > MAX_SHARE * read
    if not many and (not lines or len(lines) < read):
        return
    of_all = (
        f"{len(lines):,} of the first {read:,} rows of {name} cannot be read; the first of them"
    )
    alone = f"The only row of {name} cannot be read: it"
    footer = "If the file ends with the footer of a report, delete it there. "
    is_end = read < SAMPLE and _are_last(lines, parts)
    raise SourceError(
        f"{alone if read == 1 else of_all} is row {lines[0].row}: {lines[0].reason}.",
        remedy=f"{footer if is_end else ''}{remedy}",
    )


def _are_last(lines: Sequence[Line], parts: Sequence[Part]) -> bool:
    """Return whether all of these lines come after the rows that were read."""
    ends = [pc.max(part.rows.column(NUMBER)).as_py() for part in parts if part.rows.num_rows]
    return bool(ends) and max(ends) < lines[0].line


def _as_rows(lines: Sequence[Line], schema: pa.Schema, name: str) -> pa.Table:
    values = [
        {"file": name, "row": line.row, "reason": line.reason, "text": line.text[:_MAX_TEXT]}
        for line in lines
    ]
    columns = {field.name: pa.nulls(len(lines), field.type) for field in schema}
    rows = pa.table(columns | {UNREADABLE: pa.array(values, LINE)})
    return numbered(rows, pa.array([line.line for line in lines], pa.int64()))


def _with_exported(rows: Any, name: str) -> Any:
    """Return rows of an export with the lines in them as `_as_rows` gives them: text alone that
    nobody has corrected is a line, and none in a row with other cells.
    """
    at = rows.schema.get_field_index(UNREADABLE)
    if at < 0 or not pa.types.is_string(rows.column(at).type):
        return rows
    texts, blank = rows.column(at), pc.is_valid(rows.column(at))
    for column, values in zip(rows.schema.names, rows.columns, strict=True):
        if column not in {UNREADABLE, NUMBER} and not column.startswith(PREFIX):
            blank = pc.and_(blank, pc.is_null(values))
    message = rows.schema.get_field_index(f"{PREFIX}message")
    reasons = pa.nulls(len(texts), pa.string()) if message < 0 else rows.column(message)
    numbers = rows.column(rows.schema.get_field_index(NUMBER))
    names = pa.repeat(pa.scalar(name), len(texts))
    fields = [names, numbers.cast(pa.int64()), reasons, texts]
    lines = pa.StructArray.from_arrays(fields, fields=list(LINE), mask=pc.invert(blank))
    return rows.set_column(at, pa.field(UNREADABLE, LINE), lines)
