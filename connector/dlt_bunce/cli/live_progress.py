"""The progress of a load, on a terminal or in the log, and the message when it is stopped."""

from __future__ import annotations

import contextlib
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from dlt_bunce.cli import output
from dlt_bunce.cli.printable import echo
from dlt_bunce.logs import is_terminal

if TYPE_CHECKING:
    from dlt_bunce.destination.factory import bunce
    from dlt_bunce.destination.runs.run_context import RunContext
    from dlt_bunce.load.progress import Progress


@contextlib.contextmanager
def watched(destination: bunce) -> Iterator[None]:
    """Show a bar with rate and time left on a terminal, or log one JSON line per minute elsewhere;
    on Ctrl-C or SIGTERM, print how far the load got and the command that resumes it.
    """
    from dlt_bunce.errors import StoppedError

    context = destination.run_context

    jobs: dict[str, Progress] = {}

    def remember(progress: Progress) -> None:
        jobs[progress.job] = progress

    # rich is not asked: on CI systems it assumes a terminal
    terminal = is_terminal(sys.stderr)
    with contextlib.ExitStack() as stack:
        stack.enter_context(_among(context.on_progress, remember))
        if terminal:
            stack.enter_context(_among(context.on_progress, stack.enter_context(_bar())))
        else:
            stack.enter_context(_instead(context.on_minute, _line))
        try:
            with terminated_as_interrupted():
                yield
        except (KeyboardInterrupt, StoppedError):
            stack.close()
            echo(_stopped(list(jobs.values())), err=True)
            sys.exit(1)


@contextlib.contextmanager
def figures(context: RunContext, as_json: bool) -> Iterator[None]:
    """Print the figures of a run that fails in the block, if JSON is wanted."""
    try:
        yield
    except BaseException:
        failed = [run.summary for run in context.failures if not run.is_dry]
        if as_json and failed:
            output.as_json(failed[-1].as_dict())
        raise


@contextlib.contextmanager
def hooked(destination: bunce) -> Iterator[None]:
    """Find functions for on_run_end in the working directory, and print their failures."""

    def warn(line: str) -> None:
        echo(f"Warning: {line}", err=True)

    here = str(Path.cwd())
    sys.path.append(here)
    listeners = destination.run_context.on_hook_failure
    listeners.append(warn)
    try:
        yield
    finally:
        listeners.remove(warn)
        sys.path.remove(here)


def same_command() -> str:
    """Return the command as it was called, ready to paste; no argument holds a secret."""
    words = words_of_command()
    return shlex.join(words) if words else "the same command"


def words_of_command() -> list[str]:
    """Return the words of the command as it was called; none if another program called it."""
    name = Path(sys.argv[0]).name
    return [name, *sys.argv[1:]] if name.startswith("dlt-bunce") else []


def _stopped(jobs: list[Progress]) -> str:
    if not jobs:
        return f"Stopped before anything was sent. Resume with: {same_command()}"
    settled = sum(job.settled for job in jobs)
    total = sum(job.read if job.total is None else job.total for job in jobs)
    return (
        f"Stopped: {settled:,} of {total:,} rows are settled and will not be sent again. "
        f"Resume with: {same_command()}"
    )


@contextlib.contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """Treat SIGTERM as Ctrl-C before and after dlt's own handling."""
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
    listeners: list[Callable[[Progress], None]], listener: Callable[[Progress], None]
) -> Iterator[None]:
    listeners.append(listener)
    try:
        yield
    finally:
        listeners.remove(listener)


@contextlib.contextmanager
def _instead(
    listeners: list[Callable[[Progress], None]], listener: Callable[[Progress], None]
) -> Iterator[None]:
    before = listeners[:]
    listeners[:] = [listener]
    try:
        yield
    finally:
        listeners[:] = before


def _line(progress: Progress) -> None:
    """Log the progress at any log level: without a terminal it is the only sign of life."""
    from dlt_bunce.logs import always

    always().info("load.progress", **progress.as_event())


@contextlib.contextmanager
def _bar() -> Iterator[Callable[[Progress], None]]:
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bars

    from dlt_bunce.cli.tables import progress_console, spinner

    console = progress_console()

    with Bars(
        spinner(console),
        BarColumn(),
        TextColumn("{task.fields[shown]}"),
        console=console,
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
    total = "" if progress.total is None else f" of {progress.total:,}"
    left = progress.seconds_left
    parts = [
        f"{progress.settled:,}{total} rows",
        f"{progress.rows_per_second:,.0f} rows/s",
        output.counted(progress.requests, "request"),
        *([] if left is None else [f"{output.duration(left)} left"]),
    ]
    return ", ".join(parts)
