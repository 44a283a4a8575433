"""What a person, or a log, sees of a load while it runs, and what is said when it is stopped."""

from __future__ import annotations

import contextlib
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dlt_bunce.cli import output

if TYPE_CHECKING:
    from dlt_bunce.load.progress import Progress


@contextlib.contextmanager
def watched() -> Iterator[None]:
    """A bar with rate and time left on a terminal, one line of JSON a minute elsewhere; on Ctrl-C
    or SIGTERM, how far the load has got and the command that goes on.
    """
    from dlt_bunce.destination import jobs as job
    from dlt_bunce.errors import StoppedError

    jobs: dict[str, Progress] = {}

    def remember(progress: Progress) -> None:
        jobs[progress.job] = progress

    # not what rich takes for a terminal: CI systems make it believe in one
    terminal = sys.stderr.isatty()
    with contextlib.ExitStack() as stack:
        stack.enter_context(_among(job.listeners, remember))
        if terminal:
            stack.enter_context(_among(job.listeners, stack.enter_context(_bar())))
        else:
            stack.enter_context(_instead(job.on_minute, _line))
        try:
            with _terminated_as_interrupted():
                yield
        except (KeyboardInterrupt, StoppedError):
            stack.close()
            click.echo(_told(list(jobs.values())), err=True)
            sys.exit(1)


@contextlib.contextmanager
def hooked() -> Iterator[None]:
    """Functions for on_run_end are found in the working directory, and their failures told."""
    from dlt_bunce.destination.run_hook import failure_listeners

    def tell(line: str) -> None:
        click.echo(f"Warning: {line}", err=True)

    here = str(Path.cwd())
    sys.path.append(here)
    failure_listeners.append(tell)
    try:
        yield
    finally:
        failure_listeners.remove(tell)
        sys.path.remove(here)


def same_command() -> str:
    """The command as it was called, to be pasted; secrets are in no argument."""
    name = Path(sys.argv[0]).name
    if not name.startswith("dlt-bunce"):
        return "the same command"
    return shlex.join([name, *sys.argv[1:]])


def _told(jobs: list[Progress]) -> str:
    if not jobs:
        return f"Stopped before anything was sent. Go on with: {same_command()}"
    settled = sum(one.settled for one in jobs)
    total = sum(one.read if one.total is None else one.total for one in jobs)
    return (
        f"Stopped: {settled:,} of {total:,} rows are settled and are not sent again. "
        f"Go on with: {same_command()}"
    )


@contextlib.contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM before and after dlt's own handling ends the command as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _among(
    listeners: list[Callable[[Progress], None]], one: Callable[[Progress], None]
) -> Iterator[None]:
    listeners.append(one)
    try:
        yield
    finally:
        listeners.remove(one)


@contextlib.contextmanager
def _instead(
    listeners: list[Callable[[Progress], None]], one: Callable[[Progress], None]
) -> Iterator[None]:
    before = listeners[:]
    listeners[:] = [one]
    try:
        yield
    finally:
        listeners[:] = before


def _line(progress: Progress) -> None:
    """At any log level: who has no terminal has asked for no other sign of life."""
    from dlt_bunce.logs import always

    always().info("load.progress", **progress.as_event())


@contextlib.contextmanager
def _bar() -> Iterator[Callable[[Progress], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, SpinnerColumn, TextColumn
    from rich.progress import Progress as Bars

    with Bars(
        SpinnerColumn(),
        BarColumn(),
        TextColumn("{task.fields[shown]}"),
        console=Console(stderr=True),
        transient=True,
    ) as bars:
        tasks = {"": bars.add_task("rows", total=None, shown="reading the source")}

        def show(progress: Progress) -> None:
            if "" in tasks:
                bars.remove_task(tasks.pop(""))
            if progress.job not in tasks:
                tasks[progress.job] = bars.add_task("rows", total=progress.total, shown="")
            bars.update(tasks[progress.job], completed=progress.settled, shown=_shown(progress))

        yield show


def _shown(progress: Progress) -> str:
    of = "" if progress.total is None else f" of {progress.total:,}"
    left = progress.seconds_left
    parts = [
        f"{progress.settled:,}{of} rows",
        f"{progress.rows_per_second:,.0f} a second",
        f"{progress.requests:,} requests",
        *([] if left is None else [f"{output.duration(left)} left"]),
    ]
    return ", ".join(parts)
