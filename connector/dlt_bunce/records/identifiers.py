"""customer_id: the key under which a customer is known everywhere."""

from __future__ import annotations

import unicodedata

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.records.column import Column
from dlt_bunce.records.text import characters, read_text

LONGEST = 255
_PLAIN = rf"^[!-~]{{1,{LONGEST}}}$"


def judge_identifiers(array: pa.Array) -> Column:
    """Trimmed text of up to 255 characters without control characters.

    Integers, whole decimals, and whole floats up to 2^53 are written in plain decimal, UUIDs as
    text; bytes must be UTF-8. Any other type is invalid. Case is kept: ids are opaque.
    """
    column = read_text(array, numbers=True, uuids=True)
    return column.judge(pc.match_substring_regex(column.values, _PLAIN), _judgment)


def _judgment(text: str) -> tuple[str | None, str | None]:
    if len(text) > LONGEST:
        return None, f"{characters(len(text))}, at most {LONGEST} are allowed"
    controls = sum(unicodedata.category(c) == "Cc" for c in text)
    if controls:
        return None, f"{characters(len(text))}, {controls} of them control characters"
    return text, None
