"""Markdown helpers for the generated pages."""

from __future__ import annotations

import inspect
from collections.abc import Iterable

_NOTE = "<!-- Generated from the code by `python -m docs.generate`. Do not edit. -->"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a Markdown table; pipes and ampersands within cells are escaped."""
    lines = [list(head)]
    lines.append(["---"] * len(lines[0]))
    lines += [[cell.replace("&", "&amp;").replace("|", "\\|") for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def code(text: object) -> str:
    """Return text as inline code, or an empty string for None and empty text."""
    return f"`{text}`" if text not in (None, "") else ""


def page(title: str, *parts: str) -> str:
    """Return a complete page."""
    return "\n\n".join([_NOTE, f"# {title}", *(part.strip("\n") for part in parts)]) + "\n"


def sentence(text: str | None) -> str:
    """Return a docstring as a single line."""
    return " ".join(inspect.cleandoc(text or "").split())
