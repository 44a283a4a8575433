"""Rows of a CSV file that are damaged: told apart from good ones, with the good ones among them."""

from __future__ import annotations

import csv
import io
import re
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.records.cells import LETTER_ID
from dlt_bunce.records.row_origin import LINE, counted_from
from dlt_bunce.sources.csv_header import LINE_BREAK, Header
from dlt_bunce.sources.encodings import MARK_PATTERN, unmarked_bytes
from dlt_bunce.sources.unreadable_lines import Line

NOT_TEXT = "it contains bytes that are not text in the file's encoding (--encoding sets another)"
NOT_CLOSED = "a quotation mark in it is not closed"
_MAX_REPEATED = 1_000
"""Repetitions that a regular expression of Arrow may have."""


@dataclass
class _Ragged:
    """A row with too many or too few cells, after so many rows with the right number.

    `lines` and `recovered` are what it consists of, by the number of lines before each.
    """

    good: int
    breaks: int
    lines: list[tuple[int, Line]] = field(default_factory=list)
    recovered: list[tuple[int, list[str]]] = field(default_factory=list)


@dataclass
class Damage:
    """What is damaged in a file with this header, and the line of every row."""

    header: Header
    lines: list[Line] = field(default_factory=list)
    recovered: list[tuple[int, list[str]]] = field(default_factory=list)
    _good: int = 0
    # for each ragged row, the number of its row without ragged rows before it
    _numbers: list[int] = field(default_factory=list)
    # those in front of the rows to come
    _ragged: deque[_Ragged] = field(default_factory=deque)
    _next_line: int = 0

    def __post_init__(self) -> None:
        self._next_line = self.header.lines + 1

    def skip(self, row: Any) -> str:
        """Keep a row that Arrow says has too many or too few cells.

        Where a quotation mark is not closed, the rows after it are part of the row: those are
        recovered.
        """
        number = row.number - len(self._numbers)
        self._numbers.append(number)
        first, *rest = LINE_BREAK.split(row.text)
        ragged = _Ragged(number - self.header.rows - 1, len(rest))
        self._ragged.append(ragged)
        rows = self._rows("\n".join(rest)) if first.count('"') % 2 else []
        ragged.recovered = [(line, cells) for line, cells in rows if self._is_complete(cells)]
        if not ragged.recovered:
            reason = f"it has {row.actual_columns} cells, but the header has {row.expected_columns}"
            ragged.lines.append((0, _line(row.number, reason, row.text)))
            return "skip"
        ragged.lines.append((0, _line(row.number, NOT_CLOSED, first)))
        for line, cells in rows:
            if not self._is_complete(cells):
                reason = "a row before it is not closed"
                ragged.lines.append((line, _line(row.number, reason, self._text(cells))))
        return "skip"

    def _is_complete(self, cells: Sequence[str]) -> bool:
        is_text = not re.search(MARK_PATTERN, "".join(cells))
        return is_text and len(cells) == len(self.header.names)

    def lines_of(self, batch: Any, *, quoted: bool) -> pa.Array:
        """Return the line in which each row of the next batch begins, of all columns of the file.

        Ragged rows before the last of them get their lines as well, and can be taken.
        """
        count, further = batch.num_rows, 0
        lines = counted_from(self._next_line, count)
        if quoted and (breaks := _line_breaks(batch.columns)) is not None:
            before = pc.cumulative_sum(breaks)
            lines = pc.add(lines, pc.subtract(before, breaks))
            further = before[-1].as_py()
        end = self._next_line + count + further
        self._good += count
        shift, shifts = 0, [0] * count if self._ragged else []
        while self._ragged and self._ragged[0].good < self._good:
            ragged = self._ragged.popleft()
            place = ragged.good - (self._good - count)
            self._settle(ragged, lines[place].as_py() + shift)
            shifts[place] += 1 + ragged.breaks
            shift += 1 + ragged.breaks
        self._next_line = end + shift
        return pc.add(lines, pc.cumulative_sum(pa.array(shifts, pa.int64()))) if shift else lines

    def finish(self) -> None:
        """Give the ragged rows after the last batch their lines."""
        for ragged in self._ragged:
            self._settle(ragged, self._next_line)
            self._next_line += 1 + ragged.breaks
        self._ragged.clear()

    def _settle(self, ragged: _Ragged, line: int) -> None:
        self.lines += [replace(found, line=line + n) for n, found in ragged.lines]
        self.recovered += [(line + n, cells) for n, cells in ragged.recovered]

    def take(self) -> tuple[list[Line], Any]:
        """Return the damaged lines and the recovered rows since the last call."""
        lines, self.lines = self.lines, []
        rows, self.recovered = self.recovered, []
        kept = {
            name: pa.array([cells[number] or None for _, cells in rows], pa.string())
            for number, name in enumerate(self.header.names)
            if name
        }
        numbers = pa.array([line for line, _ in rows], pa.int64())
        return lines, pa.RecordBatch.from_pydict(kept | {LINE: numbers})

    def without_damaged(self, batch: Any, *, marked: bool, quoted: bool) -> Any:
        """Return the batch whose lines were asked for last, with these as its last column, without
        rows that contain other rows or bytes that are not text.
        """
        columns = batch.columns[:-1]
        damaged = dict.fromkeys(self._with_rows_within(columns), NOT_CLOSED) if quoted else {}
        if marked:
            damaged |= dict.fromkeys(_matching(columns, MARK_PATTERN), NOT_TEXT)
        if not damaged:
            return batch
        first = self._good - batch.num_rows
        for number, reason in sorted(damaged.items()):
            text = self._text(column[number].as_py() for column in columns)
            line = _line(self._row_number(first + number), reason, text)
            self.lines.append(replace(line, line=batch.column(LINE)[number].as_py()))
        kept = [number not in damaged for number in range(batch.num_rows)]
        return batch.filter(pa.array(kept))

    def _with_rows_within(self, columns: Sequence[Any]) -> Iterator[int]:
        """Yield the numbers of the rows with a cell that ends in another row."""
        width, separator = len(self.header.names), f"\\x{{{ord(self.header.separator):x}}}"
        # few columns have line breaks, which are quick to find
        broken = _broken(columns)
        if self.header.names[0] == LETTER_ID:  # our own export, whose rows all begin with an id
            yield from _matching(broken, f'\\n"?[0-9a-f]{{20,}}"?{separator}')
        elif 4 <= width <= _MAX_REPEATED:
            a_row = f"\\n(?:[^\\n{separator}]*{separator}){{{width - 1}}}"
            # what follows a closing mark is text, up to the mark that would really close the cell
            half_a_row = f'(?s)\\n.*{separator}.*"\\z'
            for number in _matching(broken, f"{a_row}|{half_a_row}"):
                cells = [column[number].as_py() or "" for column in columns]
                if any("\n" in cell and ("@" in cell or cell.count('"') % 2) for cell in cells):
                    yield number

    def _row_number(self, good: int) -> int:
        """Return the number of a row that so many rows of the right length precede."""
        number = good + self.header.rows + 1
        return number + bisect_right(self._numbers, number)

    def _rows(self, text: str) -> list[tuple[int, list[str]]]:
        """Return the rows of a text that begins with the second line of a row, each with the number
        of lines between.
        """
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=self.header.separator)
        rows, line = [], 1
        try:
            for cells in reader:
                rows.append((line, cells))
                line = 1 + reader.line_num
        except csv.Error:
            return []
        return [(line, cells) for line, cells in rows if cells]

    def _text(self, cells: Iterable[str | None]) -> str:
        out = io.StringIO(newline="")
        csv.writer(out, delimiter=self.header.separator, lineterminator="").writerow(cells)
        return out.getvalue()


