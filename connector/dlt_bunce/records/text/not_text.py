"""What is no text though Python has it as text: halves of characters (lone surrogates), which JSON
may escape. UTF-8 has no form for them, so no file and no request can hold them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

NOT_TEXT = "\ufdd0"
"""Stands for what is not text: a code point that no text has."""
NOT_UTF8 = "text that is not UTF-8"
"""The reason of a value that has it."""
_HALF = re.compile("[\ud800-\udfff]")


def has_half(value: Any) -> bool:
    """Return whether a value, or anything in it, has half a character."""
    if isinstance(value, str):
        return not value.isascii() and _HALF.search(value) is not None
    if isinstance(value, Mapping):
        return any(has_half(key) or has_half(item) for key, item in value.items())
    return isinstance(value, list | tuple) and any(map(has_half, value))


def marked(value: Any) -> Any:
    """Return a value with NOT_TEXT and the code of each half of a character in its place: it can be
    written, is told from any other, and is rejected as not being text.
    """
    if isinstance(value, str):
        return _HALF.sub(lambda half: f"{NOT_TEXT}{ord(half[0]):x}", value)
    if isinstance(value, Mapping):
        return {marked(key): marked(item) for key, item in value.items()}
    return [marked(item) for item in value] if isinstance(value, list | tuple) else value
