"""Source rows as the cells of a spreadsheet, and cells as values again.

A spreadsheet runs text that begins with = + - or @ as a formula, drops the + and the leading zeros
of a phone number, rounds long ids, and rewrites dates. So a text of that kind gets an apostrophe in
front, which is how spreadsheets themselves write down that a cell is text. Reading takes it off
again, and only where the rest would have been given one: every text comes back as it was, those
that began with an apostrophe included.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import simplejson

PREFIX = "dead_letter_"
"""Columns beginning so tell of a letter; they are no part of its row."""
LETTER_ID = f"{PREFIX}id"

_MARK = "'"
# what a spreadsheet takes for something else than this text: signs of formulas, in full width too;
# whatever begins like a number, a date, or a time; truth values
_TOUCHED = (
    r"^(?:[\t\r\n]|[ \t\r\n]*(?:['=+\-@\x{ff1d}\x{ff0b}\x{ff0d}\x{ff20}]"
    r"|[0-9.][^@]*$|(?i:true|false)[ \t\r\n]*$))"
)
# whole numbers that are neither rounded nor written with an exponent
_UNTOUCHED = r"^(?:0|[1-9][0-9]{0,10})$"
_TEXT_FIELDS = frozenset({"email", "first_name", "last_name"})
_NUMBER_FIELDS = frozenset({"customer_id", "phone_no"})


def marked(texts: pa.Array) -> pa.Array:
    """Texts as a spreadsheet leaves them alone; null stays null."""
    with_mark = pc.binary_join_element_wise(_MARK, texts, "")
    return pc.if_else(_touched(texts), with_mark, texts)


def unmarked(cells: pa.Array) -> pa.Array:
    """The texts of which `marked` has made these cells."""
    starts = pc.fill_null(pc.starts_with(cells, _MARK), False)
    if not starts.true_count:
        return cells
    rest = pc.utf8_slice_codeunits(cells, 1)
    return pc.if_else(pc.and_(starts, _touched(rest)), rest, cells)


def texts_of(row: str, code: str, fields: Mapping[str, str]) -> dict[str, str | None]:
    """A letter's source row (JSON text) as one text a column, such that reading the texts gives the
    same customer: lists and objects as JSON, numbers exactly, no columns of dlt's own.

    `fields` goes from column to Bunce's field. A value of a type that its field cannot have is
    left out, lest as text it passed for good: a number as a name, or as an id that has lost digits.
    """
    read = simplejson.loads(row, use_decimal=True)
    return {
        column: _text(value, code, fields.get(column))
        for column, value in read.items()
        if not column.startswith(("_dlt_", PREFIX))
    }


def _touched(texts: pa.Array) -> pa.Array:
    touched = pc.and_not(
        pc.match_substring_regex(texts, _TOUCHED), pc.match_substring_regex(texts, _UNTOUCHED)
    )
    return pc.fill_null(touched, False)


def _text(value: Any, code: str, field: str | None) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if field in _TEXT_FIELDS:
        return None
    if field in _NUMBER_FIELDS:
        return None if field == "customer_id" and code == "invalid_customer_id" else _whole(value)
    if isinstance(value, Decimal):
        return _whole(value) or str(value)
    return simplejson.dumps(value, use_decimal=True, ensure_ascii=False)


def _whole(value: Any) -> str | None:
    """12 and 12.00 as 12, as ids and phone numbers read them; None for all else."""
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        return None
    if isinstance(value, int):
        return str(value)
    return format(value, "f").split(".")[0] if value == value.to_integral_value() else None
