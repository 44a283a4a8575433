"""The header of a CSV file: its separator and the names of its columns."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from dlt_bunce.errors import SourceError
from dlt_bunce.records.cells import LETTER_ID, PREFIX, unmarked
from dlt_bunce.records.mapping.exports import known_names
from dlt_bunce.records.mapping.schema import ALIASES, fold
from dlt_bunce.records.row_origin import FILE, LINE
from dlt_bunce.sources.encodings import MARK_PATTERN

_KNOWN = known_names(ALIASES)
_SEPARATORS = ",;\t|"
_SEP_LINE = re.compile(r"\A[\r\n]*\"?sep=(.)\"?\s*?(?:\r\n|\r|\n|\Z)", re.IGNORECASE)
"""The first line by which Excel is told the separator."""
LINE_BREAK = re.compile(r"\r\n|\r|\n")
_VALUE = re.compile(
    r"\S+@\S+\.\S+|[+(]?[0-9][0-9 ().-]{5,}[0-9]|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
)
"""An email address, a number, or a UUID: found in a customer's row, never in a header."""


@dataclass(frozen=True)
class Header:
    """The first row of a file: the `names` of all columns ("" for columns that are not read), their
    separator, whether a dead-letter export wrote the file, and the characters before the header.

    The header is the last of so many `rows` after these characters, blank ones included, and ends
    with line `lines` of the file.
    """

    names: tuple[str, ...]
    separator: str
    exported: bool = False
    skipped: int = 0
    rows: int = 1
    lines: int = 1

    @property
    def named(self) -> list[str]:
        """Columns that are read."""
        return [name for name in self.names if name]


class SameColumns:
    """A check that several files have the same columns as the first."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._first = ""

    def check(self, names: Sequence[str], file: str) -> None:
        """Raise SourceError if the columns differ from those of the first file.

        The message has no column names: in a file without a header, they would be values.
        """
        if not self._first:
            self.names, self._first = list(names), file
        elif set(names) != set(self.names):
            common = len(set(names) & set(self.names))
            raise SourceError(
                f"{file} and {self._first} have different columns: {len(names)} and "
                f"{len(self.names)}, with {common} in common.",
                remedy="Check that the first row of each file is a header. Load files with "
                "different columns separately.",
            )


def header(text: str, name: str) -> Header:
    """Return the header at the beginning of a file called `name`.

    The separator is the one in a first line such as `sep=;`, or else whichever of comma, semicolon,
    tab, and | gives the most columns. Raises SourceError for a file that is empty, for a first row
    of values, and for repeated names of columns that may be read.
    """
    told = _SEP_LINE.match(text)
    skipped = told.end() if told else 0
    rest = text[skipped:]
    try:
        candidates = [
            _first_row(rest, separator) for separator in (told[1] if told else _SEPARATORS)
        ]
    except csv.Error:
        raise SourceError(
            f"The header of {name} cannot be read as CSV.",
            remedy="Save it as CSV UTF-8 (comma delimited).",
        ) from None
    best = _without_export_columns(max(candidates, key=lambda candidate: len(candidate.names)))
    if any(re.search(f"[\0]|{MARK_PATTERN}", column) for column in best.names):
        raise SourceError(
            f"The header of {name} is not text.",
            remedy="Pass the file's encoding, such as --encoding cp1252 or --encoding utf-16-le.",
        )
    before = len(LINE_BREAK.findall(text, 0, skipped))
    names = column_names(best.names, name)
    return replace(best, names=names, skipped=skipped, lines=before + best.lines)


def column_names(names: Sequence[str], file: str) -> tuple[str, ...]:
    """Return the names of a file's columns, of which those that are repeated get a number.

    Raises SourceError if there is no name, if a name is a value of a customer, and if a name by
    which a column is mapped is repeated.
    """
    given = [name for name in names if name]
    if _holds_values(given):
        # the names are values of a customer, which must not appear in a message
        raise SourceError(
            f"The first row of {file} is not a header: it contains an email address, a number, or "
            "an id.",
            remedy="Add a first row with the column names.",
        )
    if not given:
        raise SourceError(f"{file} is empty.", remedy="A file must begin with a header row.")
    counts = Counter(given)
    for column, count in counts.items():
        if count > 1 and fold(column) in _KNOWN:
            raise SourceError(
                f"Column {column!r} appears {count} times in the header of {file}.",
                remedy="Rename or remove all but one of them.",
            )
    numbers = Counter[str]()
    numbered = []
    for column in names:
        numbers[column] += 1
        repeated = column and counts[column] > 1
        numbered.append(f"{column} ({numbers[column]})" if repeated else column)
    return tuple(numbered)


def _first_row(text: str, separator: str) -> Header:
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    number, first = next(((n, row) for n, row in enumerate(rows, start=1) if row), (1, []))
    names = (name.strip() for name in first)
    kept = tuple("" if name in {FILE, LINE} else name for name in names)
    return Header(kept, separator, rows=number, lines=rows.line_num)


def _holds_values(names: list[str]) -> bool:
    """Return whether a first row is a customer's row, not a header with an unusual name in it."""
    return any(map(_VALUE.fullmatch, names)) and not any(fold(name) in _KNOWN for name in names)


def _without_export_columns(full: Header) -> Header:
    kept = columns_of_export(full.names)
    return full if kept is None else replace(full, names=kept, exported=True)


def columns_of_export(names: Sequence[str]) -> tuple[str, ...] | None:
    """Return the columns of a dead-letter export, None for any other file: "" in place of those
    that it adds to the row, except the dead letter's id.
    """
    if not any(name.startswith(PREFIX) for name in names):
        return None
    own: list[str] = unmarked(pa.array(names)).to_pylist()
    return tuple("" if name.startswith(PREFIX) and name != LETTER_ID else name for name in own)
