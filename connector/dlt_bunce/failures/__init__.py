"""Why something failed, in one line with a remedy, whoever raised the error.

Messages of this package's errors are shown whole. Those of other libraries may hold values of rows
or secrets, so each kind that is known is translated, and of any other only the type is shown.
"""

from __future__ import annotations

from dlt_bunce.errors import BunceError, StoppedError, UsageError, bunce_error, inside
from dlt_bunce.failures.known import EXPLAINED
from dlt_bunce.model import Failure

# source errors whose first line names tables, hosts, and files, never values of rows
_WRONG = frozenset(
    {
        "BinderException",
        "CatalogException",
        "InvalidSchemaName",
        "ParserException",
        "SyntaxError",
        "UndefinedColumn",
        "UndefinedFunction",
        "UndefinedTable",
    }
)
_BROKEN = frozenset(
    {
        "ConnectionException",
        "DatabaseError",
        "EndpointConnectionError",
        "FileNotFoundError",
        "IOException",
        "InsufficientPrivilege",
        "NoCredentialsError",
        "OperationalError",
        "PermissionError",
    }
)


def failure_of(error: BaseException) -> Failure:
    """Return why an exception was raised, without customer data or secrets."""
    found = bunce_error(error)
    return _foreign(_chain(error)) if found is None else _ours(found)


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
    """Return the message of the innermost known error; of any other, only the type."""
    for error in reversed(chain):
        name = type(error).__name__
        if name in EXPLAINED:
            return Failure(name, EXPLAINED[name](error), is_usage=True)
        if name in _WRONG | _BROKEN:
            first = next(iter(str(error).strip().splitlines()), name)
            text = f"The source cannot be read: {first}"
            return Failure(name, text, is_usage=name in _WRONG)
    name = type(chain[-1]).__name__
    return Failure(
        name,
        f"Unexpected {name}.",
        "Run again with RUNTIME__LOG_LEVEL=INFO to see where it was raised.",
    )
