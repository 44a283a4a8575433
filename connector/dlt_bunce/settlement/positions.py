"""Errors that name a row by its place in the request: `customers.3.email`, `Row 4: …`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_MAX_DEPTH = 8
"""Nesting of an error that is looked into: real ones have three levels."""
_PATH = re.compile(
    r"\b(?:customers?|attributes?|data|items|rows?|records?)\s*(?:\.|\[)\s*(\d{1,6})\b",
    re.IGNORECASE,
)
_WORDS = re.compile(
    r"\b(?:row|line|item|index|position)\s*(?:no\.?|number|#|at)?\s*(\d{1,6})\b"
    r"(?=\s*[:,.;)\]-]|\s+(?:is|has|was)\b)|"
    # without more, a number beside these is an id
    r"\b(?:record|customer|entry)\s*(?:no\.?|number|#)\s*(\d{1,6})\b(?=\s*:)",
    re.IGNORECASE,
)
_KEYS = frozenset({"index", "row", "position", "line", "row_number", "item"})


def positions_in(errors: Any) -> dict[int, str]:
    """Return the text of each position that `errors` (as decoded from JSON) names.

    Positions are as written: whether they count from 0 or from 1 is for the caller to find out.
    """
    found: dict[int, list[str]] = {}
    for position, text in _walk(errors, (), 0):
        texts = found.setdefault(position, [])
        if text not in texts:
            texts.append(text)
    return {position: "; ".join(texts) for position, texts in found.items()}


def _walk(errors: Any, path: tuple[str, ...], depth: int) -> Iterator[tuple[int, str]]:
    if depth > _MAX_DEPTH:
        return
    if isinstance(errors, str):
        yield from _of_text(errors, path)
    elif isinstance(errors, dict):
        named = next((errors[key] for key in errors if str(key).casefold() in _KEYS), None)
        if _is_position(named):
            yield (
                int(named or 0),
                "; ".join(texts_in({k: v for k, v in errors.items() if v != named})),
            )
            return
        for key, value in errors.items():
            yield from _walk(value, (*path, str(key)), depth + 1)
    elif isinstance(errors, list):
        # places in a list of errors say nothing of places in the request
        for item in errors:
            yield from _walk(item, path, depth + 1)


def _of_text(text: str, path: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    where = ".".join(path)
    match = _PATH.search(where) or _PATH.search(text) or _WORDS.search(text)
    if match is None and path and _is_position(path[0]):
        yield int(path[0]), ": ".join((*path[1:], text))
    elif match is not None:
        field = where[match.end() :].strip("].[ ") if _PATH.search(where) else ""
        yield int(next(filter(None, match.groups()))), f"{field}: {text}" if field else text


def _is_position(value: Any) -> bool:
    if isinstance(value, str):
        return value.isascii() and value.isdecimal() and len(value) <= 6
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1_000_000


def texts_in(errors: Any, depth: int = 0) -> list[str]:
    """Return the error texts of a list of strings, or of whatever else `errors` turns out to be."""
    if depth > _MAX_DEPTH:
        return []
    if isinstance(errors, str):
        return [errors]
    if isinstance(errors, dict):
        return [
            f"{k}: {text}" for k, value in errors.items() for text in texts_in(value, depth + 1)
        ]
    if isinstance(errors, list):
        # an object in a list is one error, whatever its fields
        return [
            text
            for item in errors
            for text in (
                ["; ".join(texts_in(item, depth + 1))]
                if isinstance(item, dict)
                else texts_in(item, depth + 1)
            )
        ]
    return []
