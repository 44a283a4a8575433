"""Print results: tables for people, JSON for programs."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dlt_bunce.model import RunSummary
from dlt_bunce.reject_codes import REJECT_CODES
from dlt_bunce.run_warnings import WARNINGS

_WIDE = 160
"""Width without a terminal: wide enough that no table wraps."""


def as_json(value: object) -> None:
    """Print one JSON document on stdout."""
    click.echo(json.dumps(value, indent=2, default=str))


def console() -> Console:
    """Return a rich console on stdout, which prints plain text when that is not a terminal."""
    terminal = sys.stdout.isatty()
    return Console(highlight=False, markup=False, width=None if terminal else _WIDE)


def duration(seconds: float) -> str:
    """Return a duration in seconds, minutes, or hours, whichever reads best."""
    for unit, length in (("hours", 5400), ("minutes", 90)):
        if seconds >= length:
            return f"{seconds / (3600 if unit == 'hours' else 60):.1f} {unit}"
    return f"{seconds:.0f} seconds"


def counted(count: int, noun: str) -> str:
    """Return a count with its noun, such as "1 dead letter" or "2,000 dead letters"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def print_summary(summary: RunSummary, title: str = "Run") -> None:
    """Print fates, requests, and rejects with their remedies."""
    table = Table(show_header=False)
    table.add_row("read", f"{summary.read:,}")
    for fate, count in summary.fates.items():
        if count:
            table.add_row(f"  {fate}", f"{count:,}")
    if summary.linked:
        table.add_row("linked", f"{summary.linked:,}")
    table.add_row("requests", f"{summary.requests:,} ({summary.bulk_requests:,} bulk)")
    table.add_row("seconds", f"{summary.seconds:.1f}")
    console().print("Dry run: nothing was sent" if summary.state == "dry_run" else title)
    console().print(table)
    print_codes(summary.reject_codes, "Rejected in this run")
    print_warnings(summary.warnings)
    if summary.flushed is not None:
        print_summary(summary.flushed, "Loaded first: rows left over from an earlier run")


def print_codes(codes: Mapping[str, int], title: str) -> None:
    """Print dead letters by code, each with its remedy."""
    if not codes:
        return
    table = Table()
    for column in ("code", "rows", "remedy"):
        table.add_column(column, justify="right" if column == "rows" else "left")
    for code, count in sorted(codes.items(), key=lambda item: -item[1]):
        known = REJECT_CODES.get(code)
        table.add_row(code, f"{count:,}", Text(known.remedy) if known else "")
    console().print(title)
    console().print(table)


def print_warnings(warnings: Mapping[str, int], title: str = "Warnings") -> None:
    """Print the warnings of a run by code, each with its meaning and remedy."""
    if not warnings:
        return
    table = Table()
    for column in ("code", "rows", "meaning", "remedy"):
        table.add_column(column, justify="right" if column == "rows" else "left")
    for code, count in warnings.items():
        known = WARNINGS[code]
        table.add_row(code, f"{count:,}", Text(known.meaning), Text(known.remedy))
    console().print(title)
    console().print(table)


def print_notes(notes: Mapping[str, Sequence[str]]) -> None:
    """Print the notes of a summary."""
    for note in chain.from_iterable(notes.values()):
        console().print(f"Warning: {note}", markup=False)


def print_rows(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], title: str) -> None:
    """Print rows as a table with the given columns."""
    table = Table()
    for column in columns:
        # ids stay on one line so that they can be copied
        table.add_column(column, no_wrap=column == "id", overflow="fold")
    for row in rows:
        table.add_row(*("" if row[c] is None else Text(str(row[c])) for c in columns))
    console().print(title)
    console().print(table)


@contextlib.contextmanager
def counting(wanted: bool, noun: str) -> Iterator[Callable[[int], None]]:
    """Yield a function that adds to a count, which is shown only on a terminal."""
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    # rich is not asked: on CI systems it assumes a terminal
    if not wanted or not sys.stderr.isatty():
        yield lambda _count: None
        return
    text = TextColumn(f"{{task.completed:,.0f}} {noun}")
    with Progress(
        SpinnerColumn(), text, TimeElapsedColumn(), console=Console(stderr=True), transient=True
    ) as bar:
        task = bar.add_task(noun, total=None)
        yield lambda count: bar.advance(task, count)