def _line(number: int, reason: str, text: str) -> Line:
    return Line(number, 0, reason, unmarked_bytes(text))


def _broken(columns: Sequence[Any]) -> list[Any]:
    """Return the columns with line breaks in their texts."""
    texts = [(column, column.buffers()[2]) for column in columns]
    return [c for c, text in texts if text is not None and _has_break(text.to_pybytes())]


def _has_break(text: bytes) -> bool:
    return b"\n" in text or b"\r" in text


def _line_breaks(columns: Sequence[Any]) -> pa.Array | None:
    """Return the number of line breaks in each row; None if there are none."""
    breaks = None
    for column in _broken(columns):
        found = [pc.count_substring(column, text) for text in ("\n", "\r", "\r\n")]
        own = pc.fill_null(pc.subtract(pc.add(found[0], found[1]), found[2]), 0).cast(pa.int64())
        breaks = own if breaks is None else pc.add(breaks, own)
    return breaks


def _matching(columns: Sequence[Any], pattern: str) -> list[int]:
    """Return the numbers of the rows in which any cell matches a pattern."""
    masks = [pc.fill_null(pc.match_substring_regex(c, pattern), False) for c in columns]
    found: list[int] = pc.indices_nonzero(reduce(pc.or_, masks)).to_pylist() if masks else []
    return found
