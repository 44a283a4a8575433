"""One column that holds both names."""

from __future__ import annotations

import re

import pyarrow as pa

_BLANKS = r"\s+"
# a title after a comma is no first name
_SUFFIX = re.compile(r"(?i:jr|sr|esq|ph\.?d|m\.?d|mba|cpa|dds|rn)\.?|[IVX]{1,4}")


def split(names: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Return the first and the last names of trimmed full names; null where there is none.

    The first word is the first name, and all other words are the last name; a single word is a
    first name. In "Last, First" the comma decides, unless a title such as Jr. follows it.
    """
    encoded = names.dictionary_encode()
    pairs = [_split(name) for name in encoded.dictionary.to_pylist()]
    first = pa.array([pair[0] for pair in pairs], pa.string())
    last = pa.array([pair[1] for pair in pairs], pa.string())
    return first.take(encoded.indices), last.take(encoded.indices)


def _split(name: str) -> tuple[str | None, str | None]:
    last, comma, first = (part.strip() for part in name.partition(","))
    if comma and last and first and "," not in first and not _SUFFIX.fullmatch(first):
        return first, last
    words = re.split(_BLANKS, name.strip(" ,"), maxsplit=1)
    return words[0] or None, words[1] if len(words) > 1 else None
