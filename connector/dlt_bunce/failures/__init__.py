"""Why something failed, in one line with a remedy, whoever raised the error.

Messages of this package's errors are shown whole. Those of other libraries may hold values of rows
or secrets, so each kind that is known is translated, and of any other only the type and the line of
code are shown.
"""

from __future__ import annotations

from dataclasses import replace

from dlt_bunce.errors import BunceError, StoppedError, UsageError, bunce_error, inside
from dlt_bunce.failures.data import data_failure
from dlt_bunce.failures.databases import database_failure
from dlt_bunce.failures.hints import WRONG_HINTS
from dlt_bunce.failures.known import EXPLAINED, SETTINGS_FILE, encoded_otherwise
from dlt_bunce.model import Failure

_SETTINGS = frozenset(
    {
        *WRONG_HINTS,
        "ConfigFieldMissingException",
        "ConfigValueCannotBeCoercedException",
        "DataValidationError",
        "TableIdentifiersFrozen",
    }
)


def failure_of(error: BaseException) -> Failure:
    """Return why an exception was raised, without customer data or secrets."""
    found = bunce_error(error)
    if found is None and is_stopped(error):
        found = StoppedError(
            "Stopped before everything was loaded.",
            remedy="The next run loads the rest; settled rows are not sent again.",
        )
    return _foreign(_chain(error)) if found is None else _ours(found)


def known_mistake(error: BaseException) -> Failure | None:
    """Return what is wrong with the settings, if dlt found that: its own text takes a page."""
    failure = _foreign(_chain(error))
    return failure if failure.error_class in _SETTINGS else None


def is_stopped(error: BaseException) -> bool:
    """Return whether a run was ended early by SIGINT or SIGTERM."""
    return any(isinstance(cause, StoppedError | KeyboardInterrupt) for cause in inside(error))


def _ours(error: BunceError) -> Failure:
    name, is_usage = type(error).__name__, isinstance(error, UsageError)
    return Failure(name, error.message, error.remedy, is_usage=is_usage)


def _chain(error: BaseException) -> list[BaseException]:
    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) and cause not in chain:
        chain.append(cause)
    return chain


def _foreign(chain: list[BaseException]) -> Failure:
    """Return what the innermost known error says; of any other, only the type and the place."""
    for error in chain:
        if type(error).__name__ in WRONG_HINTS:
            return WRONG_HINTS[type(error).__name__](error)
        if type(error).__name__ == SETTINGS_FILE and (read := encoded_otherwise(error)) is not None:
            return read
    for place, error in reversed(list(enumerate(chain))):
        if isinstance(error, OSError) and any(map(database_failure, chain[:place])):
            continue  # the database's driver says more than "connection refused"
        known = next((b.__name__ for b in type(error).__mro__ if b.__name__ in EXPLAINED), None)
        if known is not None:
            return EXPLAINED[known](error)
        found = database_failure(error) or data_failure(error)
        if found is not None:
            return replace(found, error=f"{_place(chain)}{found.error}")
    name = type(chain[-1]).__name__
    return Failure(
        name,
        f"{_place(chain)}Unexpected {name} in {_raised_in(chain[-1])}.",
        "If it repeats, report it at the project's issue tracker, with this line and the output of "
        "dlt-bunce doctor.",
    )


def _place(chain: list[BaseException]) -> str:
    """Return what was being read or loaded, if dlt's exceptions say so."""
    for error in chain:
        resource = getattr(error, "pipe_name", None)
        if isinstance(resource, str) and resource:
            return f"Reading {resource}: "
    return ""


def _raised_in(error: BaseException) -> str:
    """Return the module and line that raised an exception: the code, never a value."""
    trace = error.__traceback__
    if trace is None:
        return "an unknown place"
    while trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_globals.get('__name__', '?')}, line {trace.tb_lineno}"
