"""Rows of dead letters that may be sent again although they have not changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from dlt_bunce.store.database import Database

if TYPE_CHECKING:
    from dlt_bunce.store.load_file import LoadFile


def release(db: Database, account: str, ids: Sequence[str]) -> None:
    """Let refused rows be sent again although they have not changed."""
    db.ingest("bunce_chosen", pa.table({"id": pa.array(ids, pa.string())}))
    # not null: until the dead letter is closed, a good row that is read again has to close it
    db.execute(
        "UPDATE bunce_customers SET rejected_fingerprint = '' WHERE account = $1 "
        "AND rejected_fingerprint IS NOT NULL AND customer_id IN (SELECT d.customer_id "
        "FROM bunce_dead_letters AS d JOIN bunce_chosen AS c ON c.id = d.id WHERE d.account = $1)",
        (account,),
    )
    send_emails_again(db, account)


def send_emails_again(db: Database, account: str) -> None:
    """Let rows of which Bunce has not taken the email be sent again: they count as delivered. Their
    dead letters are in the temporary table `bunce_chosen`.
    """
    # SQLite begins a cross join with its first table: the key of each finds its dead letter
    db.execute(
        "UPDATE bunce_customers SET fingerprint = NULL WHERE account = $1 AND "
        "(customer_id, fingerprint) IN (SELECT d.customer_id, d.fingerprint "
        "FROM bunce_chosen AS c CROSS JOIN bunce_dead_letters AS d "
        "WHERE d.id = c.id AND d.account = $1 AND d.code = 'email_not_updated' "
        "AND d.status IN ('open', 'discarded'))",
        (account,),
    )


def release_rejected(db: Database, load_file: LoadFile, words: str) -> None:
    """Let rows that this load saw rejected in these words be sent again by the next one."""
    with db.transaction():
        found = db.rows(
            # what Bunce said of an unconfirmed row is not kept
            "SELECT id FROM bunce_dead_letters WHERE account = $1 AND run_id = $2 "
            "AND status = 'open' AND stage = 'api' AND (message = $3 OR code = 'unconfirmed')",
            (load_file.account, load_file.run_id, words),
        )
        release(db, load_file.account, [letter["id"] for letter in found])
