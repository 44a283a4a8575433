"""Report every failure as one line and an exit code."""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import click

from dlt_bunce.errors import BunceError, MappingError, ThresholdError, UsageError, bunce_error

EXIT_CODES: Mapping[int, str] = MappingProxyType(
    {
        0: "success: every row has a fate, and rows that could not be loaded are dead letters",
        1: "failure: Bunce, the store, or the source could not be used; run the same command again",
        2: "usage error: correct an argument or a setting first; nothing was sent",
        3: "loaded, but over a threshold, such as `max_reject_share`",
    }
)
BAD_URL = "The source URL cannot be parsed. Use driver://user@host:port/database."

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


@contextlib.contextmanager
def reported() -> Iterator[None]:
    """Print a failure of the block on stderr without a stack trace; exit with 1, 2, or 3."""
    try:
        yield
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except KeyboardInterrupt:
        _stopped()
    except Exception as error:  # noqa: BLE001, every failure ends up here
        if any(isinstance(cause, KeyboardInterrupt) for cause in _chain(error)):
            _stopped()
        line, code = explained(error)
        click.echo(f"Error: {line}", err=True)
        sys.exit(code)


def explained(error: BaseException) -> tuple[str, int]:
    """Return the failure and its remedy in one line, without customer data, and the exit code."""
    found = bunce_error(error)
    line, code = _foreign(_chain(error)) if found is None else _ours(found)
    return " ".join(line.split()), code


def _stopped() -> None:
    from dlt_bunce.cli.live_progress import same_command

    line = f"Stopped. Settled rows will not be sent again. Resume with: {same_command()}"
    click.echo(line, err=True)
    sys.exit(1)


def _chain(error: BaseException) -> list[BaseException]:
    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) and cause not in chain:
        chain.append(cause)
    return chain


def _ours(error: BunceError) -> tuple[str, int]:
    if isinstance(error, MappingError) and error.suggested:
        words = [error.message, f"Try: {_command_with(error.suggested)}", error.unresolved]
        return " ".join(filter(None, words)), 2
    if isinstance(error, ThresholdError):
        return str(error), 3
    return str(error), 2 if isinstance(error, UsageError) else 1


def _command_with(suggested: Sequence[str]) -> str:
    """Return the command as it was called, with these options for their fields."""
    from dlt_bunce.cli.live_progress import words_of_command

    given = words_of_command() or ["dlt-bunce", "check", "SOURCE"]
    fields = {word.partition("=")[0] for word in suggested if not word.startswith("--")}
    kept: list[str] = []
    for word in given:
        value = word.removeprefix("--map=")
        if value.partition("=")[0] in fields and (value != word or kept[-1:] == ["--map"]):
            kept = kept if value != word else kept[:-1]
        else:
            kept.append(word)
    return shlex.join([*kept, *suggested])


def _foreign(chain: list[BaseException]) -> tuple[str, int]:
    """Return the message of the innermost known error; of any other, only the type."""
    for error in reversed(chain):
        name = type(error).__name__
        if name in _EXPLAINED:
            return _EXPLAINED[name](error), 2
        if name in _WRONG | _BROKEN:
            first = next(iter(str(error).strip().splitlines()), name)
            return f"The source cannot be read: {first}", 2 if name in _WRONG else 1
    name = type(chain[-1]).__name__
    return (
        f"Unexpected {name}. Run again with RUNTIME__LOG_LEVEL=INFO to see where it was raised.",
        1,
    )


def _missing(error: Any) -> str:
    if error.spec_name.startswith("Bunce"):
        return (
            "No API key is set. Set DESTINATION__BUNCE__CREDENTIALS__API_KEY, or api_key under "
            "[destination.bunce.credentials] in .dlt/secrets.toml."
        )
    if error.spec_name.startswith("Filesystem"):
        return (
            "No credentials for the source. Set SOURCES__FILESYSTEM__CREDENTIALS__… (for S3, "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY), or the same names under "
            "[sources.filesystem.credentials] in .dlt/secrets.toml."
        )
    return f"Missing required settings: {', '.join(error.fields)}."


def _no_driver(error: Any) -> str:
    # SQLAlchemy's text ends in the driver's name, with a dot where the URL has a plus
    scheme = str(error).rpartition(":")[2].replace(".", "+")
    return (
        f"No driver for {scheme}:// is installed. Check the start of the URL, or install the "
        "driver that SQLAlchemy lists for that database, such as snowflake-sqlalchemy."
    )


_DRIVERS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "MySQLdb": ("dlt-bunce[mysql]", "mysql://"),
        "cx_Oracle": ("oracledb", "oracle+oracledb://"),
        "duckdb": ("dlt-bunce[duckdb]", "duckdb:///"),
        "oracledb": ("oracledb", "oracle+oracledb://"),
        "psycopg": ("dlt-bunce[postgres]", "postgresql://"),
        "psycopg2": ("dlt-bunce[postgres]", "postgresql://"),
        "pymysql": ("dlt-bunce[mysql]", "mysql://"),
        "pyodbc": ("pyodbc", "mssql+pyodbc://"),
        "snowflake": ("snowflake-sqlalchemy", "snowflake://"),
        "sqlalchemy": ("dlt-bunce[sql]", "the same URL"),
    }
)
"""Module to the package to install, and the start of the URL that selects it."""


def _no_module(error: Any) -> str:
    module = str(error.name).split(".", maxsplit=1)[0]
    needed = f"The Python module {error.name} is required but not installed."
    if module in _DRIVERS:
        package, url = _DRIVERS[module]
        return f"{needed} Install it with pip install '{package}', and use {url}."
    return (
        f"{needed} Install the source's driver, or one of dlt-bunce's extras: duckdb, emulator, "
        "mysql, postgres, report, s3, sql, ui."
    )


_EXPLAINED: dict[str, Any] = {
    "ConfigFieldMissingException": _missing,
    "ConfigValueCannotBeCoercedException": lambda error: (
        f"The setting {error.field_name} is not a valid "
        f"{getattr(error.hint, '__name__', error.hint)}."
    ),
    "ArgumentError": lambda _: BAD_URL,
    "InvalidConnectionString": lambda _: BAD_URL,
    "MissingDependencyException": lambda error: (
        f"The source needs packages that are not installed: {', '.join(error.dependencies)}."
    ),
    "ModuleNotFoundError": _no_module,
    "NoSuchModuleError": _no_driver,
    "NoSuchTableError": lambda error: f"Table or view {error} does not exist.",
}
