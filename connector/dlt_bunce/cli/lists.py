"""Lay out lists that may be long: in one line for each row, or in a few without a frame."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console

from dlt_bunce.cli.tables import (
    MIN_SENTENCE,
    SENTENCES,
    console,
    framed,
    has_width,
    is_figure,
    least_width,
    print_rows,
    texts_of,
    widths_of,
    wrapped,
)

_MAX_LINES = 2
_INDENT = _GAP = 2


def print_list(
    rows: Sequence[Mapping[str, Any]],
    columns: Sequence[str],
    title: str,
    optional: Sequence[str] = (),
) -> list[str]:
    """Print a list that may be long in few lines; return the columns that were left out.

    Where a table would be wider than the terminal, the `optional` columns are left out, the first
    ones first, until it is not. If it still is, each row takes two lines, or more without them.
    """
    texts, shown = texts_of(rows, columns)
    widths = widths_of(texts, shown)
    target = console()
    least = {c: least_width(c, [row[c] for row in texts], widths[c]) for c in shown}
    choices = [[c for c in shown if c not in optional[:n]] for n in range(len(optional) + 1)]
    fitting = (c for c in choices if not has_width() or framed(least, c) <= target.width)
    chosen = next(fitting, None)
    if chosen is not None:
        print_rows(rows, chosen, title)
    else:
        packed = [_packed(choice, widths, target.width) for choice in choices]
        lines = next((found for found in packed if len(found) <= _MAX_LINES), packed[-1])
        chosen = [column for line in lines for column in line]
        figures = {c for c in chosen if all(is_figure(row[c]) for row in rows)}
        target.print(title)
        target.print()
        _print_packed(target, lines, {c: c for c in chosen}, widths, figures)
        target.print()
        for text in texts:
            _print_packed(target, lines, text, widths, figures)
        target.print()
    return [column for column in shown if column not in chosen]


def _packed(columns: Sequence[str], widths: Mapping[str, int], room: int) -> list[list[str]]:
    """Distribute columns over lines; a sentence has its own, and all but the first are indented."""
    lines: list[list[str]] = [[]]
    for column in columns:
        line = lines[-1]
        used = _INDENT * (len(lines) > 1) + sum(widths[c] + _GAP for c in line)
        is_apart = column in SENTENCES or (line and line[-1] in SENTENCES)
        if line and (is_apart or used + widths[column] > room):
            lines.append([])
        lines[-1].append(column)
    return lines


def _print_packed(
    target: Console,
    lines: Sequence[Sequence[str]],
    text: Mapping[str, str],
    widths: Mapping[str, int],
    figures: Collection[str],
) -> None:
    for number, line in enumerate(lines):
        indent = " " * (_INDENT if number else 0)
        if line[0] in SENTENCES:
            shown = wrapped(text[line[0]], max(target.width - _INDENT, MIN_SENTENCE))
        else:
            shown = [(" " * _GAP).join(_padded(text[c], widths[c], c in figures) for c in line)]
        for part in shown:
            target.print(f"{indent}{part}".rstrip(), soft_wrap=True)


def _padded(text: str, width: int, is_figure: bool) -> str:
    blanks = " " * (width - cell_len(text))
    return f"{blanks}{text}" if is_figure else f"{text}{blanks}"
