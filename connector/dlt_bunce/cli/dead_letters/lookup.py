"""The dead letters that `show` was asked for: by their customer's id, or by their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from dlt_bunce.cli.dead_letters.filters import customer_ids
from dlt_bunce.errors import UsageError
from dlt_bunce.records.fields.identifiers import parse_identifiers
from dlt_bunce.records.text.column import any_true
from dlt_bunce.store.accounts import refuse_unknown_account
from dlt_bunce.store.database import Database
from dlt_bunce.store.letters import dead_letter_query as query
from dlt_bunce.store.letters.selection import Selection

_MOST = 2


def found_by(
    wanted: str | None, customers: Sequence[str], store_url: str, account: str
) -> list[dict[str, Any]]:
    """Return the dead letters of the customer `wanted`, or else the one with that id or prefix, or
    those of `customers`, newest first.

    Raises UsageError if there is none, if neither is given, and if several ids begin with `wanted`.
    """
    if (wanted is None) is not bool(customers):
        raise UsageError(
            "Name either a dead letter or a customer.",
            remedy="Pass an id, or --customer ID. List them with: dlt-bunce dead-letters list",
        )
    with Database(store_url, read_only=True) as db:
        refuse_unknown_account(db, account)
        if wanted is None:
            return _of_customers(db, account, customer_ids(customers))
        found = query.found_by(db, account, wanted, limit=_MOST)
        if not found or found[0]["customer_id"] == wanted:
            return _of_customers(db, account, [wanted])
        if len(found) > 1:
            raise UsageError(
                f"More than one dead letter has an id starting with {wanted!r}.",
                remedy="Give more of the id, or pass a customer's id with --customer.",
            )
        return found


def _of_customers(db: Database, account: str, ids: Sequence[str]) -> list[dict[str, Any]]:
    selection = Selection(status=None, customer_ids=ids)
    found = query.list_recent(db, account, selection, limit=query.count(db, account, selection) + 1)
    if found:
        return found
    if len(ids) > 1:
        raise UsageError("None of these customers has a dead letter.")
    rows = db.rows(
        "SELECT delivered_at FROM bunce_customers WHERE account = $1 AND customer_id = $2",
        (account, ids[0]),
    )
    parsed = parse_identifiers(pa.array(ids[:1], pa.string()))
    if any_true(parsed.invalid):
        reason = parsed.reason[0].as_py()
        state = f"no run can have it, since it is not valid: {reason}. Dead letters of such rows "
        state += "have no customer id"
    elif not rows:
        state = "the ledger does not know it, so no run has read it under this id"
    elif rows[0]["delivered_at"] is None:
        state = "the ledger has it, but Bunce has not accepted it yet"
    else:
        state = f"Bunce accepted it at {rows[0]['delivered_at'][:19]}Z"
    raise UsageError(
        f"No dead letter or customer with a dead letter has that id; as a customer: {state}.",
        remedy="List dead letters with: dlt-bunce dead-letters list --status all. "
        "Of a dead letter's id, give at least 4 digits, or 8 if none is a letter.",
    )
