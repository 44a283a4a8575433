"""Options that select dead letters, combined into one Selection."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dlt_bunce.cli import options
from dlt_bunce.cli.failures import reported
from dlt_bunce.errors import UsageError
from dlt_bunce.records.mapping.schema import FIELDS
from dlt_bunce.reject_codes import REJECT_CODES

if TYPE_CHECKING:
    from dlt_bunce.store.letters.selection import Selection

STATUSES = ("open", "resolved", "superseded", "discarded")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class LetterId(click.ParamType):  # type: ignore[type-arg]  # not generic in click 8.1
    """A dead letter's id, or a prefix of it; anything else would match none, or all."""

    name = "id"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the id in lower case."""
        if not re.fullmatch("[0-9a-f]+", str(value).lower()):
            self.fail(f"{value!r} is not a dead letter id or a prefix of one.", param, ctx)
        return str(value).lower()


class Moment(click.ParamType):  # type: ignore[type-arg]  # not generic in click 8.1
    """An ISO 8601 date or time, local unless it names a zone, or an age such as 24h."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Return an aware datetime, whichever form is given."""
        text = str(value)
        try:
            if ago := re.fullmatch(r"([0-9]+)([mhdw])", text):
                return datetime.now(timezone.utc) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
            # Python 3.10 does not parse the Z
            return datetime.fromisoformat(re.sub("[zZ]$", "+00:00", text)).astimezone()
        except (ValueError, OverflowError):
            self.fail(
                f"{text!r} is not a time. Use 2026-11-01, 2026-11-01T09:30, 2026-11-01T09:30:00Z, "
                "or an age such as 30m, 24h, 7d, or 2w.",
                param,
                ctx,
            )


class Age(click.ParamType):  # type: ignore[type-arg]  # not generic in click 8.1
    """An age such as 90d, converted to the UTC time that long ago."""

    name = "age"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Return the UTC time that long ago; a number without a unit counts days."""
        text = str(value)
        found = re.fullmatch(r"([0-9]+)([mhdw]?)", text)
        if not found:
            self.fail(f"{text!r} is not an age. Use 90d, 12w, or 24h.", param, ctx)
        try:
            age = timedelta(**{_UNITS[found[2] or "d"]: int(found[1])})
            return datetime.now(timezone.utc) - age
        except OverflowError:
            self.fail(f"{text!r} is too far in the past.", param, ctx)


_FILTERS = (
    click.option(
        "--code",
        "codes",
        multiple=True,
        type=click.Choice(list(REJECT_CODES)),
        metavar="CODE",
        help="Only this reject code; may be repeated.",
    ),
    click.option(
        "--field",
        "fields",
        multiple=True,
        type=click.Choice(FIELDS),
        metavar="FIELD",
        help="Only dead letters about this Bunce field, such as phone_no; may be repeated.",
    ),
    click.option(
        "--since",
        type=Moment(),
        help="Only dead letters last rejected at this time or later: 2026-11-01, "
        "2026-11-01T09:30, or an age such as 24h, 7d, or 2w. Rows that were only held again since "
        "do not count. Local time unless a zone is given: 2026-11-01T09:30Z.",
    ),
    click.option(
        "--until", type=Moment(), help="Only dead letters last rejected before this time."
    ),
    click.option(
        "--run",
        "run_ids",
        multiple=True,
        metavar="RUN_ID",
        help="Only dead letters of this run, by its full id as shown by `status`; may be repeated.",
    ),
    click.option(
        "--id",
        "ids",
        multiple=True,
        type=LetterId(),
        help="Only this id or id prefix; may be repeated.",
    ),
)
_CUSTOMER = options.chosen_customers("this customer's dead letters")
_STATUS = click.option(
    "--status",
    type=click.Choice([*STATUSES, "all"]),
    default="open",
    show_default=True,
    help="Only dead letters with this status.",
)


def filters(*, status: bool) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add the options that select dead letters, and pass them to the command as one `selection`.

    Without `status` the command selects open dead letters only.
    """

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def chosen(
            *,
            codes: tuple[str, ...],
            fields: tuple[str, ...],
            since: datetime | None,
            until: datetime | None,
            run_ids: tuple[str, ...],
            ids: tuple[str, ...],
            customers: tuple[str, ...],
            status: str = "open",
            **others: Any,
        ) -> None:
            from dlt_bunce.store.letters.selection import Selection

            if since and until and since >= until:
                raise click.UsageError(
                    "--since must be before --until, or no dead letter can match."
                )
            with reported():
                ids_of_customers = customer_ids(customers)
            selection = Selection(
                status=None if status == "all" else status,
                # an option that is not given is no filter
                codes=codes or None,
                fields=fields or None,
                run_ids=run_ids or None,
                ids=ids or None,
                customer_ids=ids_of_customers or None,
                since=since,
                until=until,
            )
            function(selection=selection, **others)

        for option in reversed((*_FILTERS, _CUSTOMER, *([_STATUS] if status else []))):
            option(chosen)
        return chosen

    return decorate


def customer_ids(given: Sequence[str]) -> list[str]:
    """Return the customer ids of --customer, with those of the files that begin with @.

    Raises UsageError for an empty id, which would otherwise select everything, and for a file
    without ids.
    """
    from dlt_bunce.records.text.text import without_invisible

    found: list[str] = []
    for text in given:
        ids = _ids_in(Path(text[1:])) if text.startswith("@") else [without_invisible(text)]
        if not all(ids) or not ids:
            raise UsageError(
                f"{text[1:]} contains no customer ids." if ids == [] else "--customer is empty.",
                remedy="Pass an id, or @FILE with one id per line.",
            )
        found += ids
    return found


def _ids_in(file: Path) -> list[str]:
    from dlt_bunce.cli.id_files import ids_in

    return ids_in(file, None)


def store_of(selection: Selection, store_url: str | None, account: str | None) -> tuple[str, str]:
    """Return the store URL and the account, as given or else as configured.

    Raises UsageError for an account or a run that does not exist, and for an id that no dead letter
    of the selection's status has: a typo must not look like an empty result.
    """
    from dlt_bunce.store.accounts import refuse_unknown_account
    from dlt_bunce.store.database import Database
    from dlt_bunce.store.letters.dead_letter_query import pages
    from dlt_bunce.store.letters.selection import Selection

    store_url, account = options.store_settings(store_url, account)
    with Database(store_url, read_only=True) as db:
        refuse_unknown_account(db, account)
        for prefix in selection.ids or ():
            wanted = Selection(status=selection.status, ids=[prefix])
            if not any(pages(db, account, wanted, size=1)):
                kind = "" if selection.status is None else f"{selection.status} "
                raise UsageError(
                    f"No {kind}dead letter has an id starting with {prefix!r}.",
                    remedy="List the ids with: dlt-bunce dead-letters list --status all",
                )
        for run in selection.run_ids or ():
            if not db.rows(
                "SELECT 1 AS n FROM bunce_runs WHERE account = $1 AND run_id = $2", (account, run)
            ):
                raise UsageError(
                    f"Run {run!r} does not exist.",
                    remedy="List the runs with: dlt-bunce status --runs 50",
                )
    return store_url, account


def pages_of(selection: Selection, store_url: str, account: str) -> Iterator[list[dict[str, Any]]]:
    """Yield pages of the selected dead letters, with the store open until the last one."""
    from dlt_bunce.store.database import Database
    from dlt_bunce.store.letters.dead_letter_query import pages

    with Database(store_url, read_only=True) as db:
        yield from pages(db, account, selection)
