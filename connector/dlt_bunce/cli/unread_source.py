"""A load whose source cannot be opened: recorded like any other run that fails."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from dlt_bunce.cli import options
from dlt_bunce.errors import BunceError, SourceError

if TYPE_CHECKING:
    from dlt_bunce.cli.source_args import Origin


@contextlib.contextmanager
def unread_source(origin: Origin, store_url: str | None, account: str | None) -> Iterator[None]:
    """Record a SourceError of the block if the same command has loaded before.

    A file that is missing for the first time is a mistake; one that was there yesterday is not. An
    error that comes while rows are read is recorded by the run itself.
    """
    from dlt_bunce.store.database import utc_now

    started_at = utc_now()
    try:
        yield
    except SourceError as error:
        if click.get_current_context().params["dry_run"]:
            raise  # a dry run writes nothing
        with contextlib.suppress(BunceError):
            _record(origin, error, *options.store_settings(store_url, account), started_at)
        raise


def _record(
    origin: Origin, error: SourceError, store_url: str, account: str, started_at: str
) -> None:
    from dlt_bunce.failures import failure_of
    from dlt_bunce.store import failures
    from dlt_bunce.store.database import Database

    database = Database(store_url)
    if not database.exists():
        return
    with database as db:
        rows = db.rows(
            "SELECT pipeline_name, started_at FROM bunce_runs WHERE account = $1 "
            "AND pipeline_name LIKE $2 ORDER BY COALESCE(number, 0) DESC LIMIT 1",
            (account, f"{origin.name or origin.family(store_url, account)}%"),
        )
        # a run that began after this command has recorded the error
        if rows and rows[0]["started_at"] < started_at:
            failures.record(
                db,
                account,
                rows[0]["pipeline_name"],
                failure_of(error),
                state="failed",
                load_ids=[],
                started_at=started_at,
                source=origin.label,
            )
