"""Print results: tables for people, JSON for programs."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING

import click

from dlt_bunce.cli.pasteable import pasteable
from dlt_bunce.cli.tables import (
    console,
    print_pairs,
    print_rows,
    print_sentence,
    progress_console,
    spinner,
)
from dlt_bunce.logs import is_terminal
from dlt_bunce.model import VALUE_FATE_MEANINGS, RunSummary
from dlt_bunce.reject_codes import REJECT_CODES, VALUE_CODES
from dlt_bunce.run_warnings import WARNINGS

if TYPE_CHECKING:
    from dlt_bunce.store.runs.history import Run

__all__ = [
    "as_json",
    "console",
    "counted",
    "counting",
    "duration",
    "print_codes",
    "print_notes",
    "print_pairs",
    "print_rejected_values",
    "print_rows",
    "print_sentence",
    "print_summary",
    "print_value_fates",
    "print_warnings",
]


_PRINTED = "dlt_bunce.printed_json"
"""Key in the context of a command that has printed its JSON document."""


def as_json(value: object) -> None:
    """Print a JSON document on one line of stdout, so that outputs can be appended to a file."""
    context = click.get_current_context(silent=True)
    if context is not None:
        context.meta[_PRINTED] = True
    # JSON escapes every other control character by itself
    click.echo(json.dumps(value, default=str).replace("\x7f", "\\u007f"))


def is_wanted_as_json() -> bool:
    """Return whether the command in progress was called with --json."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.params.get("as_json"))


def has_printed_json() -> bool:
    """Return whether the command in progress has printed a JSON document."""
    context = click.get_current_context(silent=True)
    return context is not None and _PRINTED in context.meta


def duration(seconds: float) -> str:
    """Return a duration in seconds, minutes, or hours, whichever reads best."""
    for unit, length in (("hours", 5400), ("minutes", 90)):
        if seconds >= length:
            return f"{seconds / (3600 if unit == 'hours' else 60):.1f} {unit}"
    return counted(round(seconds), "second")


def counted(count: int, noun: str) -> str:
    """Return a count with its noun, such as "1 dead letter" or "2,000 dead letters"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _values(summary: RunSummary) -> list[tuple[str, str]]:
    """Return the counts of attribute values and segment members, if there are any."""
    pairs: list[tuple[str, str]] = []
    for noun, counts in (
        ("rows of values", summary.value_rows),
        ("values of attributes", summary.attributes),
        ("values of segments", summary.segments),
        ("absent members", summary.absent_members),
    ):
        if counts:
            pairs.append((noun, f"{counts['read']:,}"))
        pairs += [(f"  {name}", f"{n:,}") for name, n in counts.items() if n and name != "read"]
    return pairs


def print_summary(summary: RunSummary, title: str = "Run", *, can_list: bool = True) -> None:
    """Print fates, requests, and rejects with their remedies; also the commands that list rejects,
    unless these would look into another store.
    """
    pairs = [
        ("read", f"{summary.read:,}"),
        *((f"  {fate}", f"{count:,}") for fate, count in summary.fates.items() if count),
        *([("linked", f"{summary.linked:,}")] if summary.linked else []),
        *_values(summary),
        ("requests", f"{summary.requests:,} ({summary.bulk_requests:,} bulk)"),
        ("seconds", f"{summary.seconds:.1f}"),
    ]
    print_pairs(pairs, "Dry run: nothing was sent" if summary.state == "dry_run" else title)
    can_list = can_list and summary.state != "dry_run"  # which keeps none
    print_codes(summary.reject_codes, "Dead letters of this run", can_list=can_list)
    print_rejected_values(summary.rejected_values, "Rejected values of this run", can_list=can_list)
    print_warnings(summary.warnings)
    if summary.flushed is not None:
        print_summary(summary.flushed, "Loaded first: rows left over from an earlier run")


def print_codes(codes: Mapping[str, int], title: str, *, can_list: bool = False) -> None:
    """Print dead letters by code, each with its remedy, and how to list them if they are open."""
    rows = [
        {"code": code, "dead letters": count, "remedy": known.remedy if known else None}
        for code, count in sorted(codes.items(), key=lambda item: -item[1])
        for known in (REJECT_CODES.get(code),)
    ]
    if rows:
        print_rows(rows, ("code", "dead letters", "remedy"), title)
        if can_list:
            _print_listing("dead-letters")


def print_value_fates(runs: Sequence[RunSummary | Run], title: str) -> None:
    """Print attribute values and segment members by fate, a line for each run and kind."""
    rows = [
        # a run of an earlier version knows fewer fates
        {"run_id": run.run_id, "counted": kind, **dict.fromkeys(VALUE_FATE_MEANINGS, 0), **counts}
        for run in runs
        for kind, counts in (
            ("values of attributes", run.attributes),
            ("values of segments", run.segments),
            ("rows of values", run.value_rows),
            ("absent members", run.absent_members),
        )
        if counts
    ]
    fates = [fate for fate in VALUE_FATE_MEANINGS if any(row[fate] for row in rows)]
    if rows:
        print_rows(rows, ("run_id", "counted", "read", *fates), title)


def print_rejected_values(
    found: Mapping[str, Mapping[str, int]], title: str, *, can_list: bool = True
) -> None:
    """Print rejected values by attribute or segment and code, each with its remedy, and how to list
    them if the store has them.
    """
    counts = [(n, name, code) for name, codes in found.items() for code, n in codes.items()]
    rows = [
        {"name": name, "code": code, "count": n, "remedy": known.remedy if known else None}
        for n, name, code in sorted(counts, key=lambda count: -count[0])
        for known in (VALUE_CODES.get(code),)
    ]
    if rows:
        print_rows(rows, ("name", "code", "count", "remedy"), title)
        if can_list:
            _print_listing("rejected-values")


def _print_listing(group: str) -> None:
    listing = pasteable(f"dlt-bunce {group} list")
    console().print(f"To list them, run: {listing}", soft_wrap=True)


def print_warnings(warnings: Mapping[str, int], title: str = "Warnings") -> None:
    """Print the warnings of a run by code, each with its meaning and remedy."""
    rows = [
        {"code": code, "rows": count, "meaning": known.meaning, "remedy": remedy}
        for code, count in warnings.items()
        for known in (WARNINGS[code],)
        for remedy in (pasteable(known.remedy),)
    ]
    if rows:
        print_rows(rows, ("code", "rows", "meaning", "remedy"), title)


def print_notes(notes: Mapping[str, Sequence[str]]) -> None:
    """Print the notes of a summary."""
    for note in chain.from_iterable(notes.values()):
        console().print(f"Warning: {note}", markup=False)


@contextlib.contextmanager
def counting(wanted: bool, noun: str) -> Iterator[Callable[[int], None]]:
    """Yield a function that adds to a count, which is shown only on a terminal."""
    from rich.progress import Progress, TextColumn, TimeElapsedColumn

    # rich is not asked: on CI systems it assumes a terminal
    if not wanted or not is_terminal(sys.stderr):
        yield lambda _count: None
        return
    target = progress_console()
    text = TextColumn(f"{{task.completed:,.0f}} {noun}")
    with Progress(
        spinner(target), text, TimeElapsedColumn(), console=target, transient=True
    ) as bar:
        task = bar.add_task(noun, total=None)
        yield lambda count: bar.advance(task, count)
