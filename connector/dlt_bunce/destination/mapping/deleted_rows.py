"""Rows that the source marks as deleted, counted during extraction."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

CODE = "deleted_at_source"
_NAME = re.compile(
    r"(_+fivetran|_+sdc|_+ab_cdc|_+peerdb|_+)?_?(is_?)?(soft_?)?(deleted|archived)(_?(at|on|date|time))?"
)
_NOT = ("", "0", "0.0", "f", "false", "n", "no", "nan", "nat", "none", "null", "\\n", "active")
_NEVER = "0000-00-00"


class DeletedRows:
    """Counter of deleted rows by column; it passes every item on unchanged."""

    def __init__(self) -> None:
        self.columns: Counter[str] = Counter()

    def __call__(self, item: Any) -> Any:
        """Count the deleted rows of an Arrow table, a row, or a list of rows."""
        if isinstance(item, (pa.Table, pa.RecordBatch)):
            for name in filter(_is_mark, item.schema.names):
                if item.schema.names.count(name) == 1:
                    self._count(name, _marked(item.column(name)))
            return item
        for row in item if isinstance(item, list) else [item]:
            for name in filter(_is_mark, row if isinstance(row, dict) else ()):
                value = row[name]
                self._count(name, int(value is not None and _is_set(str(value))))
        return item

    def _count(self, column: str, rows: int) -> None:
        if rows:
            self.columns[column] += rows

    @property
    def warnings(self) -> dict[str, int]:
        """Largest number of rows that one column marks, under the code of a run's warning."""
        return {CODE: max(self.columns.values())} if self.columns else {}

    @property
    def notes(self) -> dict[str, list[str]]:
        """One sentence per column, with a filter to use, under the same code."""
        sentences = [
            f"{count:,} rows have a value in {name!r}: they look deleted at the source, but are "
            f"loaded. To exclude them, pass --query 'SELECT … WHERE {name} IS NULL', or select the "
            f"rows where {name} is false."
            for name, count in sorted(self.columns.items())
        ]
        return {CODE: sentences} if sentences else {}


def _is_mark(name: str) -> bool:
    return _NAME.fullmatch(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", str(name)).lower()) is not None


def _is_set(value: str) -> bool:
    plain = value.strip().lower()
    return plain not in _NOT and not plain.startswith(_NEVER)


def _marked(column: Any) -> int:
    try:
        texts = pc.utf8_lower(pc.utf8_trim_whitespace(column.cast(pa.string())))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return int(len(column) - column.null_count)
    no = pc.or_(
        pc.is_in(texts, value_set=pa.array(_NOT, pa.string())), pc.starts_with(texts, _NEVER)
    )
    return int(pc.sum(pc.invert(no)).as_py() or 0)
