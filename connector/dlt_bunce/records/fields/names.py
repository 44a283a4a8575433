"""The first_name and last_name fields."""

from __future__ import annotations

import html
import re
import unicodedata
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.records.text.column import Column, any_true, none_of
from dlt_bunce.records.text.not_text import NOT_TEXT, NOT_UTF8
from dlt_bunce.records.text.spreadsheet_traces import Traces
from dlt_bunce.records.text.text import characters, read_text

LONGEST = 255
# Characters that Unicode normalization never changes, whatever their neighbors: printable ASCII,
# Latin, Greek, Cyrillic, Arabic letters, kana, Han, Hangul, emoji. Arrow's own normalization
# differs between releases, which fingerprints must not.
_STABLE = (
    r"!-~\x{a1}-\x{ac}\x{ae}-\x{2ff}\x{391}-\x{3a1}\x{3a3}-\x{3c9}\x{400}-\x{482}\x{48a}-\x{52f}"
    r"\x{621}-\x{64a}\x{3041}-\x{3096}\x{30a1}-\x{30fa}\x{4e00}-\x{9fff}\x{ac00}-\x{d7a3}"
    r"\x{1f300}-\x{1f64f}"
)
_PLAIN = rf"^[{_STABLE}]+(?: [{_STABLE}]+)*$"
_ENTITY = r"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});"
_REPLACEMENT = "\ufffd"
_BLANKS = re.compile(r"\s+")
# Format characters with a visible effect: joiners in Indic scripts, Persian, and emoji, tags in
# flags, and the visible Arabic, Syriac, and Kaithi signs.
_VISIBLE_FORMATS = frozenset(
    "\u200c\u200d\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
    + "".join(map(chr, (*range(0x600, 0x606), *range(0xE0020, 0xE0080))))
)


def parse_names(array: pa.Array, *, unescape: bool = False, traces: Traces | None = None) -> Column:
    """Parse names: NFC, trimmed, white space collapsed to one blank, control characters removed.

    Names have up to 255 characters; a name that is empty after cleaning is missing. Numbers are not
    names. HTML entities (O&#39;Brien) are decoded if `unescape` is set and noted otherwise. U+FFFD
    is noted, too: it means that the source was decoded or encoded wrongly.
    """
    column = read_text(array, traces=traces)
    entities = _matches(column.values, "&", _ENTITY)
    if unescape and any_true(entities):
        texts = [html.unescape(text) for text in column.values.filter(entities).to_pylist()]
        values = pc.replace_with_mask(column.values, entities, pa.array(texts, pa.string()))
        column, entities = column.with_values(values), none_of(len(values))
    damaged = pc.or_(entities, _matches(column.values, _REPLACEMENT, _REPLACEMENT))
    plain = pc.and_(
        pc.match_substring_regex(column.values, _PLAIN),
        pc.less_equal(pc.utf8_length(column.values), LONGEST),
    )
    judged = column.judge(plain, _parse)
    return replace(judged, noted=damaged) if any_true(damaged) else judged


def _matches(texts: pa.Array, sign: str, pattern: str) -> pa.Array:
    """Return which texts match a pattern, testing only those that contain `sign`."""
    found = pc.fill_null(pc.match_substring(texts, sign), False)
    if not any_true(found):
        return found
    return pc.fill_null(pc.match_substring_regex(texts, pattern), False)


def _parse(text: str) -> tuple[str | None, str | None]:
    if NOT_TEXT in text:
        return None, NOT_UTF8
    kept = "".join(c for c in text if not _is_noise(c))
    name = _BLANKS.sub(" ", unicodedata.normalize("NFC", kept)).strip()
    if not name.strip(" \u200c\u200d"):
        return None, None
    if len(name) > LONGEST:
        return None, f"{characters(len(name))}; at most {LONGEST} are allowed"
    return name, None


def _is_noise(character: str) -> bool:
    if character.isspace():
        return False
    category = unicodedata.category(character)
    return category == "Cc" or (category == "Cf" and character not in _VISIBLE_FORMATS)
