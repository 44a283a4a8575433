"""Lay out rows for a terminal of any width: as a table, or as records if a table would not fit."""

from __future__ import annotations

import os
import re
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dlt_bunce.cli.printable import printable
from dlt_bunce.logs import is_terminal

if TYPE_CHECKING:
    from rich.progress import SpinnerColumn

_PIPED = 160
"""Width without a terminal at which sentences wrap; rows always stay on one table line."""
SENTENCES = {"detail", "error", "meaning", "message", "reason", "remedy", "shapes", "values"}
"""Columns that may wrap between words. Numbers, ids, and names never wrap."""
MIN_SENTENCE = 24
_FIGURE = re.compile(r"[\d,.]+ ?(%|s)")
_COMMAND = re.compile(r"dlt-bunce [a-z-]+(?: [a-z-]+)?(?: --[a-z-]+ '?[^\s',]+'?)*")
_GLUE = "\0"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")


class _Console(Console):
    """A console that escapes control characters in every string that it is given, and draws with
    ASCII characters where the locale has nothing else.
    """

    @property
    def encoding(self) -> str:
        """The encoding of the output, by which rich chooses what it draws with."""
        names = (os.environ.get(name) for name in ("LC_ALL", "LC_CTYPE", "LANG"))
        # Python writes UTF-8 there as well, but the terminal may not show it
        in_ascii = next(filter(None, names), "") in {"C", "POSIX"}
        return "ascii" if in_ascii else super().encoding

    def render_str(self, text: str, **options: Any) -> Text:
        """Return the text as rich lays it out."""
        return super().render_str(printable(text), **options)


def console() -> Console:
    """Return a rich console on stdout, which prints plain text when that is not a terminal."""
    return _Console(highlight=False, markup=False, emoji=False, width=_width())


def progress_console() -> Console:
    """Return a rich console on stderr, for progress that is shown while it goes on."""
    return _Console(stderr=True)


def spinner(console: Console) -> SpinnerColumn:
    """Return the first column of a progress display."""
    from rich.progress import SpinnerColumn

    return SpinnerColumn("line" if console.options.ascii_only else "dots")


def print_rows(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], title: str) -> None:
    """Print rows under a title, without the columns that are empty in all of them.

    Rows are printed as records, one value per line, where a table would be wider than the
    terminal.
    """
    texts, shown = texts_of(rows, columns)
    widths = widths_of(texts, shown)
    least = {c: least_width(c, [row[c] for row in texts], widths[c]) for c in shown}
    narrowest = framed(least, shown)
    target = console()
    target.print(title)
    if narrowest > target.width and has_width():
        _print_records(target, texts, shown)
        return
    target.width = max(target.width, narrowest)
    sentences = [c for c in shown if c in SENTENCES]
    room = target.width - narrowest + sum(least[c] for c in sentences)
    held = _held(sentences, widths, least, room)
    table = Table(box=box.HEAVY_HEAD)
    for column in shown:
        table.add_column(
            column,
            justify="right" if rows and all(is_figure(row[column]) for row in rows) else "left",
            no_wrap=column not in SENTENCES,
            min_width=least[column],
            width=least[column] if column in held else None,
        )
    is_narrow = framed(widths, shown) <= target.width
    if texts and is_narrow:
        # nothing wraps: a column as one cell of many lines looks the same, and takes rich a fifth
        # of the time
        table.add_row(*(Text("\n".join(text[column] for text in texts)) for column in shown))
    else:
        for text in texts:
            table.add_row(*(Text(text[column]) for column in shown))
    target.print(table)


def texts_of(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[str]
) -> tuple[list[dict[str, str]], list[str]]:
    """Return rows as text, and the columns that are not empty in all of them."""
    texts = [{column: _text(row[column]) for column in columns} for row in rows]
    return texts, [c for c in columns if not texts or any(row[c] for row in texts)]


