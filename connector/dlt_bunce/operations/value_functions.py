"""What the command line does with rejected and waiting values, as functions for programs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dlt_bunce.errors import UsageError
from dlt_bunce.operations.functions import readable_store, store_of

if TYPE_CHECKING:
    from dlt_bunce.destination.factory import bunce
    from dlt_bunce.operations.rejected_values import Retried
    from dlt_bunce.store.database import Database
    from dlt_bunce.store.values.rejected_values import ValueSelection


@dataclass(frozen=True)
class RejectedValue:
    """An attribute value or segment member that is rejected now, without the value.

    `kind` is `attributes` or `segments`, and `name` is the name in Bunce. Times are ISO 8601 in
    UTC; `retry_at` is when `retry_values` chose it, until a load has read its row, and
    `discarded_at` is when `discard_values` did, until its value changes.
    """

    kind: str
    name: str
    column_name: str
    code: str
    customer_id: str
    message: str
    http_status: int | None
    first_seen_at: str
    last_seen_at: str
    retry_at: str | None
    discarded_at: str | None
    run_id: str
    pipeline_name: str


@dataclass(frozen=True)
class WaitingValues:
    """A row of a table of values that waits for its customer, without the values.

    `customer` is what is known of the customer: `unknown`, `rejected` (an open dead letter), or
    `accepted` since: then the row only has to be read again. `source` is what a command has read,
    and otherwise the table. `waiting_since` is ISO 8601 in UTC, and `run_id` is the run that read
    the row first.
    """

    customer_id: str
    customer: str
    source: str
    table_name: str
    pipeline_name: str
    waiting_since: str
    run_id: str


def rejected_values(
    selection: ValueSelection | None = None, *, destination: bunce | None = None
) -> Iterator[RejectedValue]:
    """Yield the attribute values and segment members that are rejected now; needs no API key.

    Raises StoreError, and UsageError for an account or a filter that names nothing.
    """
    from dlt_bunce.store.values import rejected_values as stored

    chosen = selection or stored.EVERY
    with readable_store(destination) as (db, account):
        stored.refuse_unknown(db, account, chosen)
        for page in stored.pages(db, account, chosen):
            for row in page.drop_columns(["slot"]).to_pylist():
                yield RejectedValue(**row)


def discard_values(selection: ValueSelection, *, destination: bunce | None = None) -> int:
    """List rejected values no longer until they change, and return how many; needs no API key.

    They are not sent again until then either; `retry_values(ValueSelection(discarded=True, …))`
    takes it back. Raises StoreError, and UsageError for a selection without a filter, or with one
    that names nothing.
    """
    from dlt_bunce.operations.rejected_values import discard as close
    from dlt_bunce.store.values import rejected_values as stored

    if replace(selection, discarded=False) == stored.EVERY:
        raise UsageError(
            "The selection has no filter, so every rejected value would be discarded.",
            remedy="Set a filter, such as ValueSelection(codes=[…]).",
        )
    with _chosen_values(selection, destination) as (db, account):
        return close(db, account, selection)


def retry_values(
    selection: ValueSelection | None = None, *, destination: bunce | None = None
) -> Retried:
    """Have values that Bunce rejected sent again by the next load that reads their rows.

    Takes those of `selection`, or all; needs no API key, and sends nothing itself. Raises
    StoreError, and UsageError for a filter that names nothing.
    """
    from dlt_bunce.operations.rejected_values import retry
    from dlt_bunce.store.values.rejected_values import EVERY

    chosen = selection or EVERY
    with _chosen_values(chosen, destination) as (db, account):
        return retry(db, account, chosen)


def waiting_values(*, destination: bunce | None = None) -> Iterator[WaitingValues]:
    """Yield the rows of tables of values that wait for their customers; needs no API key.

    Each is sent by the first load that reads it once Bunce has its customer. Raises StoreError,
    and AccountError if the store does not have the account.
    """
    from dlt_bunce.store.values import waiting_values as stored

    with readable_store(destination) as (db, account):
        for page in stored.pages(db, account):
            for row in page.to_pylist():
                yield WaitingValues(**row)


@contextmanager
def _chosen_values(
    selection: ValueSelection, destination: bunce | None
) -> Iterator[tuple[Database, str]]:
    """Yield the store and the account. Raises UsageError if it, or a filter, names nothing."""
    from dlt_bunce.store.database import Database
    from dlt_bunce.store.values.rejected_values import refuse_unknown

    with readable_store(destination) as (db, account):
        # raises if there is no store, which opening it for writing would create
        refuse_unknown(db, account, selection)
    store_url, account = store_of(destination)
    with Database(store_url) as db:
        yield db, account
