"""What commands print: tables for people, JSON for programs."""

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

from dlt_bunce.model import REJECT_CODES, RunSummary
from dlt_bunce.run_warnings import WARNINGS

_WIDE = 160
"""Columns where nobody has a terminal: enough for every table without a fold."""


def as_json(value: object) -> None:
    """One JSON document on stdout."""
    click.echo(json.dumps(value, indent=2, default=str))


def console() -> Console:
    """Rich on stdout; plain text when that is not a terminal."""
    terminal = sys.stdout.isatty()
    return Console(highlight=False, markup=False, width=None if terminal else _WIDE)


def duration(seconds: float) -> str:
    """In the unit that a person would use."""
    for unit, length in (("hours", 5400), ("minutes", 90)):
        if seconds >= length:
            return f"{seconds / (3600 if unit == 'hours' else 60):.1f} {unit}"
    return f"{seconds:.0f} seconds"


def print_summary(summary: RunSummary, title: str = "Run") -> None:
    """Fates, requests, and rejects with their remedies."""
    table = Table(show_header=False)
    table.add_row("read", f"{summary.read:,}")
    for fate, count in summary.fates.items():
        if count:
            table.add_row(f"  {fate}", f"{count:,}")
    table.add_row("requests", f"{summary.requests:,} ({summary.bulk_requests:,} bulk)")
    table.add_row("seconds", f"{summary.seconds:.1f}")
    console().print("Dry run: nothing was sent" if summary.state == "dry_run" else title)
    console().print(table)
    print_codes(summary.reject_codes, "Rejected in this run")
    print_warnings(summary.warnings)
    if summary.flushed is not None:
        print_summary(summary.flushed, "Before it: rows that an earlier run had left behind")


def print_codes(codes: Mapping[str, int], title: str) -> None:
    """Dead letters by code, each with what to do about it."""
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
    """What is odd about a run, by code, with what to do about it."""
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
    """What a summary says beside its counts."""
    for note in chain.from_iterable(notes.values()):
        console().print(f"Warning: {note}", markup=False)


def print_rows(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], title: str) -> None:
    """Rows as a table, with the given columns."""
    table = Table()
    for column in columns:
        # ids are there to be copied
        table.add_column(column, no_wrap=column == "id", overflow="fold")
    for row in rows:
        table.add_row(*("" if row[c] is None else Text(str(row[c])) for c in columns))
    console().print(title)
    console().print(table)


@contextlib.contextmanager
def counting(wanted: bool, what: str) -> Iterator[Callable[[int], None]]:
    """Gives a function that adds to a count shown on a terminal, and on a terminal only."""
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    # not what rich takes for a terminal: CI systems make it believe in one
    if not wanted or not sys.stderr.isatty():
        yield lambda _count: None
        return
    text = TextColumn(f"{{task.completed:,.0f}} {what}")
    with Progress(
        SpinnerColumn(), text, TimeElapsedColumn(), console=Console(stderr=True), transient=True
    ) as bar:
        task = bar.add_task(what, total=None)
        yield lambda count: bar.advance(task, count)
