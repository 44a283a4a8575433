"""Options that select rejected values, combined into one ValueSelection."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from dlt_bunce.cli import options
from dlt_bunce.cli.failures import reported
from dlt_bunce.reject_codes import VALUE_CODES

if TYPE_CHECKING:
    from dlt_bunce.store.values.rejected_values import ValueSelection

_FILTERS = (
    click.option(
        "--attribute",
        "attributes",
        multiple=True,
        metavar="NAME",
        help="Only this attribute, by its name in Bunce; may be repeated.",
    ),
    click.option(
        "--segment",
        "segments",
        multiple=True,
        metavar="NAME",
        help="Only this segment, by its name in Bunce; may be repeated.",
    ),
    click.option(
        "--code",
        "codes",
        multiple=True,
        type=click.Choice(list(VALUE_CODES)),
        metavar="CODE",
        help="Only this reject code of values; may be repeated.",
    ),
    options.chosen_customers("this customer"),
    click.option(
        "--pipeline",
        "pipelines",
        multiple=True,
        metavar="NAME",
        help="Only values that this dlt pipeline loaded last; may be repeated.",
    ),
)


_DISCARDED = click.option(
    "--discarded", is_flag=True, help="Only values that were discarded, and have not changed since."
)


def filters(*, discarded: bool = True) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add the options that select rejected values, passed to the command as one `selection`.

    Without `discarded`, the command never selects values that were discarded.
    """

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def chosen(
            *,
            attributes: tuple[str, ...],
            segments: tuple[str, ...],
            codes: tuple[str, ...],
            customers: tuple[str, ...],
            pipelines: tuple[str, ...],
            discarded: bool = False,
            **others: Any,
        ) -> None:
            from dlt_bunce.cli.dead_letters.filters import customer_ids
            from dlt_bunce.store.values.rejected_values import ValueSelection

            with reported():
                ids = customer_ids(customers)
            # an option that is not given is no filter
            selection = ValueSelection(
                attributes=attributes or None,
                segments=segments or None,
                codes=codes or None,
                customer_ids=ids or None,
                pipelines=pipelines or None,
                discarded=discarded,
            )
            function(selection=selection, **others)

        for option in reversed((*_FILTERS, *([_DISCARDED] if discarded else []))):
            option(chosen)
        return chosen

    return decorate


def store_of(
    selection: ValueSelection, store_url: str | None, account: str | None
) -> tuple[str, str]:
    """Return the store's URL and the account. Raises UsageError for a filter that names nothing."""
    from dlt_bunce.store.accounts import refuse_unknown_account
    from dlt_bunce.store.database import Database
    from dlt_bunce.store.values import rejected_values

    url, name = options.store_settings(store_url, account)
    with Database(url, read_only=True) as db:
        refuse_unknown_account(db, name)
        rejected_values.refuse_unknown(db, name, selection)
    return url, name
