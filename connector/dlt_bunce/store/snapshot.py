"""Copies of parts of a store, so that a load can be rehearsed without changing the store."""

from __future__ import annotations

import pyarrow as pa

from dlt_bunce.store.database import Database
from dlt_bunce.store.dead_letters import letter_id


def _schema(texts: str, numbers: str) -> pa.Schema:
    names = [(name, pa.string()) for name in texts.split()]
    return pa.schema(names + [(name, pa.int64()) for name in numbers.split()])


_CUSTOMERS = _schema(
    "account customer_id fingerprint confirmation email_digest delivered_at fate job "
    "rejected_fingerprint claim_fingerprint claim_batch claim_owner",
    "version chunk claim_row lease_until run_number",
)
# all columns but the row itself and the message, which may quote it
_LETTERS = _schema(
    "id account customer_id code field stage fingerprint email_digest first_seen_at last_seen_at "
    "status resolved_at run_id batch_id pipeline_name table_name",
    "version attempts chunk run_number",
)
_LEASES = _schema("claim_batch", "lease_until")
_SENDINGS = _schema("claim_batch", "below_row inherited")
_PAGE = 200_000


def claims(known: Database, scratch: Database) -> None:
    """Copy the leases of live loads, and how far their batches have been sent."""
    _copy(scratch, "bunce_leases", known.query("SELECT * FROM bunce_leases", schema=_LEASES))
    _copy(scratch, "bunce_sendings", known.query("SELECT * FROM bunce_sendings", schema=_SENDINGS))


def customers(
    known: Database,
    scratch: Database,
    account: str,
    accepted: pa.Table,
    letters: pa.Table,
    correcting: pa.Table | None = None,
) -> None:
    """Copy what the store knows about a chunk's customers, unless it was copied before.

    `accepted` is as in records.Prepared, `letters` has the LETTERS columns, and `correcting` is as
    for Ledger.claim.
    """
    ids = pa.chunked_array(
        [*accepted.column("customer_id").chunks, *letters.column("customer_id").chunks]
    )
    known.ingest("bunce_asked", pa.table({"customer_id": ids.unique()}))
    columns = ", ".join(f"c.{name}" for name in _CUSTOMERS.names)
    found = known.query(
        f"SELECT {columns} FROM bunce_asked AS a JOIN bunce_customers AS c "  # noqa: S608
        "ON c.account = $1 AND c.customer_id = a.customer_id",
        (account,),
        schema=_CUSTOMERS,
    )
    _copy(scratch, "bunce_customers", found)
    columns = ", ".join(f"d.{name}" for name in _LETTERS.names)
    of_customers = known.query(
        f"SELECT {columns} FROM bunce_asked AS a JOIN bunce_dead_letters AS d "  # noqa: S608
        "ON d.account = $1 AND d.customer_id = a.customer_id",
        (account,),
        schema=_LETTERS,
    )
    nameless = letters.filter(pa.compute.is_null(letters.column("customer_id")))
    letter_ids = {
        letter_id(account, None, fingerprint)
        for fingerprint in nameless.column("fingerprint").to_pylist()
    }
    if correcting is not None:
        letter_ids.update(correcting.column("letter_id").to_pylist())
    known.ingest("bunce_asked_letters", pa.table({"id": pa.array(letter_ids, pa.string())}))
    by_id = known.query(
        f"SELECT {columns} FROM bunce_asked_letters AS a "  # noqa: S608
        "JOIN bunce_dead_letters AS d ON d.id = a.id AND d.account = $1",
        (account,),
        schema=_LETTERS,
    )
    found = pa.concat_tables([of_customers, by_id])
    _copy(scratch, "bunce_dead_letters", found.append_column("message", _blanks(found)))


def emails_that_stay(
    scratch: Database, account: str, ids: pa.ChunkedArray, digests: pa.Array
) -> list[bool]:
    """Return, for each of `ids`, whether it was delivered with another email than in `digests`."""
    table = pa.table({"customer_id": ids, "email_digest": digests})
    scratch.ingest("bunce_emails", table)
    others = scratch.rows(
        "SELECT e.customer_id AS customer_id FROM bunce_emails AS e JOIN bunce_customers AS c "
        "ON c.account = $1 AND c.customer_id = e.customer_id "
        "WHERE c.delivered_at IS NOT NULL AND c.email_digest <> e.email_digest",
        (account,),
    )
    changed = {row["customer_id"] for row in others}
    return [customer_id in changed for customer_id in ids.to_pylist()]


def emails_taken(known: Database | None, scratch: Database, account: str, run_id: str) -> int:
    """Count the customers created by a run whose email belongs to another customer.

    The other customer comes earlier in the run or is in the ledger.
    """
    where = "account = $1 AND fate = 'created' AND SUBSTR(job, 1, LENGTH($2) + 1) = $2 || '.'"
    counts = scratch.rows(
        "SELECT COUNT(*) AS created, COUNT(DISTINCT email_digest) AS emails "  # noqa: S608
        f"FROM bunce_customers WHERE {where}",
        (account, run_id),
    )[0]
    owned: set[str] = set()
    after = ""
    while known is not None:
        page = scratch.query(
            "SELECT customer_id, email_digest FROM bunce_customers "  # noqa: S608
            f"WHERE {where} AND customer_id > $3 ORDER BY customer_id LIMIT {_PAGE}",
            (account, run_id, after),
            schema=pa.schema([("customer_id", pa.string()), ("email_digest", pa.string())]),
        )
        if not page.num_rows:
            break
        known.ingest("bunce_emails", page)
        rows = known.rows(
            "SELECT DISTINCT e.email_digest AS email FROM bunce_customers AS c "
            "JOIN bunce_emails AS e ON c.email_digest = e.email_digest "
            "WHERE c.account = $1 AND c.customer_id <> e.customer_id",
            (account,),
        )
        owned.update(row["email"] for row in rows)
        after = page.column("customer_id")[-1].as_py()
    return int(counts["created"]) - (int(counts["emails"]) - len(owned))


def _copy(scratch: Database, table: str, rows: pa.Table) -> None:
    if not rows.num_rows:
        return
    columns = ", ".join(rows.column_names)
    scratch.ingest("bunce_copied", rows)
    scratch.execute(
        f"INSERT INTO {table} ({columns}) SELECT {columns} FROM bunce_copied "  # noqa: S608
        "WHERE true ON CONFLICT DO NOTHING"
    )


def _blanks(table: pa.Table) -> pa.Array:
    return pa.repeat(pa.scalar(""), table.num_rows)
