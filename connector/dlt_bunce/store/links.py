"""Links: customers of ours whom Bunce has under another id."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.store import statements
from dlt_bunce.store.database import Database, utc_now

CANDIDATES = pa.schema(
    [(name, pa.string()) for name in ("customer_id", "bunce_id", "email_digest")]
)
"""Customers to be linked, with the digest of their email."""
_REFUSED = pa.schema([("customer_id", pa.string()), ("why", pa.string())])

# Why a customer must not be linked, if so. Rejected rows, too, are customers of the source, whom
# perhaps only their dead letters know. Rows of the ledger that only an adoption added are not the
# source's: they are what Bunce has.
_CHECK = """
SELECT n.customer_id AS customer_id, CASE
  WHEN EXISTS (SELECT 1 FROM bunce_links AS l WHERE l.account = $1 AND l.status = 'removed'
    AND l.customer_id = n.customer_id AND l.bunce_id = n.bunce_id) THEN 'the link was removed'
  WHEN EXISTS (SELECT 1 FROM bunce_links AS l WHERE l.account = $1 AND l.status = 'linked'
    AND (l.customer_id = n.customer_id) <> (l.bunce_id = n.bunce_id)
    AND (l.customer_id = n.customer_id OR l.bunce_id = n.bunce_id))
    THEN 'another link has one of the two'
  WHEN EXISTS (SELECT 1 FROM bunce_customers AS c WHERE c.account = $1
    AND c.customer_id = n.bunce_id AND c.listed IS NULL)
    OR EXISTS (SELECT 1 FROM bunce_dead_letters AS d WHERE d.account = $1
    AND d.customer_id = n.bunce_id AND d.status IN ('open', 'discarded'))
    THEN 'the customer in Bunce is another customer of the source'
  WHEN n.customer_id IN (SELECT e.customer_id FROM bunce_link_candidates AS e
    CROSS JOIN bunce_customers AS c WHERE c.account = $1 AND c.email_digest = e.email_digest
    AND c.listed IS NULL AND c.customer_id <> e.customer_id)
    OR n.customer_id IN (SELECT e.customer_id FROM bunce_link_candidates AS e
    CROSS JOIN bunce_dead_letters AS d WHERE d.account = $1 AND d.email_digest = e.email_digest
    AND d.status IN ('open', 'discarded') AND d.customer_id <> e.customer_id)
    THEN 'another customer of the source has this email'
  END AS why
FROM bunce_link_candidates AS n
"""
_LINK = """
INSERT INTO bunce_links AS l (account, customer_id, bunce_id, status, linked_at, run_id)
SELECT $1, customer_id, bunce_id, 'linked', $2, $3 FROM bunce_link_candidates WHERE true
ORDER BY customer_id
ON CONFLICT (account, customer_id, bunce_id) DO UPDATE SET
  status = 'linked', linked_at = excluded.linked_at, run_id = excluded.run_id, ended_at = NULL
WHERE l.status <> 'linked'
"""
# what an adoption knows of Bunce's customer is about to change
_FORGET_LISTED = """
DELETE FROM bunce_customers WHERE account = $1 AND listed = 1
  AND customer_id IN (SELECT bunce_id FROM bunce_link_candidates)
"""
_END = """
UPDATE bunce_links SET status = $2, ended_at = $3 WHERE account = $1 AND status = 'linked'
  AND customer_id IN (SELECT customer_id FROM bunce_unlinked) RETURNING customer_id
"""
_ALLOW_AGAIN = """
UPDATE bunce_links SET status = 'ended' WHERE account = $1 AND status = 'removed'
  AND customer_id IN (SELECT customer_id FROM bunce_unlinked)
"""
# what was sent to Bunce's customer is nothing that Bunce has of ours: the next row is new
_FORGET_DELIVERED = """
UPDATE bunce_customers SET fingerprint = NULL, version = NULL, confirmation = NULL,
  email_digest = NULL, delivered_at = NULL, fate = NULL, job = NULL, chunk = NULL,
  rejected_fingerprint = NULL, packed_values = NULL, values_digest = NULL
WHERE account = $1 AND customer_id IN (SELECT customer_id FROM bunce_unlinked)
"""
_DROP_CLAIMS = """
UPDATE bunce_customers SET claim_fingerprint = NULL, claim_batch = NULL, claim_row = NULL,
  lease_until = NULL, claim_owner = NULL
