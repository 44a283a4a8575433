"""Conversion of source rows to spreadsheet cells and back.

A spreadsheet runs text that begins with = + - or @ as a formula, drops the + and leading zeros of
phone numbers, rounds long ids, and rewrites dates. Such text therefore gets a leading apostrophe,
which is how spreadsheets themselves mark a cell as text. Reading removes the apostrophe only if
the rest of the text would have been given one, so every text survives the round trip, including
text that already began with an apostrophe.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import simplejson

from dlt_bunce.records.unreadable import CODE

PREFIX = "dead_letter_"
"""Prefix of columns that describe the dead letter; they are not part of its row."""
MAX_ROW_BYTES = 4_194_304
"""Longest row of a CSV file, which is also how much of one is read at a time."""
LETTER_ID = f"{PREFIX}id"

_MARK = "'"
# text that a spreadsheet reinterprets: formula signs (also full-width), anything that begins like a
# number, a date, or a time, and booleans
_REINTERPRETED = (
    r"^(?:[\t\r\n]|[ \t\r\n]*(?:['=+\-@\x{ff1d}\x{ff0b}\x{ff0d}\x{ff20}]"
    r"|[0-9.][^@]*$|(?i:true|false)[ \t\r\n]*$))"
)
# whole numbers short enough not to be rounded or shown with an exponent
_SAFE_NUMBER = r"^(?:0|[1-9][0-9]{0,10})$"
_TEXT_FIELDS = frozenset({"email", "first_name", "last_name"})
_NUMBER_FIELDS = frozenset({"customer_id", "phone_no"})


def marked(texts: pa.Array) -> pa.Array:
    """Return texts marked so that a spreadsheet leaves them unchanged; null stays null."""
    with_mark = pc.binary_join_element_wise(_MARK, texts, "")
    return pc.if_else(_needs_mark(texts), with_mark, texts)


def unmarked(cells: pa.Array) -> pa.Array:
    """Return the texts from which `marked` made these cells."""
    starts = pc.fill_null(pc.starts_with(cells, _MARK), False)
    if not starts.true_count:
        return cells
    rest = pc.utf8_slice_codeunits(cells, 1)
    return pc.if_else(pc.and_(starts, _needs_mark(rest)), rest, cells)


def texts_of(row: str, code: str, fields: Mapping[str, str]) -> dict[str, str | None]:
    """Return a dead letter's source row (JSON text) as one text per column.

    Reading the texts back gives the same customer: lists and objects are JSON, numbers are exact,
    and dlt's own columns are left out. `fields` maps columns to Bunce fields. A value whose type is
    invalid for its field is left out, because as text it would pass as valid: a number as a name,
    or as an id that has lost digits.
    """
    read = simplejson.loads(row, use_decimal=True)
    return {
        column: _text(value, code, fields.get(column))
        for column, value in read.items()
        if not column.startswith(("_dlt_", PREFIX))
    }


def _needs_mark(texts: pa.Array) -> pa.Array:
    changed = pc.and_not(
        pc.match_substring_regex(texts, _REINTERPRETED),
        pc.match_substring_regex(texts, _SAFE_NUMBER),
    )
    return pc.fill_null(changed, False)


def _text(value: Any, code: str, field: str | None) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if field in _TEXT_FIELDS:
        return None
    if field in _NUMBER_FIELDS:
        return (
            None
            if field == "customer_id" and code == "invalid_customer_id"
            else _whole_number(value)
        )
    if isinstance(value, Decimal):
        return _whole_number(value) or str(value)
    if code == CODE and isinstance(value, dict) and "text" in value:
        return str(value["text"])  # of an unreadable line, what a person has to correct
    return simplejson.dumps(value, use_decimal=True, ensure_ascii=False)


def _whole_number(value: Any) -> str | None:
    """Return 12 and 12.00 as "12", like ids and phone numbers; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        return None
    if isinstance(value, int):
        return str(value)
    return format(value, "f").split(".")[0] if value == value.to_integral_value() else None
