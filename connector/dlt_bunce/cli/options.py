"""Options and settings that commands share: the store, the source, and the destination."""

from __future__ import annotations

import dataclasses
import functools
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click
from click.shell_completion import CompletionItem

from dlt_bunce.cli.plain_settings import plain_setting
from dlt_bunce.cli.printable import echo
from dlt_bunce.logs import is_terminal

if TYPE_CHECKING:
    from dlt_bunce.destination.client import BunceClient
    from dlt_bunce.destination.factory import bunce
    from dlt_bunce.records.mapping.schema import ColumnNames

_F = TypeVar("_F", bound=Callable[..., Any])

NO_TERMINAL = "Cannot prompt for confirmation: stdin is not a terminal."


def can_ask() -> bool:
    """Return whether there is somebody at a terminal to answer a question."""
    # without a terminal, stdin may be closed or missing
    return is_terminal(sys.stdin)


def _filled(_context: click.Context, _parameter: click.Parameter, text: str | None) -> str | None:
    """Refuse an empty value, which an unset variable of a script leaves behind."""
    if text is not None and not text.strip():
        raise click.BadParameter("It is empty. Give it a value, or leave the option out.")
    return text


def store_options(function: _F) -> _F:
    """Add --store-url, --account, and --json."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
        click.option(
            "--account", callback=_filled, help="Account in the store (default: as configured)."
        ),
        click.option(
            "--store-url",
            callback=_filled,
            help="Database of the ledger (default: as configured).",
        ),
    ):
        function = option(function)
    return function


def link_option(function: _F) -> _F:
    """Add --on-email-taken."""
    return click.option(
        "--on-email-taken",
        type=click.Choice(["reject", "link"]),
        help="What to do if Bunce has a row's email under another id (default: as configured).",
    )(function)


MOST = 1_000_000_000
"""The largest number of entries that can be asked for; a store's integers end far above it."""
SHOWN = 50
"""How many entries a list shows, unless --limit or --json is given."""
limit_option = click.option(
    "--limit",
    type=click.IntRange(1, MOST),
    help=f"Maximum number to show (default: {SHOWN}; with --json, all).",
)


def chosen_customers(what: str) -> Callable[[_F], _F]:
    """Add --customer, whose values `customer_ids` reads; `what` is selected by it."""
    return click.option(
        "--customer",
        "customers",
        multiple=True,
        metavar="ID",
        help=f"Only {what}; may be repeated. @FILE reads ids from a file: one per line, or the "
        "customer_id column of a .csv or .parquet.",
    )


def source_options(function: _F) -> _F:
    """Add SOURCE and the options to read it, and pass them to the command as one `origin`."""
    from dlt_bunce.cli.source_args import Origin

    names = [field.name for field in dataclasses.fields(Origin)]

    @functools.wraps(function)
    def with_origin(**given: Any) -> Any:
        origin = Origin(**{name: given.pop(name) for name in names})
        return function(origin=origin, **given)

    wrapped: Any = with_origin
    dispositions = click.Choice(["append", "merge"])
    for option in (
        click.option(
            "--pipeline-name",
            "name",
            callback=_filled,
            help="Name of the dlt pipeline (default: derived from the source).",
        ),
        click.option("--limit", type=click.IntRange(1, MOST), help="Read at most this many rows."),
        click.option(
            "--date-format",
            metavar="FORMAT",
            help="strptime format of a text version column, such as %d/%m/%Y.",
        ),
        click.option(
            "--version-column",
            help="Column that increases whenever a row changes; '' if it no longer has one.",
        ),
        click.option(
            "--disposition",
            type=dispositions,
            default="merge",
            show_default=True,
            help="append only creates customers; merge also updates them.",
        ),
        click.option(
            "--map",
            "maps",
            multiple=True,
            metavar="FIELD=COLUMN",
            help="Column for a Bunce field; of several for one field, the first filled counts.",
        ),
        click.option(
            "--default-region",
            metavar="CODE",
            help="Country code of national phone numbers, such as NG.",
        ),
        click.option(
            "--default",
            "defaults",
            multiple=True,
            metavar="FIELD=VALUE",
            help="Value for rows in which a field is blank; may be repeated.",
        ),
        click.option(
            "--values-only",
            is_flag=True,
            help="Rows hold values of customers who are loaded elsewhere; none is created.",
        ),
        click.option(
            "--segments-min-share",
            type=click.FloatRange(0, 1),
            help="Share of members and rows that must be there before absent members are removed.",
        ),
        click.option(
            "--segments-whole/--no-segments-whole",
            default=None,
            help="Whether members whom SOURCE does not have as true are removed from the segments.",
        ),
        click.option(
            "--segment",
            multiple=True,
            metavar="COLUMN=NAME",
            help="Manual segment that a boolean column feeds; may be repeated.",
        ),
        click.option(
            "--attribute",
            multiple=True,
            metavar="COLUMN=NAME",
            help="Attribute that a column feeds; may be repeated. '*' alone takes all columns that "
            "are not mapped, under their own names.",
        ),
        click.option(
            "--sheet", callback=_filled, help="Sheet of an Excel workbook (default: the first)."
        ),
        click.option(
            "--encoding",
            callback=_filled,
            help="Encoding of text files (default: detected). Central European files in cp1250 "
            "need it: most of them could be cp1252 as well.",
        ),
        click.option("--query", callback=_filled, help="Query to run on a database."),
        click.option(
            "--table",
            callback=_filled,
            help="Table or view of a database, with its schema if needed.",
        ),
        click.argument("source", shell_complete=_complete_files),
    ):
        wrapped = option(wrapped)
    return cast("_F", wrapped)