WHERE account = $1 AND customer_id IN (SELECT customer_id FROM bunce_unlinked)
"""
# Bunce's customer, with the values that were written to it through the link, for the row that has
# its own id: a member can leave a segment then, and an equal value need not be sent. There is no
# run number, since none of its own rows has been accepted.
_HAND_OVER = """
INSERT INTO bunce_customers AS b (account, customer_id, fate, delivered_at, packed_values)
SELECT $1, l.bunce_id, 'adopted', c.delivered_at, c.packed_values
FROM bunce_links AS l
JOIN bunce_customers AS c ON c.account = l.account AND c.customer_id = l.customer_id
WHERE l.account = $1 AND l.status = 'linked' AND c.delivered_at IS NOT NULL
  AND l.customer_id IN (SELECT customer_id FROM bunce_unlinked) ORDER BY l.bunce_id
ON CONFLICT (account, customer_id) DO UPDATE SET
  fate = CASE WHEN b.fingerprint IS NULL THEN excluded.fate ELSE b.fate END,
  delivered_at = COALESCE(b.delivered_at, excluded.delivered_at),
  packed_values = COALESCE(b.packed_values, excluded.packed_values)
"""
# Incoming rows that have the id of a customer whom another row is linked to, and whether that row
# is being sent.
_TAKEN_OVER = f"""
SELECT i.row AS row, l.customer_id AS customer_id,
  CASE WHEN c.claim_batch IS NOT NULL AND ({statements.LIVE.format(now="$2")}) THEN 1 ELSE 0 END
    AS live
FROM bunce_links AS l JOIN bunce_incoming AS i ON i.customer_id = l.bunce_id
LEFT JOIN bunce_customers AS c ON c.account = l.account AND c.customer_id = l.customer_id
WHERE l.account = $1 AND l.status = 'linked'
"""  # noqa: S608, constants only


def exist(db: Database, account: str) -> bool:
    """Return whether the account has a link."""
    return bool(
        db.rows(
            "SELECT 1 AS n FROM bunce_links WHERE account = $1 AND status = 'linked' LIMIT 1",
            (account,),
        )
    )


def bunce_ids(db: Database, account: str, customer_ids: pa.Array | Sequence[str]) -> dict[str, str]:
    """Return Bunce's id of each of these customers that it has under another id."""
    if not exist(db, account):
        return {}
    db.ingest("bunce_asked_links", pa.table({"customer_id": customer_ids}))
    rows = db.rows(
        "SELECT l.customer_id AS customer_id, l.bunce_id AS bunce_id FROM bunce_links AS l "
        "WHERE l.account = $1 AND l.status = 'linked' "
        "AND l.customer_id IN (SELECT customer_id FROM bunce_asked_links)",
        (account,),
    )
    return {row["customer_id"]: row["bunce_id"] for row in rows}


def with_bunce_ids(db: Database, account: str, rows: pa.Table) -> pa.Table:
    """Return rows to send with their `bunce_id`; a customer that Bunce has is updated."""
    found = bunce_ids(db, account, rows.column("customer_id")) if rows.num_rows else {}
    if not found:
        return rows.append_column("bunce_id", pa.nulls(rows.num_rows, pa.string()))
    ids = pa.array(map(found.get, rows.column("customer_id").to_pylist()), pa.string())
    verbs = pc.if_else(pc.is_valid(ids), "update", rows.column("verb"))
    at = rows.column_names.index("verb")
    return rows.set_column(at, "verb", verbs).append_column("bunce_id", ids)


def link(db: Database, account: str, run_id: str, candidates: pa.Table) -> dict[str, str]:
    """Link `candidates` (CANDIDATES), each unless it would be wrong; return why not, by customer.

    One that is linked already, to the same customer, stays so. Candidates must differ from each
    other in either id.
    """
    db.ingest("bunce_link_candidates", candidates)
    with db.transaction():
        checked = db.query(_CHECK, (account,), schema=_REFUSED).to_pylist()
        refused = {row["customer_id"]: row["why"] for row in checked if row["why"] is not None}
        if refused:
            kept = [row for row in candidates.to_pylist() if row["customer_id"] not in refused]
            db.ingest("bunce_link_candidates", pa.Table.from_pylist(kept, CANDIDATES))
        db.execute(_LINK, (account, utc_now(), run_id))
        db.execute(_FORGET_LISTED, (account,))
    return refused


