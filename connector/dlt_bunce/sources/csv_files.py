"""CSV files as written by programs and spreadsheets, with every column read as text."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from dlt_bunce.errors import SourceError
from dlt_bunce.records.cells import MAX_ROW_BYTES, unmarked
from dlt_bunce.records.row_origin import LINE
from dlt_bunce.sources.csv_header import Header, header
from dlt_bunce.sources.csv_rows import Damage
from dlt_bunce.sources.encodings import Utf8
from dlt_bunce.sources.unreadable_lines import Part, with_lines

HEAD_BYTES = 65_536
"""The header must lie within this many bytes."""
_END_OF_FILE = b"\x1a"
"""What programs of DOS end a file with."""
_ESCAPED = re.compile(rb'(?:^|[\n,;\t|])"[^"\n]*\\"[^"\r\n,;\t|]')
"""A quoted cell whose first inner quotation mark is escaped by a backslash."""
_WRONG_DIALECT = (
    "Quote cells that contain a separator or a line break, and double quotation marks inside them. "
    "If the file has another encoding, pass it, such as --encoding cp1252."
)

Note = Callable[[str], None]


def columns(file: IO[bytes], name: str, encoding: str | None = None) -> list[str]:
    """Return the columns of a file called `name`. Raises SourceError for an unreadable header."""
    return _read_header(file, name, encoding, lambda _note: None)[0].named


def record_batches(
    file: IO[bytes],
    rows: int,
    name: str,
    encoding: str | None = None,
    note: Note = lambda _note: None,
) -> Iterator[Any]:
    """Yield record batches of at most `rows` rows: all text as written, null for empty cells.

    Blank lines and rows without any value are skipped. A line with more or fewer cells than the
    header, or with bytes that are not text, becomes a row of the column UNREADABLE. Raises
    SourceError, with the row number but none of its values, if there are many of them, and for
    unclosed quotation marks.
    """
    read, text = _read_header(file, name, encoding, note)
    for batch in with_lines(_parts(read, text, name), name, _WRONG_DIALECT):
        for start in range(0, batch.num_rows, rows):
            yield batch.slice(start, rows)


def _read_header(
    file: IO[bytes], name: str, encoding: str | None, note: Note
) -> tuple[Header, _Text]:
    utf8 = Utf8(file, name, encoding, note)
    head = utf8.read(HEAD_BYTES)
    # the last character may be incomplete
    read = header(head.decode(errors="ignore").removeprefix("\ufeff"), name)
    return read, _Text(head.removeprefix(b"\xef\xbb\xbf")[read.skipped :], utf8)


def _parts(read: Header, text: _Text, name: str) -> Iterator[Part]:
    # numbered, since several columns may have no name
    numbers = [str(number) for number in range(len(read.names))]
    chosen = [number for number, column in enumerate(read.names) if column]
    damage = Damage(read)
    last: list[str | None] = []
    try:
        with arrow_csv.open_csv(
            pa.PythonFile(text, "r"),
            arrow_csv.ReadOptions(
                use_threads=False,
                block_size=MAX_ROW_BYTES,
                column_names=numbers,
                skip_rows_after_names=read.rows,
            ),
            arrow_csv.ParseOptions(
                delimiter=read.separator,
                newlines_in_values=True,
                ignore_empty_lines=False,  # they count, and go as rows without values do
                invalid_row_handler=damage.skip,
            ),
            arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(numbers, pa.string()),
                null_values=[""],
                strings_can_be_null=True,
            ),
        ) as batches:
            for batch in batches:
                if text.escaped:
                    raise _escaped(name)
                lines = damage.lines_of(batch, quoted=text.quotes > 0)
                cells = [batch.column(number) for number in chosen]
                if batch.num_rows:
                    last = [cell[-1].as_py() for cell in cells]
                cells = [unmarked(cell) for cell in cells] if read.exported else cells
                rows = pa.RecordBatch.from_arrays([*cells, lines], names=[*read.named, LINE])
                rows = damage.without_damaged(rows, marked=text.marked, quoted=text.quotes > 0)
                yield from _taken(_without_blank_rows(rows), damage)
    except pa.ArrowInvalid:
        if text.escaped:
            raise _escaped(name) from None
        raise SourceError(
            f"{name} cannot be read as CSV: a row is longer than {MAX_ROW_BYTES:,} bytes.",
            remedy="Check for a quotation mark that is never closed.",
        ) from None
    if text.quotes % 2 and any((cell or "").endswith("\n") for cell in last):
        raise SourceError(
            f'A quotation mark (") in the last rows of {name} is never closed.',
            remedy=_WRONG_DIALECT,
        )
    damage.finish()
    yield from _taken(None, damage)


def _taken(rows: Any, damage: Damage) -> Iterator[Part]:
    lines, recovered = damage.take()
    yield Part(recovered if rows is None else rows, lines)
    if rows is not None and recovered.num_rows:
        yield Part(recovered)


class _Text(io.RawIOBase):
    """The text of a file, ending in a line break; counts quotation marks while reading."""

    def __init__(self, head: bytes, rest: Utf8) -> None:
        self._head, self._rest = head, rest
        self.quotes = 0
        self.escaped = False

    def readable(self) -> bool:
        return True

    @property
    def marked(self) -> bool:
        """Whether bytes that are not text were read."""
        return self._rest.marked

    def read(self, size: int = -1) -> bytes:
        """Read `size` bytes, fewer only at the end."""
        data, self._head = self._head[:size], self._head[size:]
        if len(data) < size:
            data += self._rest.read(size - len(data))
        if data.endswith(_END_OF_FILE) and not self._head:
            self._head = self._rest.read(1)
            if not self._head:
                data = data.removesuffix(_END_OF_FILE)
        if data and len(data) < size and not data.endswith(b"\n"):
            data += b"\n"  # Arrow does not accept a header without a line break
        self.quotes += data.count(b'"')
        if b'\\"' in data and _ESCAPED.search(data):
            self.escaped = True
        return data


def _without_blank_rows(batch: Any) -> Any:
    """Drop rows without values, which spreadsheets write for cells that are only formatted."""
    filled = None
    for column in batch.columns[:-1]:  # the last is their line
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
