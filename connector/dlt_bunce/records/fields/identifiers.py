"""The customer_id field: the key that identifies a customer everywhere."""

from __future__ import annotations

import re
import unicodedata

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.records.text.column import Column, any_true
from dlt_bunce.records.text.not_text import NOT_TEXT, NOT_UTF8
from dlt_bunce.records.text.spreadsheet_traces import Traces
from dlt_bunce.records.text.text import characters, read_text, without_invisible

LONGEST = 255
_PLAIN = rf"^[!-~]{{1,{LONGEST}}}$"
# ids of these characters alone cannot match _ODD, so most tables need only this check
_USUAL = rf"^[0-9A-DF-Za-z_:@/-]{{1,{LONGEST}}}$"
_POINT_ZERO = r"[+-]?[0-9]+\.0+"
# how spreadsheets write long numbers, how programs write floats (1e5 may be an id), and how
# spreadsheets write failed formulas
_ROUNDED = (
    r"[0-9]+(?:[.,][0-9]+)?E[+-]?[0-9]+"
    r"|-?[0-9](?:\.[0-9]+)?e\+[0-9]{2,}|-?[0-9]\.[0-9]+e-?[0-9]{2,}"
)
_INFINITE = ("Infinity", "-Infinity", "inf", "-inf")
_EXACT = 2**53
"""From this number on, a float may have lost digits."""
_LOST_DIGITS = "a rounded number, such as 1.7E+12"
_ERROR = r"#(?:N/A|REF!|VALUE!|DIV/0!|NAME\?|NULL!|NUM!|SPILL!|CALC!|GETTING_DATA)"
_ODD = rf"^(?:{_POINT_ZERO}|{_ROUNDED}|{_ERROR})$"


def parse_identifiers(array: pa.Array, *, traces: Traces | None = None) -> Column:
    """Parse ids as trimmed text of up to 255 characters without control characters.

    Integers, whole decimals, and whole floats up to 2^53 are written in plain decimal, UUIDs as
    text; bytes must be UTF-8. Any other type is invalid. Case is kept: ids are opaque. Invisible
    characters are removed, so ids that look alike are equal. 7.0 becomes 7; a number that a
    spreadsheet or a float rounded (1.7E+12, 1e+16) and a spreadsheet error (#N/A) are invalid.
    """
    column = read_text(array, numbers=True, traces=traces)
    plain = pc.match_substring_regex(column.values, _USUAL)
    if any_true(pc.invert(plain)):
        plain = pc.and_not(
            pc.match_substring_regex(column.values, _PLAIN),
            pc.match_substring_regex(column.values, _ODD),
        )
    infinite = pc.is_in(column.values, value_set=pa.array(_INFINITE))
    return column.judge(pc.and_not(plain, infinite), _parse)


def _parse(text: str) -> tuple[str | None, str | None]:
    text = without_invisible(text)
    if not text:
        return None, None
    if NOT_TEXT in text:
        return None, NOT_UTF8
    if re.fullmatch(_ROUNDED, text) or text in _INFINITE:
        return None, _LOST_DIGITS
    if re.fullmatch(_ERROR, text):
        return None, "a spreadsheet error, such as #N/A"
    if re.fullmatch(_POINT_ZERO, text):
        text, _, zeros = text.partition(".")
        if zeros == "0" and abs(float(text)) >= _EXACT:
            return None, _LOST_DIGITS  # a decimal of that size would have more zeros, or no point
    if len(text) > LONGEST:
        return None, f"{characters(len(text))}; at most {LONGEST} are allowed"
    controls = sum(unicodedata.category(c) == "Cc" for c in text)
    if controls:
        return None, f"{characters(len(text))}, {controls} of them control characters"
    return text, None
