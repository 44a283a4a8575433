"""Dead letters as a spreadsheet that a person corrects and `load` reads back."""

from __future__ import annotations

import codecs
import contextlib
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
from pyarrow import csv as arrow_csv

from dlt_bunce.cli.dead_letters.value_cells import Records, moment_columns, value_cells
from dlt_bunce.errors import MappingError
from dlt_bunce.records.cells import LETTER_ID, MAX_ROW_BYTES, PREFIX, marked, texts_of
from dlt_bunce.records.mapping.mapping import VERSION, resolve_mapping
from dlt_bunce.records.mapping.paths import column_of_path
from dlt_bunce.records.mapping.schema import FIELDS, ColumnNames, listed, names_of
from dlt_bunce.records.row_origin import told
from dlt_bunce.reject_codes import REJECT_CODES
from dlt_bunce.store.runs.mappings import reader_of

_FRONT = [LETTER_ID]
_FRONT += [PREFIX + name for name in ("code", "field", "message", "remedy", "source")]
_ROWS = 1_000
_Run = tuple[str, str, str]

Mappings = Callable[[str, str, str], Mapping[str, ColumnNames]]
"""Return the mapping (field or "version" to columns) of a table in a run, by run id, pipeline name,
and table name.
"""


@dataclass
class Spreadsheet:
    """What was written.

    `without_row` counts dead letters left out because they hold no row, `too_long` those whose row
    `load` could not read back from CSV. `mapping` is what `load`
    needs to read the file back: field or "version" to column. `renamed` is true when the runs of
    the dead letters mapped columns differently, so that columns are named after Bunce's fields.
    """

    letters: int = 0
    without_row: int = 0
    too_long: int = 0
    mapping: dict[str, ColumnNames] = field(default_factory=dict)
    renamed: bool = False


