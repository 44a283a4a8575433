"""JSON files: one object per line, or one list of objects, read a part at a time."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from typing import IO, Any

import pyarrow as pa

from dlt_bunce.errors import SourceError
from dlt_bunce.records.row_origin import with_lines as numbered
from dlt_bunce.records.rows import typed_table
from dlt_bunce.records.text.not_text import marked
from dlt_bunce.sources.encodings import Utf8, unmarked_bytes
from dlt_bunce.sources.unreadable_lines import Line, Part, with_lines

_BLOCK_CHARACTERS = 1_048_576
_MAX_OBJECT = 4_194_304
"""Characters that an object of a list may have."""
_BETWEEN = re.compile(r"[\s,]*")
_HALF = re.compile(r"\\u[dD][89a-fA-F]")
"""How JSON escapes half a character, and a character as two halves."""
_NO_OBJECT = "it is not a JSON object"


def tables(
    file: IO[bytes],
    rows: int,
    name: str,
    kinds: dict[str, pa.DataType],
    encoding: str | None = None,
    note: Callable[[str], None] = lambda _note: None,
) -> Iterator[Any]:
    """Yield tables of at most `rows` rows, in which each column has one of `kinds`; new columns
    are added to `kinds`.

    A line that is no JSON object becomes a row of the column UNREADABLE. Raises SourceError if
    there are many of them, and for a file that is one object.
    """
    text = io.TextIOWrapper(io.BufferedReader(Utf8(file, name, encoding, note)), "utf-8-sig")
    start = text.read(_BLOCK_CHARACTERS)
    if start.lstrip().startswith("["):
        found = _of_list(start, text, name)
    else:
        found = _of_lines(start, text, name)
    remedy = "Each line must be one JSON object, or the file one list of objects."
    yield from with_lines(_parts(found, rows, kinds), name, remedy)


def _parts(
    found: Iterator[tuple[int, dict[str, Any]] | Line], rows: int, kinds: dict[str, pa.DataType]
) -> Iterator[Part]:
    objects: list[dict[str, Any]] = []
    numbers: list[int] = []
    lines: list[Line] = []
    for item in found:
        if isinstance(item, Line):
            lines.append(item)
        else:
            numbers.append(item[0])
            objects.append(item[1])
        if len(objects) + len(lines) >= rows:
            yield Part(_table(objects, numbers, kinds), lines)
            objects, numbers, lines = [], [], []
    yield Part(_table(objects, numbers, kinds), lines)


def _table(
    objects: list[dict[str, Any]], numbers: list[int], kinds: dict[str, pa.DataType]
) -> pa.Table:
    names = dict.fromkeys(name for row in objects for name in row)
    table = typed_table({name: [row.get(name) for row in objects] for name in names}, kinds)
    return numbered(table, pa.array(numbers, pa.int64())) if objects else table


def _of_lines(start: str, rest: Any, name: str) -> Iterator[tuple[int, dict[str, Any]] | Line]:
    """Yield the number and the object of each line, or the line."""
    head = start.split("\n", 1)[0]
    number = 0
    for line in _lines(start, rest):
        number += 1
        if not line.strip():
            continue
        try:
            item = json.loads(line)
        except ValueError:
            if number == 1 and head.strip() in {"{", "{}"}:
                raise _one_object(name) from None
            item = None
        if number == 1 and isinstance(item, dict) and _is_envelope(item):
            raise _one_object(name)
        if isinstance(item, dict) and item:
            yield number, marked(item) if _HALF.search(line) else item
        else:
            yield Line(number, number, _NO_OBJECT, unmarked_bytes(line.rstrip("\r\n")))


def _lines(start: str, rest: Any) -> Iterator[str]:
    *whole, last = start.split("\n")
    yield from whole
    yield last + rest.readline()
    yield from rest


def _is_envelope(item: dict[str, Any]) -> bool:
    """Return whether an object is the reply of an API that contains a list of others."""
    lists = [value for value in item.values() if isinstance(value, list)]
    return any(len(value) > 1 and all(isinstance(o, dict) for o in value) for value in lists) and (
        not any(isinstance(v, str) and "@" in v for v in item.values())
    )


def _one_object(name: str) -> SourceError:
    return SourceError(
        f"{name} is one JSON object, not a list of customers.",
        remedy="Take the list out of it, such as with: jq -c '.customers[]' in.json > out.jsonl.",
    )


def _of_list(start: str, rest: Any, name: str) -> Iterator[tuple[int, dict[str, Any]] | Line]:
    """Yield the objects of a list with their numbers; only a part of it is held."""
    decode = json.JSONDecoder().raw_decode
    buffer, position = start.lstrip()[1:], 0
    number = 0
    while True:
        position = _BETWEEN.match(buffer, position).end()  # type: ignore[union-attr]
        if buffer.startswith("]", position):
            return
        first = position
        try:
            item, position = decode(buffer, first)
        except ValueError:
            more = rest.read(_BLOCK_CHARACTERS)
            buffer, position = buffer[position:] + more, 0
            if not more or len(buffer) > _MAX_OBJECT + _BLOCK_CHARACTERS:
                raise SourceError(
                    f"{name} cannot be read as JSON after object {number:,} of its list.",
                    remedy="Correct or write it again, or save it with one JSON object per line, "
                    "of which single bad ones are left out.",
                ) from None
            continue
        number += 1
        if isinstance(item, dict) and item:
            yield number, marked(item) if _HALF.search(buffer, first, position) else item
        else:
            yield Line(number, number, _NO_OBJECT, json.dumps(item))
