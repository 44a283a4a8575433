"""Report every failure as one line and an exit code."""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

import click

from dlt_bunce.cli import output
from dlt_bunce.cli.pasteable import pasteable
from dlt_bunce.cli.printable import echo
from dlt_bunce.errors import MappingError, ThresholdError, bunce_error
from dlt_bunce.failures import failure_of, is_stopped

_SUGGESTED = frozenset({"--default", "--map", "--version-column"})
EXIT_CODES: Mapping[int, str] = MappingProxyType(
    {
        0: "success: every row has a fate, and rows that could not be loaded are dead letters",
        1: "failure: Bunce, the store, or the source could not be used; run the same command again",
        2: "usage error: correct an argument or a setting first; nothing was sent",
        3: "loaded, but over a threshold, such as `max_reject_share`",
    }
)


RESUMABLE = "Stopped. Settled rows will not be sent again. Resume with"


@contextlib.contextmanager
def reported(*, stopped: str = RESUMABLE) -> Iterator[None]:
    """Print a failure of the block on stderr without a stack trace; exit with 1, 2, or 3.

    If the block is interrupted, `stopped` is printed before the command to run again. With --json,
    a command that has printed nothing yet prints the failure on stdout as well.
    """
    try:
        yield
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except KeyboardInterrupt:
        _stop(stopped)
    except Exception as error:  # noqa: BLE001, every failure ends up here
        if is_stopped(error):
            _stop(stopped)
        line, code = explained(error)
        if output.is_wanted_as_json() and not output.has_printed_json():
            output.as_json(failed(error))
        echo(f"Error: {line}", err=True)
        sys.exit(code)


def failed(error: BaseException) -> dict[str, str | None]:
    """Return what --json prints of a failure."""
    failure = failure_of(error)
    return {
        "state": "failed",
        "error": str(failure),
        "error_class": failure.error_class,
        "remedy": failure.remedy,
    }


def explained(error: BaseException) -> tuple[str, int]:
    """Return the failure and its remedy in one line, without customer data, and the exit code."""
    failure, found = failure_of(error), bunce_error(error)
    if isinstance(found, ThresholdError):
        return pasteable(str(failure)), 3
    if isinstance(found, MappingError) and found.suggested and _takes(found.suggested):
        words = [found.message, f"Try: {_command_with(found.suggested)}", found.unresolved]
        return " ".join(filter(None, words)), 2
    return pasteable(str(failure)), 2 if failure.is_usage else 1


def _takes(suggested: Sequence[str]) -> bool:
    """Return whether the command that runs has these options: a replay has no --default."""
    context = click.get_current_context(silent=True)
    if context is None:
        return True
    known = {option for each in context.command.params for option in each.opts}
    return known.issuperset(word for word in suggested if word in _SUGGESTED)


def _command_with(suggested: Sequence[str]) -> str:
    """Return the command as it was called, with these options for their fields."""
    from dlt_bunce.cli.live_progress import words_of_command

    given = words_of_command() or ["dlt-bunce", "check", "SOURCE"]
    replaced = {option for option, _ in _options(suggested)}
    kept = [w for option, words in _options(given) if option not in replaced for w in words]
    return shlex.join([*kept, *suggested])


def _options(words: Sequence[str]) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield the words in groups: an option that may be suggested with its value, any other alone.

    Each comes with what it says, such as "--map email" for a column of email.
    """
    left = list(words)
    while left:
        option, separator, value = left[0].partition("=")
        taken = 2 if option in _SUGGESTED and not separator and len(left) > 1 else 1
        value = left[1] if taken == 2 else value
        field = "" if option == "--version-column" else value.partition("=")[0]
        about = f"{option} {field}" if option in _SUGGESTED else left[0]
        yield about, left[:taken]
        del left[:taken]


def _stop(line: str) -> None:
    from dlt_bunce.cli.live_progress import same_command

    echo(f"{line}: {same_command()}", err=True)
    sys.exit(1)
