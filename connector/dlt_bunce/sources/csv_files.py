"""CSV files as programs and spreadsheets write them: text in every column."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from dlt_bunce.errors import SourceError
from dlt_bunce.records.cells import LETTER_ID, PREFIX, unmarked
from dlt_bunce.records.schema import ALIASES, fold

ENDINGS = (".csv", ".csv.gz")
_SEPARATORS = ",;\t|"
HEAD_BYTES = 65_536
"""The header lies within so many bytes."""
_BLOCK_BYTES = 4_194_304
"""Bytes read at a time; no row is longer."""
_VALUE = re.compile(
    r"\S+@\S+\.\S+|[+(]?[0-9][0-9 ().-]{5,}[0-9]|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
)
"""What stands in a customer's row and names no column."""
_ESCAPED = re.compile(rb'(?:^|[\n,;\t|])"[^"\n]*\\"[^"\r\n,;\t|]')
"""A cell in quotes whose first mark has a backslash and closes nothing."""
_SAVE = "Save it as CSV UTF-8 (comma delimited)."


@dataclass(frozen=True)
class Header:
    """What the first row says: the `names` of all columns, "" for those that are not read, by what
    they are separated, and whether a dead-letter export has written them.
    """

    names: tuple[str, ...]
    separator: str
    exported: bool = False

    @property
    def named(self) -> list[str]:
        """The columns that are read."""
        return [name for name in self.names if name]


class SameColumns:
    """Holds the columns of the first of several files against those of the others."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._first = ""

    def check(self, names: list[str], file: str) -> None:
        """Raises SourceError, without a name of a column: it may be a value where a header is
        missing.
        """
        if not self._first:
            self.names, self._first = names, file
        elif set(names) != set(self.names):
            common = len(set(names) & set(self.names))
            raise SourceError(
                f"{file} has other columns than {self._first}: {len(names)} and "
                f"{len(self.names)}, of which {common} have the same names.",
                remedy="See whether the first row of each holds the names of the columns; files "
                "of different columns are loaded one after the other.",
            )


def is_csv(name: str) -> bool:
    """Whether a file is CSV by its name; hidden ones are no data."""
    return name.lower().endswith(ENDINGS) and not name.startswith((".", "_"))


def columns(file: Path, name: str) -> list[str]:
    """The columns of a file called `name`. Raises SourceError for a header that cannot be read."""
    opened = gzip.open if file.suffix.lower() == ".gz" else open
    try:
        with opened(file, "rb") as content:
            return header(cast("IO[bytes]", content).read(HEAD_BYTES), name).named
    except (OSError, EOFError) as error:
        raise SourceError(f"{name} cannot be read ({type(error).__name__}).") from None


def header(head: bytes, name: str) -> Header:
    """The header in the first bytes of a file called `name`: with a byte order mark or without,
    separated by whichever of comma, semicolon, tab, and bar gives the most columns.

    Raises SourceError for a file that is empty or not UTF-8, and for a name that stands twice.
    """
    # bytes that are not UTF-8 matter here in the first row only, and the last may be cut
    text = codecs.getincrementaldecoder("utf-8-sig")("surrogateescape").decode(head)
    try:
        found = [Header(_first_row(text, separator), separator) for separator in _SEPARATORS]
    except csv.Error:
        raise SourceError(f"The header of {name} cannot be read as CSV.", remedy=_SAVE) from None
    best = _of_export(max(found, key=lambda one: len(one.names)))
    if _holds_values(best.named):
        # the names are values of a customer: none of them may be told
        raise SourceError(
            f"The first row of {name} is not the names of its columns: it holds an address, a "
            "number, or an id.",
            remedy="Write the names of the columns into the first row.",
        )
    if any(re.search("[\0\ud800-\udfff]", column) for column in best.names):  # NUL: UTF-16
        raise _not_utf8(name)
    if not best.named:
        raise SourceError(
            f"{name} is empty.", remedy="A CSV file begins with the names of its columns."
        )
    twice = [column for column, count in Counter(best.named).items() if count > 1]
    if twice:
        raise SourceError(
            f"Column {twice[0]!r} stands {best.named.count(twice[0])} times in the header of "
            f"{name}.",
            remedy="Rename or remove all but one of them.",
        )
    return best


def record_batches(file: IO[bytes], rows: int, name: str) -> Iterator[Any]:
    """Record batches of at most `rows`, all text as it is written, null for an empty cell.

    Rows without a single value are left out, as blank lines are. Raises SourceError, with the
    number of the row and none of its values, for what is not UTF-8, for rows with more or fewer
    cells than the header, and for quotes that do not close.
    """
    head = file.read(HEAD_BYTES)
    read = header(head, name)
    # numbered, since columns without a name may be many
    numbers = [str(number) for number in range(len(read.names))]
    chosen = [number for number, column in zip(numbers, read.names, strict=True) if column]
    bytes_read = _Reading(head, file)
    ragged: list[Any] = []

    def refuse(row: Any) -> str:
        ragged.append(row)
        return "error"

    try:
        with arrow_csv.open_csv(
            pa.PythonFile(bytes_read, "r"),
            arrow_csv.ReadOptions(
                use_threads=False,
                block_size=_BLOCK_BYTES,
                column_names=numbers,
                skip_rows_after_names=1,
            ),
            arrow_csv.ParseOptions(
                delimiter=read.separator, newlines_in_values=True, invalid_row_handler=refuse
            ),
            arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(numbers, pa.string()),
                include_columns=chosen,
                null_values=[""],
                strings_can_be_null=True,
            ),
        ) as batches:
            for batch in batches:
                if bytes_read.escaped:
                    raise _escaped(name)
                cells = [unmarked(c) for c in batch.columns] if read.exported else batch.columns
                named = pa.RecordBatch.from_arrays(cells, names=read.named)
                filled = _without_blank_rows(named)
                for start in range(0, filled.num_rows, rows):
                    yield filled.slice(start, rows)
    except pa.ArrowInvalid as error:
        if bytes_read.escaped:
            raise _escaped(name) from None
        raise _unreadable(name, str(error), ragged) from None
    if bytes_read.quotes % 2:
        raise SourceError(
            f'A quotation mark (") of {name} opens and does not close.',
            remedy="Quote cells that hold one, and write it twice there, as spreadsheets do.",
        )


class _Reading(io.RawIOBase):
    """The bytes of a file, ending in a line break, with their quotation marks counted."""

    def __init__(self, head: bytes, rest: IO[bytes]) -> None:
        self._head, self._rest = head, rest
        self.quotes = 0
        self.escaped = False

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """`size` bytes, fewer at the end only."""
        data, self._head = self._head[:size], self._head[size:]
        while len(data) < size and (more := self._rest.read(size - len(data))):
            data += more
        if data and len(data) < size and not data.endswith(b"\n"):
            data += b"\n"  # Arrow does not take a header without one
        self.quotes += data.count(b'"')
        if b'\\"' in data and _ESCAPED.search(data):
            self.escaped = True
        return data


def _first_row(text: str, separator: str) -> tuple[str, ...]:
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    return tuple(name.strip() for name in next((row for row in rows if row), []))


def _holds_values(names: list[str]) -> bool:
    """Whether a first row is a customer's, and not a header with an unusual name in it."""
    known = {fold(alias) for field, more in ALIASES.items() for alias in (field, *more)}
    return any(map(_VALUE.fullmatch, names)) and not any(fold(name) in known for name in names)


