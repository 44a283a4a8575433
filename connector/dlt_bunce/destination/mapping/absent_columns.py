"""Columns of customers' fields that dlt knows of earlier loads, and no row of this one has.

dlt keeps all columns that a table ever had. A column that is gone at the source must not be taken
for an id by its name: all rows would be rejected, one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
from dlt.common.json import json
from dlt.common.storages.load_package import ParsedLoadJobFileName

from dlt_bunce.destination.folder.load_files import unzipped
from dlt_bunce.destination.mapping.mapped_rows import SHOWN_HINT
from dlt_bunce.records.mapping.schema import VARIANT

if TYPE_CHECKING:
    from dlt import Schema

ABSENT_HINT = "x-bunce-absent"


def absent_columns(table: Mapping[str, Any]) -> Sequence[str]:
    """Return the columns that are noted as absent in a table's package."""
    absent: Sequence[str] = table.get(ABSENT_HINT) or ()
    return absent


def note_absent(
    schema: Schema, table_name: str, present: Collection[str], is_field: Callable[[str], bool]
) -> bool:
    """Note which columns of fields are not `present`; return whether that is another note than
    before. Without rows, none are absent. Names are as rows have them: dlt may call them otherwise.
    """
    table: Any = schema.tables.get(table_name, {})
    known = {name.partition(VARIANT)[0] for name in table.get("columns", {})}
    shown = {*present, *(table.get(SHOWN_HINT) or {}).get("fields", ())}
    named = filter(str.strip, shown)  # dlt names a column that has no name itself
    there = shown.union(map(schema.naming.normalize_identifier, named))
    absent = sorted(filter(is_field, known - there)) if present else []
    if absent == list(absent_columns(table)):
        return False
    noted: Any = {"name": table_name, "columns": {}, ABSENT_HINT: absent}
    schema.update_table(noted)
    return True


def columns_in(files: Iterable[Path]) -> set[str]:
    """Return the names of the columns in extracted files: of rows in dicts all that they have, of
    tables those with a value, since dlt has added those of earlier loads.
    """
    found: set[str] = set()
    for path in files:
        name = ParsedLoadJobFileName.parse(path.name)
        if name.file_format == "parquet":
            found |= {column.partition(VARIANT)[0] for column in _filled_in(path)}
        else:
            found |= _keys_in(path)
    return found


def _filled_in(path: Path) -> Iterator[str]:
    """Yield the columns of a Parquet file that may have a value, by its statistics."""
    with pq.ParquetFile(path) as file:
        groups = [file.metadata.row_group(n) for n in range(file.metadata.num_row_groups)]
        for number in range(file.metadata.num_columns):
            chunks = [group.column(number) for group in groups]
            if not all(
                chunk.is_stats_set
                and chunk.statistics.has_null_count
                and chunk.statistics.null_count == chunk.num_values
                for chunk in chunks
            ):
                yield file.metadata.schema.column(number).path.partition(".")[0]


def _keys_in(path: Path) -> set[str]:
    found: set[str] = set()
    with path.open("rb") as raw, unzipped(raw) as file:
        for line in file:
            parsed = json.loadb(line)
            for row in parsed if isinstance(parsed, list) else [parsed]:
                if isinstance(row, dict) and not row.keys() <= found:
                    found |= row.keys()
    return found
