"""Turns every failure into one line and an exit code."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

import click

from dlt_bunce.errors import BunceError, RejectThresholdError, UsageError

# errors of sources whose first line names tables, hosts, and files, never values of rows
_TOLD = frozenset(
    {
        "BinderException",
        "CatalogException",
        "ConfigFieldMissingException",
        "ConnectionException",
        "FileNotFoundError",
        "IOException",
        "ModuleNotFoundError",
        "NoSuchModuleError",
        "NoSuchTableError",
        "OperationalError",
        "ParserException",
        "PermissionError",
        "UndefinedTable",
    }
)


@contextlib.contextmanager
def reported() -> Iterator[None]:
    """Prints what went wrong on stderr, without a stack trace, and exits with 1, 2, or 3."""
    try:
        yield
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except KeyboardInterrupt:
        click.echo("Stopped. What is settled is not sent again; run the same command.", err=True)
        sys.exit(1)
    except Exception as error:  # noqa: BLE001, the one place where every failure ends
        from dlt_bunce.running import bunce_error

        found = bunce_error(error)
        click.echo(f"Error: {_line(found or error)}", err=True)
        if isinstance(found, RejectThresholdError):
            sys.exit(3)
        sys.exit(2 if isinstance(found, UsageError) else 1)


def _line(error: BaseException) -> str:
    if isinstance(error, BunceError):
        return str(error)
    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) and cause not in chain:
        chain.append(cause)
    for one in reversed(chain):
        name = type(one).__name__
        if name == "ConfigFieldMissingException":
            return _missing(one)
        if name in _TOLD:
            first = str(one).strip().splitlines()[0] if str(one).strip() else ""
            return f"{_TITLES.get(name, name)}: {first}"
    return (
        f"{type(chain[-1]).__name__}. Run again with RUNTIME__LOG_LEVEL=INFO to see where it "
        "happened."
    )


_TITLES = {
    "NoSuchTableError": "There is no such table or view",
    "CatalogException": "There is no such table",
    "OperationalError": "The database cannot be reached or refuses the statement",
}


def _missing(error: BaseException) -> str:
    fields = ", ".join(getattr(error, "fields", ())) or "a setting"
    if "api_key" in fields or "credentials" in fields:
        return (
            "No API key. Set DESTINATION__BUNCE__CREDENTIALS__API_KEY, or api_key under "
            "[destination.bunce.credentials] in .dlt/secrets.toml."
        )
    return f"A setting is missing: {fields}."