def widths_of(texts: Sequence[Mapping[str, str]], columns: Sequence[str]) -> dict[str, int]:
    """Return the width of each column, with its name."""
    return {c: max(map(cell_len, (c, *(row[c] for row in texts)))) for c in columns}


def framed(widths: Mapping[str, int], columns: Sequence[str]) -> int:
    """Return the width of a table with these columns."""
    return sum(widths[column] for column in columns) + 3 * len(columns) + 1


def least_width(column: str, texts: Sequence[str], width: int) -> int:
    """Return the width that a column needs: what wraps still has its longest word whole, which may
    be the name of a variable to set.
    """
    if column not in SENTENCES:
        return width
    words = (cell_len(word) for text in texts for word in text.split())
    return max(min(width, MIN_SENTENCE), *words, 0)


def _held(
    columns: Sequence[str], widths: Mapping[str, int], least: Mapping[str, int], room: int
) -> set[str]:
    """Return the columns that must be held at their least width in this room: rich narrows the
    widest first, whatever words are in them, and then cuts the table off.
    """
    held: set[str] = set()
    while free := sorted((c for c in columns if c not in held), key=lambda c: widths[c]):
        left, level = room - sum(least[c] for c in held), 0
        for place, column in enumerate(free):
            level = left // (len(free) - place)
            if widths[column] > level:
                break
            left -= widths[column]
        else:
            return held  # all of them fit
        if not (narrow := {c for c in free if least[c] > level}):
            return held
        held |= narrow
    return held


def _print_records(
    target: Console, texts: Sequence[Mapping[str, str]], columns: Sequence[str]
) -> None:
    indent = max(map(cell_len, columns)) + 2
    for text in texts:
        target.print()
        for column in columns:
            if text[column]:
                lines = wrapped(text[column], max(target.width - indent, MIN_SENTENCE))
                for start, line in zip(chain([column], repeat("")), lines or [""], strict=False):
                    target.print(f"{start:{indent}}{line}", soft_wrap=True)
    target.print()


def print_sentence(text: str) -> None:
    """Print text that wraps between words only: names are never broken."""
    target = console()
    # a command that is broken could not be pasted
    glued = _COMMAND.sub(lambda found: found[0].replace(" ", _GLUE), printable(text))
    for line in wrapped(glued, target.width):
        target.print(line.replace(_GLUE, " "), soft_wrap=True)


def wrapped(text: str, width: int) -> list[str]:
    """Return the lines of a text that is wrapped between words only."""
    # a longer id or path is left to the terminal, so that it can be copied whole
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)


def print_pairs(pairs: Sequence[tuple[str, str]], title: str) -> None:
    """Print names and values as a table without a header."""
    table = Table(show_header=False, box=box.HEAVY_HEAD)
    for pair in pairs:
        table.add_row(*map(Text, map(printable, pair)))
    target = console()
    target.print(title)
    target.print(table)


def short_time(value: str | datetime) -> str:
    """Format a time in UTC to the minute: 2026-11-29 05:01."""
    return str(value)[:16].replace("T", " ")


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    text = printable(str(value))
    return short_time(text) if _TIME.match(text) else text


def is_figure(value: object) -> bool:
    """Return whether a value belongs on the right of its column."""
    return (
        value in (None, "") or isinstance(value, int | float) or bool(_FIGURE.fullmatch(str(value)))
    )


def has_width() -> bool:
    """Return whether lines have a width; a file or a pipe has none, unless COLUMNS says so."""
    return is_terminal(sys.stdout) or _columns() > 0


def _columns() -> int:
    """Return the width that COLUMNS names, which is 0 where some program has not found any."""
    given = os.environ.get("COLUMNS", "")
    return int(given) if given.isdecimal() else 0


def _width() -> int | None:
    if not has_width():
        return _PIPED
    # rich would take 0 for a width
    return _columns() or shutil.get_terminal_size().columns
