"""customer_id: the key under which a customer is known everywhere."""

from __future__ import annotations

import re
import unicodedata

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.records.column import Column, any_true
from dlt_bunce.records.text import characters, read_text, without_invisible

LONGEST = 255
_PLAIN = rf"^[!-~]{{1,{LONGEST}}}$"
# of this many characters none is odd: a look at once for most tables
_USUAL = rf"^[0-9A-DF-Za-z_:@/-]{{1,{LONGEST}}}$"
_POINT_ZERO = r"[+-]?[0-9]+\.0+"
# what spreadsheets make of long numbers, and of formulas that fail
_ROUNDED = r"[0-9]+(?:\.[0-9]+)?E[+-]?[0-9]+"
_ERROR = r"#(?:N/A|REF!|VALUE!|DIV/0!|NAME\?|NULL!|NUM!|SPILL!|CALC!|GETTING_DATA)"
_ODD = rf"^(?:{_POINT_ZERO}|{_ROUNDED}|{_ERROR})$"


def parse_identifiers(array: pa.Array) -> Column:
    """Trimmed text of up to 255 characters without control characters.

    Integers, whole decimals, and whole floats up to 2^53 are written in plain decimal, UUIDs as
    text; bytes must be UTF-8. Any other type is invalid. Case is kept: ids are opaque. Characters
    that nobody sees go, so that two ids that look alike are one. 7.0 is 7; what a spreadsheet has
    rounded (1.7E+12), or put in the place of an id (#N/A), is invalid.
    """
    column = read_text(array, numbers=True)
    plain = pc.match_substring_regex(column.values, _USUAL)
    if any_true(pc.invert(plain)):
        plain = pc.and_not(
            pc.match_substring_regex(column.values, _PLAIN),
            pc.match_substring_regex(column.values, _ODD),
        )
    return column.judge(plain, _parse)


def _parse(text: str) -> tuple[str | None, str | None]:
    text = without_invisible(text)
    if not text:
        return None, None
    if re.fullmatch(_ROUNDED, text):
        return None, "a number that was rounded, such as 1.7E+12"
    if re.fullmatch(_ERROR, text):
        return None, "an error of a spreadsheet, such as #N/A"
    if re.fullmatch(_POINT_ZERO, text):
        text = text.partition(".")[0]
    if len(text) > LONGEST:
        return None, f"{characters(len(text))}, at most {LONGEST} are allowed"
    controls = sum(unicodedata.category(c) == "Cc" for c in text)
    if controls:
        return None, f"{characters(len(text))}, {controls} of them control characters"
    return text, None