@contextlib.contextmanager
def writing(
    file: Path,
    written: Spreadsheet,
    mapping_of: Mappings,
    separator: str = ",",
    records: Records = lambda *_: "{}",
) -> Iterator[Callable[[list[dict[str, Any]]], None]]:
    """Yield a function that takes pages of dead letters; write the file if the block succeeds.

    Six columns about the dead letter come first, then the columns of the rows' sources. Until all
    of those are known, the dead letters are buffered in a temporary file.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8", dir=file.parent) as waiting:
        runs: dict[_Run, dict[str, ColumnNames]] = {}
        columns: dict[_Run, dict[str, None]] = {}

        def put(page: list[dict[str, Any]]) -> None:
            for letter, values in zip(page, value_cells(page, records), strict=True):
                if letter["source_row"] is None:
                    written.without_row += 1
                    continue
                run = (*reader_of(letter), letter["table_name"])
                if run not in runs:
                    runs[run], columns[run] = dict(mapping_of(*run)), {}
                fields = {column: names[0] for column, names in _fields(runs[run]).items()}
                cells = texts_of(letter["source_row"], letter["code"], fields)
                kept = {*fields, *names_of(runs[run].get(VERSION, ()))}
                cells |= {name: text for name, text in values.items() if name not in kept}
                moments = moment_columns(letter, records)
                cells |= {c: None for c, name in fields.items() if c in moments & cells.keys()}
                about = _about(letter)
                if _bytes_of([*about, *cells.values()]) > MAX_ROW_BYTES:
                    written.too_long += 1
                    continue
                columns[run].update(dict.fromkeys(cells))
                waiting.write(json.dumps([about, run, cells]) + "\n")
                written.letters += 1

        yield put
        agreed = _agreed(runs.values())
        written.renamed = agreed is None
        names = {
            run: {c: [c] if agreed is not None else _own_names(c, runs[run]) for c in found}
            for run, found in columns.items()
        }
        own = (name for names_of_run in names.values() for name in names_of_run.values())
        shown = list(dict.fromkeys(chain.from_iterable(own)))
        mapping = _numbered(runs.values()) if agreed is None else agreed
        written.mapping = _explicit(shown, mapping) | _version(runs.values(), shown)
        waiting.seek(0)
        _write(file, shown, _rows(waiting, names), separator)


def _about(letter: Mapping[str, Any]) -> list[str | None]:
    known = REJECT_CODES.get(letter["code"])
    about = [letter[name] for name in ("id", "code", "field", "message")]
    place = told(letter["source"], letter["source_line"])
    return [*about, known.remedy if known else None, place]


def _bytes_of(cells: Iterable[str | None]) -> int:
    """Return how many bytes a row takes in CSV at most: quoted, with a separator and an escape."""
    return sum(len((cell or "").encode()) + (cell or "").count('"') + 4 for cell in cells)


def _rows(
    waiting: IO[str], names: Mapping[_Run, Mapping[str, Sequence[str]]]
) -> Iterator[dict[str, str | None]]:
    for line in waiting:
        about, run, cells = json.loads(line)
        own = names[run[0], run[1], run[2]]
        row = {name: text for column, text in cells.items() for name in own[column]}
        yield row | dict(zip(_FRONT, about, strict=True))


def _write(
    file: Path, columns: list[str], rows: Iterator[dict[str, str | None]], separator: str
) -> None:
    names = [*_FRONT, *columns]
    schema = pa.schema([(name, pa.string()) for name in marked(pa.array(names)).to_pylist()])
    with file.open("wb") as out:
        out.write(codecs.BOM_UTF8)  # without it Excel garbles accented letters
        options = arrow_csv.WriteOptions(delimiter=separator)
        with arrow_csv.CSVWriter(out, schema, write_options=options) as writer:
            while part := list(islice(rows, _ROWS)):
                cells = [pa.array([row.get(name) for row in part], pa.string()) for name in names]
                arrays = [marked(column) for column in cells]
                writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


def _fields(mapping: Mapping[str, ColumnNames]) -> dict[str, list[str]]:
    """Return column to the fields that it feeds; the second column of a field feeds phone_no_2."""
    fields: dict[str, list[str]] = {}
    for name, given in mapping.items():
        for number, column in enumerate(names_of(given) if name != VERSION else (), start=1):
            fields.setdefault(column, []).append(_numbered_name(name, number))
    return fields


def _numbered_name(name: str, number: int) -> str:
    return name if number == 1 else f"{name}_{number}"


def _numbered(mappings: Iterable[Mapping[str, ColumnNames]]) -> dict[str, ColumnNames]:
    """Return the mapping of columns that are named after the fields that they feed."""
    most: dict[str, int] = {}
    for mapping in mappings:
        for name, columns in mapping.items():
            most[name] = max(most.get(name, 1), len(names_of(columns)))
    most.pop(VERSION, None)
    return {
        name: listed([_numbered_name(name, number) for number in range(1, count + 1)])
        for name, count in most.items()
    }


def _agreed(mappings: Iterable[Mapping[str, ColumnNames]]) -> dict[str, ColumnNames] | None:
    """Return field to columns, or None when runs disagree about a field or a column."""
    agreed: dict[str, ColumnNames] = {}
    fields: dict[str, list[str]] = {}
    for mapping in mappings:
        for name, columns in mapping.items():
            if name != VERSION and agreed.setdefault(name, columns) != columns:
                return None
        for column, names in _fields(mapping).items():
            if fields.setdefault(column, names) != names:
                return None
    return agreed


def _own_names(column: str, mapping: Mapping[str, ColumnNames]) -> list[str]:
    """Return the fields that a column feeds, or a name that is no field's for any other column."""
    names = _fields(mapping).get(column)
    return names or [f"source_{column}" if column in FIELDS else column]


def _version(
    mappings: Iterable[Mapping[str, ColumnNames]], columns: list[str]
) -> dict[str, ColumnNames]:
    found = {str(mapping[VERSION]) for mapping in mappings if VERSION in mapping}
    one = found.pop() if len(found) == 1 else ""
    return {VERSION: one} if column_of_path(one, columns) is not None else {}


def _explicit(columns: list[str], mapping: Mapping[str, ColumnNames]) -> dict[str, ColumnNames]:
    """Return the part of a mapping that `load` would not infer from the columns' names."""
    found = {
        name: [path for path in names_of(given) if column_of_path(path, columns) is not None]
        for name, given in mapping.items()
    }
    present = {name: listed(shown) for name, shown in found.items() if shown}
    # a field without a column had a default in its run
    defaults = {name: "" for name in FIELDS[1:] if name not in present}
    explicit = dict(present)
    for name in present:
        rest = {field: column for field, column in explicit.items() if field != name}
        with contextlib.suppress(MappingError):
            if resolve_mapping(columns, config=rest, defaults=defaults).recorded == present:
                explicit = rest
    return explicit
