"""The runs of replays: one at a time, and each recorded, also one that fails or is killed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from dlt_bunce.destination.client import BunceClient
from dlt_bunce.destination.failed_runs import failed
from dlt_bunce.destination.run_summary import add_up
from dlt_bunce.errors import BunceError, StoreError
from dlt_bunce.failures import failure_of, is_stopped
from dlt_bunce.model import Failure, RunSummary
from dlt_bunce.store import runs
from dlt_bunce.store.accounts import Account
from dlt_bunce.store.database import Database
from dlt_bunce.store.dead_letter_query import list_recent
from dlt_bunce.store.selection import Selection

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
            _record(client, selection, started_at, failure, state)
        client.context.failures.append(failed(add_up(summaries(), "replay"), failure, state))
        raise


def _record(
    client: BunceClient, selection: Selection, started_at: str, failure: Failure, state: str
) -> None:
    """Write the run of a replay that failed before it sent anything, if there was anything."""
    database, account = client.database(), client.config.account
    if not database.exists():
        return
    run_id = f"{runs.REPLAY}{started_at}"
    with database as db:
        begun = "SELECT 1 AS n FROM bunce_runs WHERE account = $1 AND run_id = $2"
        chosen = list_recent(db, account, selection, limit=1)
        if db.rows(begun, (account, run_id)) or not chosen:
            return
        name = chosen[0]["pipeline_name"]
        with db.transaction():
            runs.finish(
                db, run_id, name, account, state, failure, started_at=started_at, source=NAME
            )


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
