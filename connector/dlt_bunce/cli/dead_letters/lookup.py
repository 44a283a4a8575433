"""The dead letters that `show` was asked for: by their own id, or by their customer's."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from dlt_bunce.cli.dead_letters.filters import customer_ids
from dlt_bunce.errors import UsageError
from dlt_bunce.store.database import Database
from dlt_bunce.store.dead_letter_query import count, list_recent
from dlt_bunce.store.selection import Selection

_PREFIX = re.compile("[0-9a-f]{1,24}")
_MOST = 2


def found_by(
    wanted: str | None, customers: Sequence[str], store_url: str, account: str
) -> list[dict[str, Any]]:
    """Return the dead letter with the id or prefix `wanted`, or those of customers, newest first.

    Raises UsageError if there is none, if neither is given, and if `wanted` is both a prefix and a
    customer's id.
    """
    if (wanted is None) is not bool(customers):
        raise UsageError(
            "Name either a dead letter or a customer.",
            remedy="Pass an id, or --customer ID. List them with: dlt-bunce dead-letters list",
        )
    with Database(store_url, read_only=True) as db:
        if wanted is None:
            return _of_customers(db, account, customer_ids(customers))
        by_id = _by_id(db, account, wanted.lower())
        by_customer = Selection(status=None, customer_ids=[wanted])
        if not by_id:
            return _of_customers(db, account, [wanted])
        if len(by_id) > 1 or count(db, account, by_customer, most=1):
            what = "customer" if len(by_id) == 1 else "dead letter"
            raise UsageError(
                f"More than one dead letter has an id starting with {wanted!r}."
                if len(by_id) > 1
                else "That is the id of a customer and the start of a dead letter's id.",
                remedy="Give more of the id, or pass the customer's id with --customer."
                if what == "customer"
                else "Give more of the id.",
            )
        return by_id


def _by_id(db: Database, account: str, prefix: str) -> list[dict[str, Any]]:
    if not _PREFIX.fullmatch(prefix):
        return []
    return list_recent(db, account, Selection(status=None, ids=[prefix]), limit=_MOST)


def _of_customers(db: Database, account: str, ids: Sequence[str]) -> list[dict[str, Any]]:
    selection = Selection(status=None, customer_ids=ids)
    found = list_recent(db, account, selection, limit=count(db, account, selection) + 1)
    if found:
        return found
    if len(ids) > 1:
        raise UsageError("None of these customers has a dead letter.")
    rows = db.rows(
        "SELECT delivered_at FROM bunce_customers WHERE account = $1 AND customer_id = $2",
        (account, ids[0]),
    )
    if not rows:
        state = "the ledger does not know it, so no run has read it under this id"
    elif rows[0]["delivered_at"] is None:
        state = "the ledger has it, but Bunce has not accepted it yet"
    else:
        state = f"Bunce accepted it at {rows[0]['delivered_at'][:19]}Z"
    raise UsageError(
        f"No dead letter or customer with a dead letter has that id; as a customer: {state}.",
        remedy="List dead letters with: dlt-bunce dead-letters list --status all",
    )
