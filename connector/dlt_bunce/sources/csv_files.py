"""CSV files as written by programs and spreadsheets, with every column read as text."""

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
"""The header must lie within this many bytes."""
MAX_ROW_BYTES = 4_194_304
"""Bytes read at a time; no row may be longer."""
_VALUE = re.compile(
    r"\S+@\S+\.\S+|[+(]?[0-9][0-9 ().-]{5,}[0-9]|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
)
"""An email address, a number, or a UUID: found in a customer's row, never in a header."""
_ESCAPED = re.compile(rb'(?:^|[\n,;\t|])"[^"\n]*\\"[^"\r\n,;\t|]')
"""A quoted cell whose first inner quotation mark is escaped by a backslash."""
_SAVE = "Save it as CSV UTF-8 (comma delimited)."


@dataclass(frozen=True)
class Header:
    """The first row of a file: the `names` of all columns ("" for columns that are not read), their
    separator, and whether a dead-letter export wrote the file.
    """

    names: tuple[str, ...]
    separator: str
    exported: bool = False

    @property
    def named(self) -> list[str]:
        """Columns that are read."""
        return [name for name in self.names if name]


class SameColumns:
    """A check that several files have the same columns as the first."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._first = ""

    def check(self, names: list[str], file: str) -> None:
        """Raise SourceError if the columns differ from those of the first file.

        The message has no column names: in a file without a header, they would be values.
        """
        if not self._first:
            self.names, self._first = names, file
        elif set(names) != set(self.names):
            common = len(set(names) & set(self.names))
            raise SourceError(
                f"{file} and {self._first} have different columns: {len(names)} and "
                f"{len(self.names)}, with {common} in common.",
                remedy="Check that the first row of each file is a header. Load files with "
                "different columns separately.",
            )


def is_csv(name: str) -> bool:
    """Return whether a file is CSV by its name; hidden files are not data."""
    return name.lower().endswith(ENDINGS) and not name.startswith((".", "_"))


def columns(file: Path, name: str) -> list[str]:
    """Return the columns of a file called `name`. Raises SourceError for an unreadable header."""
    opened = gzip.open if file.suffix.lower() == ".gz" else open
    try:
        with opened(file, "rb") as content:
            return header(cast("IO[bytes]", content).read(HEAD_BYTES), name).named
    except (OSError, EOFError) as error:
        raise SourceError(f"{name} cannot be read ({type(error).__name__}).") from None


def header(head: bytes, name: str) -> Header:
    """Return the header in the first bytes of a file called `name`.

    The separator is whichever of comma, semicolon, tab, and | gives the most columns; a byte order
    mark is ignored. Raises SourceError for a file that is empty or not UTF-8, for a first row of
    values, and for repeated names.
    """
    # only the first row must be UTF-8 here, and the last character of `head` may be incomplete
    text = codecs.getincrementaldecoder("utf-8-sig")("surrogateescape").decode(head)
    try:
        candidates = [Header(_first_row(text, separator), separator) for separator in _SEPARATORS]
    except csv.Error:
        raise SourceError(f"The header of {name} cannot be read as CSV.", remedy=_SAVE) from None
    best = _without_export_columns(max(candidates, key=lambda candidate: len(candidate.names)))
    if _holds_values(best.named):
        # the names are values of a customer, which must not appear in a message
        raise SourceError(
            f"The first row of {name} is not a header: it contains an email address, a number, or "
            "an id.",
            remedy="Add a first row with the column names.",
        )
    if any(re.search("[\0\ud800-\udfff]", column) for column in best.names):  # NUL: UTF-16
        raise _not_utf8(name)
    if not best.named:
        raise SourceError(f"{name} is empty.", remedy="A CSV file must begin with a header row.")
    repeated = [column for column, count in Counter(best.named).items() if count > 1]
    if repeated:
        raise SourceError(
            f"Column {repeated[0]!r} appears {best.named.count(repeated[0])} times in the header "
            f"of {name}.",
            remedy="Rename or remove all but one of them.",
        )
    return best


def record_batches(file: IO[bytes], rows: int, name: str) -> Iterator[Any]:
    """Yield record batches of at most `rows` rows: all text as written, null for empty cells.

    Blank lines and rows without any value are skipped. Raises SourceError, with the row number but
    none of its values, for text that is not UTF-8, for rows with more or fewer cells than the
    header, and for unclosed quotation marks.
    """
    head = file.read(HEAD_BYTES)
    read = header(head, name)
    # numbered, since several columns may have no name
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
                block_size=MAX_ROW_BYTES,
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
            f'A quotation mark (") in {name} is never closed.',
            remedy="Quote cells that contain a quotation mark, and double the mark inside them, as "
            "spreadsheets do.",
        )


class _Reading(io.RawIOBase):
    """The bytes of a file, ending in a line break; counts quotation marks while reading."""

    def __init__(self, head: bytes, rest: IO[bytes]) -> None:
        self._head, self._rest = head, rest
        self.quotes = 0
        self.escaped = False

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """Read `size` bytes, fewer only at the end."""
        data, self._head = self._head[:size], self._head[size:]
        while len(data) < size and (more := self._rest.read(size - len(data))):
            data += more
        if data and len(data) < size and not data.endswith(b"\n"):
            data += b"\n"  # Arrow does not accept a header without a line break
        self.quotes += data.count(b'"')
        if b'\\"' in data and _ESCAPED.search(data):
            self.escaped = True
        return data


def _first_row(text: str, separator: str) -> tuple[str, ...]:
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    return tuple(name.strip() for name in next((row for row in rows if row), []))


def _holds_values(names: list[str]) -> bool:
    """Return whether a first row is a customer's row, not a header with an unusual name in it."""
    known = {fold(name) for field, aliases in ALIASES.items() for name in (field, *aliases)}
    return any(map(_VALUE.fullmatch, names)) and not any(fold(name) in known for name in names)


