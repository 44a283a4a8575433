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
_PATH_KEYS = frozenset({"path", "loc", "source", "pointer", "instancepath", "datapath", "param"})
"""What zod, Pydantic, JSON:API, ajv, and others call the path to what is wrong."""


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
        if (place := _place_of(errors)) is not None:
            key, position, field = place
            text = "; ".join(texts_in({k: v for k, v in errors.items() if k != key}))
            yield position, f"{field}: {text}" if field else text
            return
        for key, value in errors.items():
            yield from _walk(value, (*path, str(key)), depth + 1)
    elif isinstance(errors, list):
        # places in a list of errors say nothing of places in the request
        for item in errors:
            yield from _walk(item, path, depth + 1)


def _place_of(error: dict[Any, Any]) -> tuple[Any, int, str] | None:
    """Return the key under which an error says where it is, and the position and field there."""
    for key, value in error.items():
        name = str(key).casefold()
        if name in _KEYS and _is_position(value):
            return key, int(value), ""
        path = _dotted(value) if name in _PATH_KEYS else ""
        if match := _PATH.search(path):
            return key, int(match[1]), _field_after(match, path)
    return None


def _dotted(path: Any) -> str:
    """Return a path to a value, given as a list or as a JSON pointer, with dots."""
    if isinstance(path, dict):
        path = path.get("pointer")
    return ".".join(map(str, path)) if isinstance(path, list) else str(path).replace("/", ".")


def _field_after(match: re.Match[str], path: str) -> str:
    return path[match.end() :].strip("].[ ")


def _of_text(text: str, path: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    where = ".".join(path)
    in_path = _PATH.search(where)
    match = in_path or _PATH.search(text) or _WORDS.search(text)
    if match is None and path and _is_position(path[0]):
        yield int(path[0]), ": ".join((*path[1:], text))
    elif match is not None:
        field = _field_after(in_path, where) if in_path else ""
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
