"""Messages of libraries without the values that they may quote."""

from __future__ import annotations

import re

_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`|\u2018[^\u2019]*\u2019|\u201c[^\u201d]*\u201d")
# an unfinished quotation: the rest of the line may be the value
_OPEN = re.compile(r"(?<![A-Za-z])['\"`\u2018\u201c].*$")
# numbers, except those of types, rows, and columns: int64, decimal128(38, 9), Row #3, column 2
_NUMBER = re.compile(
    r"(?<![\w#(.,])(?<!row )(?<!Row )(?<!column )(?<!line )(?<!, )[+-]?[0-9][0-9.,:eE+-]*(?![\w(])"
)
# a row of a CSV file, which Arrow quotes without quotation marks
_ROW = re.compile(r"(, got [0-9]+): .*$")
_MAIL = re.compile(r"\S+@\S+")
HIDDEN = "…"


def masked(text: str) -> str:
    """Return the first line of a message with quoted text, numbers, and addresses hidden."""
    first = next((line.strip() for line in text.splitlines() if line.strip()), "")
    first = _ROW.sub(r"\1", first)
    for pattern in (_QUOTED, _OPEN, _MAIL, _NUMBER):
        first = pattern.sub(HIDDEN, first)
    return first
