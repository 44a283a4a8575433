"""Which row an error text speaks of: by email, phone, or id, or else nobody."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

# what stands between the words of an error text; spans of words are tried longest first, so that
# an address or id with an apostrophe or comma inside is still met as a whole
_GAP = r"\s,;:=\"'`<>()\[\]{}|/\u2018\u2019\u201c\u201d\u00ab\u00bb"
_WORD = re.compile(f"[^{_GAP}]+")
_EDGE = re.compile(f"^[{_GAP}]+|[{_GAP}.!?]+$")
_OPENED = re.compile("(?:^|[^\\[])[\"'`\u2018\u201c\u00ab]$")
_CLOSED = re.compile("[\"'`\u2019\u201d\u00bb]")
_NEAR = 64
"""Characters around a word that tell what it means."""
_AFTER_ID = re.compile(r"\b(?:customer[_ ])?id\W{1,3}$", re.IGNORECASE)
_BEFORE_TAKEN = re.compile(r"\s+(?:is|was|has)\s+already\b", re.IGNORECASE)
# an id that equals one of these is never told from the word
_OUR_WORDS = frozenset(
    {"customer", "customers", "id", "name", "phone", "device", "data", "errors", "message"}
    | {"customer_id", "email", "first_name", "last_name", "phone_no", "devices"}
    | {"device_type", "device_token", "status", "success"}
)


class Sent(Protocol):
    """One row of a request: what its errors may call it by."""

    @property
    def customer_id(self) -> str:
        """The id in the source."""

    @property
    def email(self) -> str:
        """The address as it was sent."""

    @property
    def phone_no(self) -> str:
        """The number as it was sent."""


def attribute(texts: Sequence[str], sent: Sequence[Sent]) -> dict[int, str]:
    """Position of the row that each text names; several texts for one row are joined."""
    rows = RowNames(sent)
    named: dict[int, list[str]] = {}
    for text in texts:
        row = rows.row_in(text)
        if row is not None:
            told = named.setdefault(row, [])
            if text not in told:
                told.append(text)
    return {row: "; ".join(told) for row, told in named.items()}


class RowNames:
    """What the rows of a request may be called by."""

    def __init__(self, sent: Sequence[Sent]) -> None:
        self._emails = _Names((row.email for row in sent), fold=True)
        self._phones = _Names(row.phone_no for row in sent)
        self._ids = _Names(row.customer_id for row in sent)

    def row_in(self, text: str) -> int | None:
        """Return the position of the row that a text names.

        A text that fits no row or several is nobody's: better halved than blamed on the wrong row.
        """
        rows = {row for _, _, row in (*self._emails.found_in(text), *self._phones.found_in(text))}
        rows |= {row for start, end, row in self._ids.found_in(text) if _is_an_id(text, start, end)}
        return rows.pop() if len(rows) == 1 else None


class _Names:
    """What rows may be called by; a name that several rows share tells nothing."""

    def __init__(self, names: Iterable[str], *, fold: bool = False) -> None:
        self._fold = fold
        self._rows: dict[str, int | None] = {}
        self._words = 1
        for row, name in enumerate(names):
            key = self._key(name)
            if key:
                self._rows[key] = None if key in self._rows else row
                self._words = max(self._words, len(_WORD.findall(key)))

    def found_in(self, text: str) -> Iterator[tuple[int, int, int]]:
        """Start, end, and row of each name in a text, the longest at every place."""
        words = [match.span() for match in _WORD.finditer(text)]
        first = 0
        while first < len(words):
            for last in range(min(len(words), first + self._words) - 1, first - 1, -1):
                start, end = words[first][0], words[last][1]
                key = self._key(text[start:end])
                if key in self._rows:
                    row = self._rows[key]
                    if row is not None:
                        yield start, start + len(key), row
                    first = last
                    break
            first += 1

    def _key(self, name: str) -> str:
        bare = _EDGE.sub("", name)
        return bare.casefold() if self._fold else bare


def _is_an_id(text: str, start: int, end: int) -> bool:
    """Whether a word that equals an id is meant as one.

    A bare number may be a count, a length, or a position, and a bare word just a word.
    """
    word = text[start:end]
    before, after = text[max(0, start - _NEAR) : start], text[end : end + _NEAR]
    if word.casefold() in _OUR_WORDS:
        return False
    if _OPENED.search(before) and _CLOSED.match(after):
        return True
    if not any(c.isalpha() for c in word):
        return bool(_AFTER_ID.search(before) or (not start and _BEFORE_TAKEN.match(after)))
    return any(c.isdigit() for c in word)
