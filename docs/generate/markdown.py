"""What every generated page is made of."""

from __future__ import annotations

import inspect
from collections.abc import Iterable

_NOTE = "<!-- Written by `python -m docs.generate` from the code: change it there. -->"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table; a cell's own bars and ampersands are escaped."""
    lines = [list(head)]
    lines.append(["---"] * len(lines[0]))
    lines += [[cell.replace("&", "&amp;").replace("|", "\\|") for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def code(text: object) -> str:
    """Text as code, or nothing where there is none."""
    return f"`{text}`" if text not in (None, "") else ""


def page(title: str, *parts: str) -> str:
    """A whole page."""
    return "\n\n".join([_NOTE, f"# {title}", *(part.strip("\n") for part in parts)]) + "\n"


def sentence(text: str | None) -> str:
    """A docstring as running text."""
    return " ".join(inspect.cleandoc(text or "").split())
