"""The runs of replays: one at a time, and each recorded, also one that fails or is killed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from dlt.common.configuration.exceptions import ConfigurationException

from dlt_bunce.destination.client import BunceClient
from dlt_bunce.destination.runs.failed_runs import failed
from dlt_bunce.destination.runs.run_context import FailedRun
from dlt_bunce.destination.runs.run_summary import add_up
from dlt_bunce.errors import BunceError, StoreError
from dlt_bunce.failures import failure_of, is_stopped
from dlt_bunce.model import Failure, RunSummary
from dlt_bunce.store.accounts import Account
from dlt_bunce.store.database import Database, utc_now
from dlt_bunce.store.letters.dead_letter_query import list_recent
from dlt_bunce.store.letters.selection import Selection
from dlt_bunce.store.runs import runs

NAME = "dead letters"
"""What a replay loads, as people call it."""


@contextmanager
def recorded_failure(
    client: BunceClient,
    selection: Selection,
    started_at: str,
    summaries: Callable[[], list[RunSummary]],
) -> Iterator[None]:
    """Record why a replay of `selection` fails, and keep its figures in the run context.

    The replay began at `started_at` (as of `utc_now`); `summaries` returns those of its runs.
    """
    try:
        yield
    except BaseException as error:
        failure, state = failure_of(error), "stopped" if is_stopped(error) else "failed"
        with suppress(BunceError):  # an unreadable store may be why
            _record(client.database(), client.config.account, selection, started_at, state, failure)
        summary = failed(add_up(summaries(), "replay"), failure, state)
        client.context.failures.append(FailedRun(summary))
        raise


@contextmanager
def recorded_unconfigured(
    selection: Selection | None, store_settings: Callable[[], tuple[str, str]]
) -> Iterator[None]:
    """Record why a replay of `selection` fails before it has a client, such as for want of a key.

    `store_settings` returns the URL of the store and the account.
    """
    started_at = utc_now()
    try:
        yield
    except Exception as error:
        # the error itself is reported, and may be why the store's settings cannot be read
        with suppress(BunceError, ConfigurationException):
            url, account = store_settings()
            chosen = replace(selection or Selection(), status="open")
            _record(Database(url), account, chosen, started_at, "failed", failure_of(error))
        raise


def _record(
    database: Database,
    account: str,
    selection: Selection,
    started_at: str,
    state: str,
    failure: Failure,
) -> None:
    if database.exists():
        with database as db:
            record_unsent(db, account, selection, started_at, state, failure)


def record_unsent(
    db: Database,
    account: str,
    selection: Selection,
    started_at: str,
    state: str,
    failure: Failure | None = None,
) -> None:
    """Write the run of a replay that has sent nothing, if there was anything to send."""
    run_id = f"{runs.REPLAY}{started_at}"
    begun = "SELECT 1 AS n FROM bunce_runs WHERE account = $1 AND run_id = $2"
    chosen = list_recent(db, account, selection, limit=1)
    if db.rows(begun, (account, run_id)) or not chosen:
        return
    name = chosen[0]["pipeline_name"]
    with db.transaction():
        runs.finish(db, run_id, name, account, state, failure, started_at=started_at, source=NAME)


@contextmanager
def alone(db: Database, account: Account) -> Iterator[None]:
    """Run one replay at a time, and release what an earlier, interrupted one still claims.

    Raises StoreError while another replay is running.
    """
    with db.alone("replay") as locked:
        if not locked:
            raise StoreError(
                "Another replay is running.", remedy="Wait for it to finish, then run this again."
            )
        db.execute(
            "UPDATE bunce_customers SET lease_until = 0 WHERE account = $1 AND claim_batch LIKE $2",
            (account.name, f"{runs.REPLAY}%"),
        )
        db.execute("DELETE FROM bunce_leases WHERE claim_batch LIKE $1", (f"{runs.REPLAY}%",))
        for run in db.rows(
            "SELECT run_id, pipeline_name, seen_at FROM bunce_runs WHERE account = $1 "
            "AND run_id LIKE $2 AND state = 'running'",
            (account.name, f"{runs.REPLAY}%"),
        ):
            with db.transaction():
                runs.finish(
                    db,
                    run["run_id"],
                    run["pipeline_name"],
                    account.name,
                    "interrupted",
                    runs.PROCESS_ENDED,
                    ended_at=run["seen_at"],
                )
        yield