def _without_export_columns(full: Header) -> Header:
    """Drop the columns that a dead-letter export adds to the row, except the dead letter's id."""
    if not any(name.startswith(PREFIX) for name in full.names):
        return full
    names = unmarked(pa.array(full.names)).to_pylist()
    kept = ("" if name.startswith(PREFIX) and name != LETTER_ID else name for name in names)
    return Header(tuple(kept), full.separator, exported=True)


def _without_blank_rows(batch: Any) -> Any:
    """Drop rows without values, which spreadsheets write for cells that are only formatted."""
    filled = None
    for column in batch.columns:
        if not column.null_count:
            return batch
        present = pc.is_valid(column)
        filled = present if filled is None else pc.or_(filled, present)
    return batch.filter(filled)


def _escaped(name: str) -> SourceError:
    return SourceError(
        f'{name} is not valid CSV: a quotation mark inside a cell is escaped as \\", as MySQL '
        "does.",
        remedy="Export it with doubled quotation marks. In MySQL: FIELDS ENCLOSED BY '\"' ESCAPED "
        "BY '\"'.",
    )


def _not_utf8(name: str, where: str = "") -> SourceError:
    return SourceError(f"{name} is not UTF-8 text{where}.", remedy=_SAVE)


def _unreadable(name: str, arrow_message: str, ragged: list[Any]) -> SourceError:
    """Return the error for a message of Arrow, which itself may contain values."""
    if ragged:
        row = ragged[0]
        return SourceError(
            f"Row {row.number} of {name} has {row.actual_columns} cells, but the header has "
            f"{row.expected_columns} (the header is row 1; blank lines are not counted).",
            remedy="Quote cells that contain a separator or a line break.",
        )
    if "invalid UTF8" in arrow_message:
        number = re.search(r"Row #([0-9]+)", arrow_message)
        return _not_utf8(name, f" in row {number[1]}" if number else "")
    return SourceError(
        f"{name} cannot be read as CSV: a row is longer than {MAX_ROW_BYTES:,} bytes.",
        remedy="Check for a quotation mark that is never closed.",
    )