def _complete_files(
    _context: click.Context, _parameter: click.Parameter, typed: str
) -> list[CompletionItem]:
    return [CompletionItem(typed, type="file")]


def read_config() -> None:
    """Read settings from ./config.toml, if it exists, besides the places where dlt looks."""
    from dlt_bunce.destination.settings.config_file import refuse_unknown_settings, use_config

    use_config()
    refuse_unknown_settings()


def store_settings(store_url: str | None, account: str | None) -> tuple[str, str]:
    """Return the store URL and the account, as given or else as configured; needs no API key."""
    url, name = store_url or plain_setting("store_url"), account or plain_setting("account")
    if url and name:
        return url, name
    from dlt_bunce.destination.settings import config_file

    return config_file.store_settings(store_url, account)


def requests_per_minute() -> int:
    """Return the configured request budget."""
    plain = plain_setting("requests_per_minute")
    if plain is not None and plain.isdecimal():
        return int(plain)
    import dlt

    from dlt_bunce.destination.settings.configuration import BunceConfiguration

    read_config()
    name = "requests_per_minute"
    given = dlt.config.get(f"destination.bunce.{name}", int)
    return int(getattr(BunceConfiguration, name) if given is None else given)


def configured_mapping() -> dict[str, ColumnNames]:
    """Return field to columns, as configured."""
    from dlt_bunce.destination.settings.config_file import configured

    return configured("mapping")


def wait_for_run() -> float:
    """Return the configured seconds to wait for another run."""
    import dlt

    from dlt_bunce.destination.settings.configuration import BunceConfiguration

    read_config()
    given = dlt.config.get("destination.bunce.wait_for_run", float)
    return float(BunceConfiguration.wait_for_run if given is None else given)


def report_waiting(sentence: str) -> None:
    """Print a line when a command has to wait for another run."""
    echo(sentence, err=True)


def exit_if_remains(remains: str | None) -> None:
    """Exit with 1 if deleted bytes may remain in the database files."""
    if remains:
        echo(f"Error: Deleted, but not overwritten on disk: {remains}.", err=True)
        sys.exit(1)


def destination(*, ask: bool = True, **settings: Any) -> bunce:
    """Return the configured destination. If no API key is configured, prompt for one on a
    terminal, unless `ask` is false.
    """
    import dlt

    from dlt_bunce.destination.factory import bunce

    read_config()
    key: Any = dlt.secrets.get("destination.bunce.credentials.api_key") or dlt.secrets.get(
        "destination.bunce.credentials"
    )
    if not key and ask and can_ask():
        settings["credentials"] = click.prompt("Bunce API key", hide_input=True, err=True)
    return bunce(**{name: value for name, value in settings.items() if value is not None})


def client(*, ask: bool = True, **settings: Any) -> BunceClient:
    """Return a client of the configured destination, outside of any pipeline."""
    from dlt.common.schema import Schema

    return destination(ask=ask, **settings).client(Schema("bunce"))
