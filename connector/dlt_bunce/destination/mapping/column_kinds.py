"""Which columns of rows are declared as text, and which keep their type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlt_bunce.records.mapping.exports import known_names
from dlt_bunce.records.mapping.paths import starts_of
from dlt_bunce.records.mapping.schema import FIELDS, FULL_NAME, PARTS, ColumnNames, fold, names_of
from dlt_bunce.records.unreadable import UNREADABLE

# devices are nested; a version keeps the type by which it is ordered
_TEXTS = frozenset((*FIELDS, FULL_NAME, *PARTS)) - {"devices"}
# not full_name: a column called name may be nested
_NAMES = known_names(_TEXTS - {FULL_NAME})
_ALL_NAMES = known_names((*FIELDS, FULL_NAME, *PARTS))


def text_column(name: str) -> dict[str, Any]:
    """Return the hint of a text column, which may be null even if it is a key: dlt would fail, and
    this way the row alone is rejected.
    """
    return {"name": name, "data_type": "text", "nullable": True}


class ColumnKinds:
    """Columns that are text in Bunce, by mapping or by name, and columns of other types.

    `attributes` are columns of attribute values, or "*" for all that are not mapped, `segments`
    those of segment members: they are text as well, but in another form.
    """

    def __init__(
        self,
        mapping: Mapping[str, ColumnNames],
        attributes: Mapping[str, str] | str,
        segments: Mapping[str, str],
    ) -> None:
        self._takes_all = isinstance(attributes, str)
        self._values = frozenset(() if isinstance(attributes, str) else attributes).union(segments)
        # spelled otherwise, a column of a customer's own field may be meant for that
        self._spellings = frozenset(map(fold, self._values)) - _NAMES
        texts = [c for f, columns in mapping.items() if f in _TEXTS for c in names_of(columns)]
        self._texts = frozenset(map(fold, texts))
        # the column at the start of a path keeps its type
        starts = {
            fold(start)
            for columns in mapping.values()
            for column in names_of(columns)
            for start in starts_of(column)
        }
        self._others = frozenset(starts) - self._texts

    def is_value(self, name: object) -> bool:
        """Return whether a column of this name holds attribute values or segment members."""
        if not isinstance(name, str) or fold(name) in self._texts | self._others:
            return False
        if self._takes_all:
            of_readers = name.startswith("_dlt_") or name == UNREADABLE
            return not of_readers and fold(name) not in _NAMES
        return name in self._values or fold(name) in self._spellings

    def is_text(self, name: object) -> bool:
        """Return whether a column of this name is declared as text."""
        if not isinstance(name, str):
            return False
        folded = fold(name)
        if folded in self._texts or self.is_value(name):
            return True
        return folded not in self._others and folded in _NAMES

    def may_be_field(self, name: str) -> bool:
        """Return whether a column of this name feeds a customer's field, or would by its name."""
        named = fold(name) in _ALL_NAMES and not self.is_value(name)
        return named or self.is_mapped(name)

    def is_mapped(self, name: str) -> bool:
        """Return whether a field is mapped to this column, or to a path that begins with it."""
        return fold(name) in self._texts | self._others

    def is_other(self, name: object) -> bool:
        """Return whether a column of this name is mapped and keeps its type."""
        return isinstance(name, str) and fold(name) in self._others