def _of_export(found: Header) -> Header:
    """Without what the export of dead letters says of a row beside the row itself."""
    if not any(name.startswith(PREFIX) for name in found.names):
        return found
    names = unmarked(pa.array(found.names)).to_pylist()
    kept = ("" if n.startswith(PREFIX) and n != LETTER_ID else n for n in names)
    return Header(tuple(kept), found.separator, exported=True)


def _without_blank_rows(batch: Any) -> Any:
    """Spreadsheets write rows of separators alone where a cell was only formatted."""
    filled = None
    for column in batch.columns:
        if not column.null_count:
            return batch
        there = pc.is_valid(column)
        filled = there if filled is None else pc.or_(filled, there)
    return batch.filter(filled)


def _escaped(name: str) -> SourceError:
    return SourceError(
        f'{name} is not CSV: a quotation mark within a cell is written as \\", as MySQL does.',
        remedy="Export it with marks doubled: in MySQL FIELDS ENCLOSED BY '\"' ESCAPED BY '\"'.",
    )


def _not_utf8(name: str, where: str = "") -> SourceError:
    return SourceError(f"{name} is not UTF-8 text{where}.", remedy=_SAVE)


def _unreadable(name: str, said: str, ragged: list[Any]) -> SourceError:
    """The error for what Arrow says, whose own words may hold values."""
    if ragged:
        row = ragged[0]
        return SourceError(
            f"Row {row.number} of {name} has {row.actual_columns} cells, the header has "
            f"{row.expected_columns} (the header is row 1, blank lines do not count).",
            remedy="Quote cells that hold a separator or a line break.",
        )
    if "invalid UTF8" in said:
        number = re.search(r"Row #([0-9]+)", said)
        return _not_utf8(name, f" in row {number[1]}" if number else "")
    return SourceError(
        f"{name} cannot be read as CSV: a row is longer than {_BLOCK_BYTES:,} bytes.",
        remedy="A quotation mark that opens a cell and is not closed looks like that.",
    )
