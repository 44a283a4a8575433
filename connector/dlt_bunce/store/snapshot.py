"""Copies of parts of a store, so that a load can be tried without changing the store."""

from __future__ import annotations

import pyarrow as pa

from dlt_bunce.store.database import Database
from dlt_bunce.store.letters.dead_letters import letter_id


def _schema(texts: str, numbers: str, binaries: str = "") -> pa.Schema:
    names = [(name, pa.string()) for name in texts.split()]
    names += [(name, pa.int64()) for name in numbers.split()]
    return pa.schema(names + [(name, pa.binary()) for name in binaries.split()])


_CUSTOMERS = _schema(
    "account customer_id fingerprint confirmation email_digest delivered_at fate job "
    "rejected_fingerprint claim_fingerprint claim_batch claim_owner",
    "version chunk claim_row lease_until run_number",
    "packed_values values_digest",
)
# all columns but the row itself and the message, which may quote it
_LETTERS = _schema(
    "id account customer_id code field stage fingerprint email_digest first_seen_at last_seen_at "
    "status resolved_at run_id batch_id pipeline_name table_name read_run_id read_pipeline_name",
    "version attempts chunk run_number",
)
_LEASES = _schema("claim_batch", "lease_until")
_SENDINGS = _schema("claim_batch", "below_row inherited")
_TARGETS = _schema("account kind id name data_type", "slot")
_LINKS = _schema("account customer_id bunce_id status linked_at", "")
_PAGE = 200_000
_OF_RUN = "account = $1 AND SUBSTR(job, 1, LENGTH($2) + 1) = $2 || '.'"
_CREATED = f"{_OF_RUN} AND fate = 'created' AND delivered_at IS NOT NULL"
# rows that share an email are settled one after the other, in the order in which they are read
_TAKEN_IN_RUN = f"""
SELECT customer_id FROM (
  SELECT customer_id, ROW_NUMBER() OVER (
    PARTITION BY email_digest ORDER BY delivered_at, customer_id) AS number
  FROM bunce_customers WHERE {_CREATED} AND email_digest IS NOT NULL) AS c
WHERE number > 1
"""  # noqa: S608, constants only


def claims(known: Database, scratch: Database) -> None:
    """Copy the leases of live loads, and how far their batches have been sent."""
    _copy(scratch, "bunce_leases", known.query("SELECT * FROM bunce_leases", schema=_LEASES))
    _copy(scratch, "bunce_sendings", known.query("SELECT * FROM bunce_sendings", schema=_SENDINGS))


def targets(known: Database, scratch: Database) -> None:
    """Copy the slots of attributes and segments."""
    _copy(scratch, "bunce_targets", known.query("SELECT * FROM bunce_targets", schema=_TARGETS))


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
    _copy(scratch, "bunce_customers", _asked_in(known, account, "bunce_customers", _CUSTOMERS))
    links = _asked_in(known, account, "bunce_links", _LINKS, "AND t.status = 'linked'")
    _copy(scratch, "bunce_links", links)
    of_customers = _asked_in(known, account, "bunce_dead_letters", _LETTERS)
    nameless = letters.filter(pa.compute.is_null(letters.column("customer_id")))
    letter_ids = {
        letter_id(account, None, fingerprint)
        for fingerprint in nameless.column("fingerprint").to_pylist()
    }
    letter_ids.update(letters.column("corrects").drop_null().to_pylist())
    if correcting is not None:
        letter_ids.update(correcting.column("letter_id").to_pylist())
    known.ingest("bunce_asked_letters", pa.table({"id": pa.array(letter_ids, pa.string())}))
    by_id = known.query(
        f"SELECT {_columns(_LETTERS)} FROM bunce_asked_letters AS a "  # noqa: S608
        "JOIN bunce_dead_letters AS t ON t.id = a.id AND t.account = $1",
        (account,),
        schema=_LETTERS,
    )
    found = pa.concat_tables([of_customers, by_id])
    _copy(scratch, "bunce_dead_letters", found.append_column("message", _blanks(found)))


def _asked_in(
    known: Database, account: str, table: str, schema: pa.Schema, also: str = ""
) -> pa.Table:
    """Return the rows that a table has of the customers in bunce_asked."""
    return known.query(
        f"SELECT {_columns(schema)} FROM bunce_asked AS a JOIN {table} AS t "  # noqa: S608
        f"ON t.account = $1 AND t.customer_id = a.customer_id {also}",
        (account,),
        schema=schema,
    )


def _columns(schema: pa.Schema) -> str:
    return ", ".join(f"t.{name}" for name in schema.names)


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


def withdraw_taken(known: Database | None, scratch: Database, account: str, run_id: str) -> None:
    """Take back the customers created by a run whose email belongs to another customer: one that
    comes earlier in the run, or is in the ledger. Call it again once more files are loaded.
    """
    found = scratch.query(_TAKEN_IN_RUN, (account, run_id), schema=_schema("customer_id", ""))
    _withdraw(scratch, account, found)
    after = ""
    while known is not None:
        page = scratch.query(
            f"SELECT customer_id, email_digest FROM bunce_customers WHERE {_CREATED} "  # noqa: S608
            f"AND customer_id > $3 ORDER BY customer_id LIMIT {_PAGE}",
            (account, run_id, after),
            schema=_schema("customer_id email_digest", ""),
        )
        if not page.num_rows:
            break
        known.ingest("bunce_emails", page)
        found = known.query(
            "SELECT DISTINCT e.customer_id AS customer_id FROM bunce_customers AS c "
            "JOIN bunce_emails AS e ON c.email_digest = e.email_digest "
            "WHERE c.account = $1 AND c.customer_id <> e.customer_id",
            (account,),
            schema=_schema("customer_id", ""),
        )
        _withdraw(scratch, account, found)
        after = page.column("customer_id")[-1].as_py()


def count_withdrawn(scratch: Database, account: str, run_id: str) -> int:
    """Count the customers of a run that were taken back."""
    where = f"{_OF_RUN} AND fate = 'created' AND delivered_at IS NULL"
    rows = scratch.rows(
        f"SELECT COUNT(*) AS n FROM bunce_customers WHERE {where}",  # noqa: S608
        (account, run_id),
    )
    return int(rows[0]["n"])


def _withdraw(scratch: Database, account: str, customers: pa.Table) -> None:
    if customers.num_rows:
        scratch.ingest("bunce_withdrawn", customers)
        scratch.execute(
            "UPDATE bunce_customers SET delivered_at = NULL WHERE account = $1 "
            "AND customer_id IN (SELECT customer_id FROM bunce_withdrawn)",
            (account,),
        )


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
