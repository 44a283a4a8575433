"""Erasure of persons from the store: the ledger, claims, and dead letters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from dlt_bunce.errors import RunInProgressError
from dlt_bunce.store import statements
from dlt_bunce.store.database import Database
from dlt_bunce.store.runs.mappings import READERS

_PAGE = 10_000
_LETTERS = pa.schema(
    [
        (name, pa.string())
        for name in ("id", "customer_id", "source_row", "payload", "table_name", *READERS)
    ]
)
_COLUMNS = ", ".join(f"d.{name} AS {name}" for name in _LETTERS.names)
PERSONAL = (
    "bunce_customers",
    "bunce_dead_letters",
    "bunce_links",
    "bunce_rejected_values",
    "bunce_waiting_values",
)
"""The tables that contain a customer's id or row."""

_LIVE = f"""
SELECT COUNT(*) AS n FROM bunce_customers AS c WHERE c.account = $1 AND c.claim_batch IS NOT NULL
  AND ({statements.LIVE.format(now="$2")})
"""  # noqa: S608, constants only
_LETTERS_OF = """
DELETE FROM bunce_dead_letters WHERE account = $1 AND (
  customer_id IN (SELECT customer_id FROM bunce_erased)
  OR id IN (SELECT id FROM bunce_erased_letters)) RETURNING id
"""
_VALUES_OF = """
DELETE FROM bunce_rejected_values WHERE account = $1
  AND customer_id IN (SELECT customer_id FROM bunce_erased) RETURNING customer_id
"""
_WAITING_OF = """
DELETE FROM bunce_waiting_values WHERE account = $1
  AND customer_id IN (SELECT customer_id FROM bunce_erased)
"""
_LINKS_OF = """
DELETE FROM bunce_links WHERE account = $1 AND (
  customer_id IN (SELECT customer_id FROM bunce_erased)
  OR bunce_id IN (SELECT customer_id FROM bunce_erased))
"""
_CUSTOMERS_OF = """
DELETE FROM bunce_customers WHERE account = $1
  AND customer_id IN (SELECT customer_id FROM bunce_erased) RETURNING customer_id
"""


@dataclass(frozen=True)
class Removed:
    """The numbers of rows removed, by table."""

    customers: int
    dead_letters: int
    rejected_values: int


def known(db: Database, account: str, ids: Sequence[str]) -> dict[str, str | None]:
    """Return those of `ids` that the store knows, with the digest of the delivered email."""
    _choose(db, ids)
    rows = db.rows(
        "SELECT e.customer_id AS customer_id, c.email_digest AS email_digest "
        "FROM bunce_erased AS e LEFT JOIN bunce_customers AS c "
        "ON c.account = $1 AND c.customer_id = e.customer_id "
        "WHERE c.customer_id IS NOT NULL OR EXISTS (SELECT 1 FROM bunce_dead_letters AS d "
        "WHERE d.account = $1 AND d.customer_id = e.customer_id)",
        (account,),
    )
    return {row["customer_id"]: row["email_digest"] for row in rows}


def letters_of(db: Database, account: str, ids: Sequence[str]) -> pa.Table:
    """Return the dead letters of these customers, with the row as read and the payload."""
    _choose(db, ids)
    return db.query(
        f"SELECT {_COLUMNS} FROM bunce_erased AS e JOIN bunce_dead_letters AS d "  # noqa: S608
        "ON d.account = $1 AND d.customer_id = e.customer_id",
        (account,),
        schema=_LETTERS,
    )


def nameless_of(db: Database, account: str, digests: Sequence[str]) -> list[str]:
    """Return dead letters (ids) without a customer id whose email has one of these digests."""
    db.ingest("bunce_erased_emails", pa.table({"digest": pa.array(digests, pa.string())}))
    rows = db.rows(
        "SELECT id FROM bunce_dead_letters WHERE account = $1 AND customer_id IS NULL "
        "AND email_digest IN (SELECT digest FROM bunce_erased_emails)",
        (account,),
    )
    return [row["id"] for row in rows]


def all_letters(db: Database, account: str) -> Iterator[pa.Table]:
    """Yield pages of all dead letters that contain a row, with the columns of `letters_of`."""
    after = ""
    while True:
        page = db.query(
            f"SELECT {_COLUMNS} FROM bunce_dead_letters AS d "  # noqa: S608
            "WHERE d.account = $1 AND d.id > $2 "
            "AND (d.source_row IS NOT NULL OR d.payload IS NOT NULL) "
            f"ORDER BY d.id LIMIT {_PAGE}",
            (account, after),
            schema=_LETTERS,
        )
        if not page.num_rows:
            return
        yield page
        after = page.column("id")[-1].as_py()


def refuse_while_sending(db: Database, account: str) -> None:
    """Raise RunInProgressError while a load on any machine sends customers of the account."""
    if db.rows(_LIVE, (account, db.now_ms()))[0]["n"]:
        raise RunInProgressError(
            f"A load is sending customers of account {account!r} right now.",
            remedy="Stop the schedule, wait for the load to finish, and run this command again.",
        )


def erase(db: Database, account: str, ids: Sequence[str], letters: Sequence[str] = ()) -> Removed:
    """Delete customers from the ledger, their dead letters, and `letters`, in one transaction.

    Raises RunInProgressError as `refuse_while_sending` does.
    """
    _choose(db, ids)
    db.ingest("bunce_erased_letters", pa.table({"id": pa.array(letters, pa.string())}))
    with db.transaction():
        refuse_while_sending(db, account)
        db.execute(_LINKS_OF, (account,))
        db.execute(_WAITING_OF, (account,))
        dead_letters = len(db.rows(_LETTERS_OF, (account,)))
        rejected_values = len(db.rows(_VALUES_OF, (account,)))
        customers = len(db.rows(_CUSTOMERS_OF, (account,)))
        return Removed(customers, dead_letters, rejected_values)


def end_claims_of(db: Database, owners: Sequence[str]) -> None:
    """End the claims of owners whose processes are known to have ended."""
    for owner in owners:
        db.execute(statements.END_CLAIMS, (owner,))


def email_key(db: Database, account: str) -> bytes:
    """Return the key of the email digests; it is empty for an account without a load."""
    rows = db.rows("SELECT email_key FROM bunce_accounts WHERE account = $1", (account,))
    return bytes.fromhex(rows[0]["email_key"]) if rows else b""


def unfinished(db: Database, account: str, since: str) -> list[str]:
    """Return pipelines with an unfinished run begun since `since`; they may still be loading."""
    rows = db.rows(
        "SELECT DISTINCT pipeline_name AS name FROM bunce_runs WHERE account = $1 "
        "AND state = 'running' AND started_at >= $2 ORDER BY pipeline_name",
        (account, since),
    )
    return [row["name"] for row in rows]


def pipelines(db: Database, account: str) -> set[str]:
    """Return the pipelines that have ever begun a run into the account."""
    rows = db.rows(
        "SELECT DISTINCT pipeline_name AS name FROM bunce_runs WHERE account = $1", (account,)
    )
    return {row["name"] for row in rows}


def _choose(db: Database, ids: Sequence[str]) -> None:
    db.ingest("bunce_erased", pa.table({"customer_id": pa.array(ids, pa.string())}))
