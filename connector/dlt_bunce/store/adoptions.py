"""Customers that already exist in Bunce, added to the ledger page by page."""

from __future__ import annotations

import pyarrow as pa

from dlt_bunce.store.database import Database, utc_now
from dlt_bunce.store.runs.runs import latest_number

# the columns of a page for put_page(); fingerprint is null where Bunce has less than a row needs
ADOPTED = pa.schema(
    [
        ("customer_id", pa.string()),
        ("fingerprint", pa.string()),
        ("email_digest", pa.string()),
    ]
)

# a customer that one of ours is linked to is in the ledger under our id
_IS_LINKED = """EXISTS (SELECT 1 FROM bunce_links AS l WHERE l.account = $1
  AND l.bunce_id = i.customer_id AND l.status = 'linked')"""

_KNOWN = f"""
SELECT COUNT(*) AS n FROM bunce_adopted AS i WHERE {_IS_LINKED} OR EXISTS (
  SELECT 1 FROM bunce_customers AS c WHERE c.account = $1 AND c.customer_id = i.customer_id)
"""  # noqa: S608, constants only

# customers already in the ledger are left alone: the ledger knows what was sent, the listing only
# what Bunce stored
_ADOPT = f"""
INSERT INTO bunce_customers
  (account, customer_id, fingerprint, confirmation, email_digest, delivered_at, fate,
   run_number, listed)
SELECT $1, customer_id, fingerprint, 'lookup', email_digest, $2, 'adopted', $3, 1
FROM bunce_adopted AS i WHERE NOT {_IS_LINKED} ORDER BY customer_id
ON CONFLICT (account, customer_id) DO NOTHING
"""  # noqa: S608, constants only


def position(db: Database, account: str) -> tuple[str | None, int]:
    """Return where to resume an adoption: the cursor (None for the start), and customers so far."""
    rows = db.rows("SELECT next_cursor, listed FROM bunce_adoptions WHERE account = $1", (account,))
    return (rows[0]["next_cursor"], int(rows[0]["listed"])) if rows else (None, 0)


def put_page(db: Database, account: str, page: pa.Table, *, cursor: str | None, listed: int) -> int:
    """Add a page of customers (ADOPTED) and move to `cursor` (None: done) in one transaction.

    `listed` counts all customers so far. Returns how many were not in the ledger before.
    """
    with db.transaction():
        db.ingest("bunce_adopted", page)
        known = int(db.rows(_KNOWN, (account,))[0]["n"])
        db.execute(_ADOPT, (account, utc_now(), latest_number(db)))
        db.execute("DELETE FROM bunce_adoptions WHERE account = $1", (account,))
        if cursor is None:
            db.execute(
                "UPDATE bunce_accounts SET adopted_at = $1 WHERE account = $2",
                (utc_now(), account),
            )
        else:
            db.execute(
                "INSERT INTO bunce_adoptions (account, next_cursor, listed) VALUES ($1, $2, $3)",
                (account, cursor, listed),
            )
    return int(page.num_rows) - known