def end(
    db: Database,
    account: str,
    customer_ids: Sequence[str],
    *,
    status: str = "ended",
    keep_claims: bool = False,
) -> int:
    """End the links of these customers, inside the caller's transaction; return how many.

    Their next row is new. With the status `removed`, the same two are never linked again. A job
    that is sending one of them leaves it to the next try, unless `keep_claims`.
    """
    db.ingest("bunce_unlinked", pa.table({"customer_id": pa.array(customer_ids, pa.string())}))
    ended = db.rows(_END, (account, status, utc_now()))
    if ended:
        found = pa.array([row["customer_id"] for row in ended], pa.string())
        db.ingest("bunce_unlinked", pa.table({"customer_id": found}))
        db.execute(_FORGET_DELIVERED, (account,))
        if not keep_claims:
            db.execute(_DROP_CLAIMS, (account,))
    return len(ended)


def give_way(
    db: Database, account: str, accepted: pa.Table, now: int
) -> tuple[Collection[int], int]:
    """End links to customers who turn out to be the source's own, under the id that Bunce has.

    `accepted` are the rows in the temporary table `bunce_incoming`. Return those of them that have
    to wait, because the linked customer is being sent right now, and how many links have ended.
    What was written to Bunce's customer as an attribute or a segment is theirs from now on.
    """
    if not accepted.num_rows or not exist(db, account):
        return (), 0
    found = db.rows(_TAKEN_OVER, (account, now))
    waiting = [int(row["row"]) for row in found if row["live"]]
    given_up = [row["customer_id"] for row in found if not row["live"]]
    if given_up:
        db.ingest("bunce_unlinked", pa.table({"customer_id": pa.array(given_up, pa.string())}))
        db.execute(_HAND_OVER, (account,))
    return waiting, end(db, account, given_up)


def remove(
    db: Database, account: str, ids: Sequence[str], *, allow_again: bool = False
) -> tuple[int, list[str]]:
    """Remove links, named by either id, inside the caller's transaction.

    Return how many were removed, and the ids that name none. The same two may be linked again only
    with `allow_again`, which also applies to links that were removed before.
    """
    found = [
        pair
        for pair in pairs(db, account, ids)
        if pair["status"] == "linked" or (allow_again and pair["status"] == "removed")
    ]
    removed = end(db, account, [pair["customer_id"] for pair in found], status="removed")
    if allow_again and found:
        named = pa.array([pair["customer_id"] for pair in found], pa.string())
        db.ingest("bunce_unlinked", pa.table({"customer_id": named}))
        db.execute(_ALLOW_AGAIN, (account,))
    known_ids = {pair[name] for pair in found for name in ("customer_id", "bunce_id")}
    return removed, [i for i in dict.fromkeys(ids) if i not in known_ids]


def pairs(db: Database, account: str, ids: Sequence[str]) -> list[dict[str, Any]]:
    """Return customer_id and bunce_id of the links, ended ones included, that have one of `ids`."""
    db.ingest("bunce_asked_links", pa.table({"customer_id": pa.array(ids, pa.string())}))
    asked = "(SELECT customer_id FROM bunce_asked_links)"
    return db.rows(
        "SELECT customer_id, bunce_id, status FROM bunce_links WHERE account = $1 "  # noqa: S608
        f"AND (customer_id IN {asked} OR bunce_id IN {asked})",
        (account,),
    )


def linked_ids(db: Database, account: str, ids: Sequence[str]) -> dict[str, str]:
    """Return all ids that belong to the persons behind `ids` by a link, each with Bunce's id.

    A link that was ended or removed joins different persons.
    """
    found = [pair for pair in pairs(db, account, ids) if pair["status"] == "linked"]
    return {pair[name]: pair["bunce_id"] for pair in found for name in ("customer_id", "bunce_id")}


def known(
    db: Database, account: str, *, ended: bool = False, limit: int | None = None
) -> list[dict[str, Any]]:
    """Return the links of an account, newest first; those that have ended, too, if `ended`."""
    where = "" if ended else " AND status = 'linked'"
    most = "" if limit is None else f" LIMIT {int(limit)}"
    return db.rows(
        "SELECT customer_id, bunce_id, status, linked_at, ended_at, run_id FROM bunce_links "  # noqa: S608
        f"WHERE account = $1{where} ORDER BY linked_at DESC, customer_id{most}",
        (account,),
    )


def count(db: Database, account: str, *, run_id: str | None = None) -> int:
    """Count the links of an account, or those that a run has made."""
    where, parameters = "", [account]
    if run_id is not None:
        where, parameters = " AND run_id = $2", [account, run_id]
    rows = db.rows(
        "SELECT COUNT(*) AS n FROM bunce_links "  # noqa: S608
        f"WHERE account = $1 AND status = 'linked'{where}",
        parameters,
    )
    return int(rows[0]["n"])
