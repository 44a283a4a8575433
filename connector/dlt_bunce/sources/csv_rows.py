"""Rows of a CSV file that are damaged: told apart from good ones, with the good ones among them."""

from __future__ import annotations

import csv
import io
import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.sources.encodings import MARK_PATTERN, unmarked_bytes
from dlt_bunce.sources.unreadable_lines import Line

NOT_TEXT = "it contains bytes that are not text in the file's encoding (--encoding sets another)"
NOT_CLOSED = "a quotation mark in it is not closed"
_MAX_REPEATED = 1_000
"""Repetitions that a regular expression of Arrow may have."""


@dataclass
class Damage:
    """What is damaged in a file with these `columns` ("" for those that are not read)."""

    columns: Sequence[str]
    separator: str
    lines: list[Line] = field(default_factory=list)
    recovered: list[list[str]] = field(default_factory=list)
    _good: int = 0
    # for each ragged row, the number of its row without ragged rows before it
    _ragged: list[int] = field(default_factory=list)

    def skip(self, row: Any) -> str:
        """Keep a row that Arrow says has too many or too few cells.

        Where a quotation mark is not closed, the rows after it are part of the row: those are
        recovered.
        """
        self._ragged.append(row.number - len(self._ragged))
        first, *rest = re.split(r"\r\n|\r|\n", row.text)
        rows = self._rows("\n".join(rest)) if first.count('"') % 2 else []
        complete = [cells for cells in rows if self._is_complete(cells)]
        if not complete:
            reason = f"it has {row.actual_columns} cells, but the header has {row.expected_columns}"
            self._add(row.number, reason, row.text)
            return "skip"
        self._add(row.number, NOT_CLOSED, first)
        self.recovered += complete
        for cells in rows:
            if not self._is_complete(cells):
                self._add(row.number, "a row before it is not closed", self._text(cells))
        return "skip"

    def _is_complete(self, cells: Sequence[str]) -> bool:
        is_text = not re.search(MARK_PATTERN, "".join(cells))
        return is_text and len(cells) == len(self.columns)

    def take(self) -> tuple[list[Line], Any]:
        """Return the damaged lines and the recovered rows since the last call."""
        lines, self.lines = self.lines, []
        rows, self.recovered = self.recovered, []
        kept = {
            name: pa.array([cells[number] or None for cells in rows], pa.string())
            for number, name in enumerate(self.columns)
            if name
        }
        return lines, pa.RecordBatch.from_pydict(kept)

    def without_damaged(self, batch: Any, *, marked: bool, quoted: bool) -> Any:
        """Return a batch without rows that contain other rows or bytes that are not text."""
        damaged: dict[int, str] = {}
        if quoted and 4 <= len(self.columns) <= _MAX_REPEATED:
            separator = f"\\x{{{ord(self.separator):x}}}"
            a_row = f"\\n(?:[^\\n{separator}]*{separator}){{{len(self.columns) - 1}}}"
            # what follows a closing mark is text, up to the mark that would really close the cell
            half_a_row = f'(?s)\\n.*{separator}.*"\\z'
            # few columns have line breaks, which are quick to find
            broken = [c for c in batch.columns if pc.any(pc.match_substring(c, "\n")).as_py()]
            for number in _matching(broken, f"{a_row}|{half_a_row}"):
                cells = [cell or "" for cell in batch.slice(number, 1).to_pylist()[0].values()]
                if any("\n" in cell and ("@" in cell or cell.count('"') % 2) for cell in cells):
                    damaged[number] = NOT_CLOSED
        if marked:
            damaged |= dict.fromkeys(_matching(batch.columns, MARK_PATTERN), NOT_TEXT)
        first, self._good = self._good, self._good + batch.num_rows
        if not damaged:
            return batch
        for number, reason in sorted(damaged.items()):
            text = self._text(batch.slice(number, 1).to_pylist()[0].values())
            self._add(self._row_number(first + number), reason, text)
        kept = [number not in damaged for number in range(batch.num_rows)]
        return batch.filter(pa.array(kept))

    def _row_number(self, good: int) -> int:
        """Return the number of a row that so many rows of the right length precede."""
        number = good + 2  # the header is row 1
        return number + bisect_right(self._ragged, number)

    def _add(self, number: int, reason: str, text: str) -> None:
        self.lines.append(Line(number, reason, unmarked_bytes(text)))

    def _rows(self, text: str) -> list[list[str]]:
        try:
            rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=self.separator))
        except csv.Error:
            return []
        return [cells for cells in rows if cells]

    def _text(self, cells: Iterable[str | None]) -> str:
        out = io.StringIO(newline="")
        csv.writer(out, delimiter=self.separator, lineterminator="").writerow(cells)
        return out.getvalue()


def _matching(columns: Sequence[Any], pattern: str) -> list[int]:
    """Return the numbers of the rows in which any cell matches a pattern."""
    masks = [pc.fill_null(pc.match_substring_regex(c, pattern), False) for c in columns]
    found: list[int] = pc.indices_nonzero(reduce(pc.or_, masks)).to_pylist() if masks else []
    return found
