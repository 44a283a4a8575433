"""Report every failure as one line and an exit code."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping
from types import MappingProxyType

import click

from dlt_bunce.cli import output
from dlt_bunce.cli.printable import echo
from dlt_bunce.errors import ThresholdError, bunce_error
from dlt_bunce.failures import failure_of, is_stopped

EXIT_CODES: Mapping[int, str] = MappingProxyType(
    {
        0: "success: every row has a fate, and rows that could not be loaded are dead letters",
        1: "failure: Bunce, the store, or the source could not be used; run the same command again",
        2: "usage error: correct an argument or a setting first; nothing was sent",
        3: "loaded, but over a threshold, such as `max_reject_share`",
    }
)


@contextlib.contextmanager
def reported() -> Iterator[None]:
    """Print a failure of the block on stderr without a stack trace; exit with 1, 2, or 3.

    With --json, a command that has printed nothing yet prints the failure on stdout as well.
    """
    try:
        yield
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except KeyboardInterrupt:
        _stopped()
    except Exception as error:  # noqa: BLE001, every failure ends up here
        if is_stopped(error):
            _stopped()
        line, code = explained(error)
        if output.is_wanted_as_json() and not output.has_printed_json():
            failure = failure_of(error)
            output.as_json(
                {"state": "failed", "error": str(failure), "error_class": failure.error_class}
                | {"remedy": failure.remedy}
            )
        echo(f"Error: {line}", err=True)
        sys.exit(code)


def explained(error: BaseException) -> tuple[str, int]:
    """Return the failure and its remedy in one line, without customer data, and the exit code."""
    failure = failure_of(error)
    if isinstance(bunce_error(error), ThresholdError):
        return str(failure), 3
    return str(failure), 2 if failure.is_usage else 1


def _stopped() -> None:
    from dlt_bunce.cli.live_progress import same_command

    line = f"Stopped. Settled rows will not be sent again. Resume with: {same_command()}"
    echo(line, err=True)
    sys.exit(1)
