"""Attribute values and segment members in the ledger: which ones Bunce has, and which it refused.

They need no claims: writing a value twice does no harm, so after a crash whatever is not settled is
sent again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from dlt_bunce.reject_codes import VALUE_CODES
from dlt_bunce.store.database import Database, utc_now
from dlt_bunce.store.load_file import LoadFile
from dlt_bunce.store.statements import OVERTAKEN

# the rows of a chunk whose values are compared
INCOMING = pa.schema(
    [
        ("row", pa.int64()),
        ("customer_id", pa.string()),
        ("fingerprint", pa.string()),
        ("version", pa.int64()),
        ("digest", pa.binary()),
    ]
)
# a customer's packed digests as they are to be; `digest` is null unless all values are written, and
# `version` is that of the row they are from, if its values are written
PACKED = pa.schema(
    [
        ("customer_id", pa.string()),
        ("packed", pa.binary()),
        ("digest", pa.binary()),
        ("version", pa.int64()),
    ]
)
# values that were rejected, here or by Bunce
REJECTED = pa.schema(
    [("customer_id", pa.string()), ("slot", pa.int64())]
    + [(name, pa.string()) for name in ("name", "column_name", "code", "message")]
    # of a value that was rejected here; of one that Bunce rejected, the ledger has it
    + [("http_status", pa.int64()), ("digest", pa.binary())]
)
ANSWERED = pa.schema([("customer_id", pa.string()), ("slot", pa.int64())])

# A customer is there once Bunce has accepted it; the row's own values wait while its content is
# refused, and give way where the ledger has a newer version.
_CHANGED = """
SELECT i.row AS row, c.packed_values AS packed,
  COALESCE(l.bunce_id, i.customer_id) AS sent_id,
  CASE
    WHEN c.delivered_at IS NULL THEN 'waiting'
    WHEN c.rejected_fingerprint = i.fingerprint THEN 'waiting'
    WHEN i.version < c.version THEN 'superseded'
    WHEN $2 = 'append' AND l.bunce_id IS NOT NULL THEN 'skipped'
    ELSE 'open'
  END AS state
FROM bunce_incoming_values AS i
LEFT JOIN bunce_customers AS c ON c.account = $1 AND c.customer_id = i.customer_id
LEFT JOIN bunce_links AS l ON l.account = $1 AND l.customer_id = i.customer_id
  AND l.status = 'linked'
WHERE i.digest IS NULL OR c.values_digest IS NULL OR c.values_digest <> i.digest
"""

_OVERTAKEN = OVERTAKEN + " AND (c.job IS NULL OR c.job <> $3)"

_PACKED_NOW = """
SELECT c.customer_id AS customer_id, c.packed_values AS packed FROM bunce_answered_customers AS a
JOIN bunce_customers AS c ON c.account = $1 AND c.customer_id = a.customer_id
"""

_NEWER = """
SELECT c.customer_id AS customer_id FROM bunce_value_versions AS v
JOIN bunce_customers AS c ON c.account = $1 AND c.customer_id = v.customer_id
WHERE v.version < c.version
"""

# Ordered, as every statement that writes customers is; a customer who was erased stays erased.
_REPACK = """
INSERT INTO bunce_customers AS c (account, customer_id, packed_values, values_digest, version)
SELECT $1, p.customer_id, p.packed, p.digest, p.version FROM bunce_packed AS p
JOIN bunce_customers AS k ON k.account = $1 AND k.customer_id = p.customer_id
WHERE $3 = 0 OR k.packed_values IS NOT DISTINCT FROM p.packed ORDER BY p.customer_id
ON CONFLICT (account, customer_id) DO UPDATE SET
  packed_values = COALESCE(excluded.packed_values, c.packed_values),
  values_digest = CASE WHEN $2 = 1 THEN c.values_digest ELSE excluded.values_digest END,
  version = CASE WHEN c.version > excluded.version THEN c.version
    ELSE COALESCE(excluded.version, c.version) END
"""

# A customer who was erased meanwhile stays erased.
_REJECT = """
INSERT INTO bunce_rejected_values AS r
  (account, customer_id, slot, name, column_name, code, message, http_status, digest,
   first_seen_at, last_seen_at, run_id, pipeline_name)
SELECT $1, n.customer_id, n.slot, n.name, n.column_name, n.code, n.message, n.http_status, n.digest,
  $2, $2, $3, $4
FROM bunce_rejections AS n
JOIN bunce_customers AS k ON k.account = $1 AND k.customer_id = n.customer_id
WHERE true ORDER BY n.customer_id, n.slot
ON CONFLICT (account, customer_id, slot) DO UPDATE SET
  name = excluded.name, column_name = excluded.column_name, code = excluded.code,
  message = excluded.message, http_status = excluded.http_status, digest = excluded.digest,
  discarded_at = CASE WHEN r.digest = excluded.digest THEN r.discarded_at END,
  last_seen_at = excluded.last_seen_at, run_id = excluded.run_id,
  pipeline_name = excluded.pipeline_name, retry_at = NULL
"""

_ANSWERED = """
DELETE FROM bunce_rejected_values WHERE account = $1
  AND (customer_id, slot) IN (SELECT customer_id, slot FROM bunce_answered)
"""


def changed(db: Database, account: str, incoming: pa.Table, disposition: str = "merge") -> pa.Table:
    """Return the rows (INCOMING) whose values differ from the ledger's: row, packed, state, and
    sent_id, the customer's id in Bunce.

    The state is `open` where values may be sent, `waiting` where the customer is not accepted,
    `superseded` where the ledger has a newer version, and `skipped` where the customer is linked
    and the disposition is append.
    """
    db.ingest("bunce_incoming_values", incoming.sort_by("customer_id"))
    found = db.query(_CHANGED, (account, disposition))
    return pa.table(
        [
            found.column("row").cast(pa.int64()),
            _binary(found.column("packed")),
            found.column("state").cast(pa.string()),
            found.column("sent_id").cast(pa.string()),
        ],
        names=["row", "packed", "state", "sent_id"],
    ).sort_by("row")


def overtaken(db: Database, load_file: LoadFile, correcting: pa.Table) -> pa.Array:
    """Return the rows of `correcting` (as for Ledger.claim) whose customers Bunce has accepted, in
    another job than this one, since the dead letter that they correct, or may have.
    """
    db.ingest("bunce_correcting", correcting)
    schema = pa.schema([("row", pa.int64())])
    about = (load_file.account, int(load_file.is_replay), load_file.name)
    found = db.query(_OVERTAKEN, about, schema=schema)
    return found.column("row").combine_chunks()


def packed_of(db: Database, account: str, customer_ids: Sequence[str]) -> dict[str, bytes]:
    """Return the packed digests of customers, by id; inside the caller's transaction."""
    ids = pa.table({"customer_id": pa.array(customer_ids, pa.string())})
    db.ingest("bunce_answered_customers", ids)
    found = db.query(_PACKED_NOW, (account,))
    ids, packed = found.column("customer_id").to_pylist(), _binary(found.column("packed"))
    return dict(zip(ids, packed.to_pylist(), strict=True))


def newer_than(
    db: Database, account: str, customer_ids: Sequence[str], versions: Sequence[int | None]
) -> set[str]:
    """Return the customers of whom the ledger has a newer version than these, if these have any."""
    if not any(version is not None for version in versions):
        return set()
    given = {"customer_id": pa.array(customer_ids, pa.string())}
    db.ingest("bunce_value_versions", pa.table(given | {"version": pa.array(versions, pa.int64())}))
    return {row["customer_id"] for row in db.rows(_NEWER, (account,))}


def packed_table(customer_ids: Sequence[str], packed: Sequence[bytes]) -> pa.Table:
    """Return packed digests (PACKED) of customers whose values are not all written."""
    digests, versions = (pa.nulls(len(packed), kind) for kind in (pa.binary(), pa.int64()))
    return pa.table([list(customer_ids), list(packed), digests, versions], schema=PACKED)


def repack(
    db: Database,
    account: str,
    packed: pa.Table,
    *,
    keep_digest: bool = False,
    if_same: bool = False,
) -> None:
    """Write packed digests (PACKED); null leaves them as they are, and no version goes down. With
    `keep_digest` the digest of all values stays: it is that of another table. With `if_same`,
    customers whose packed digests are others by now are left out.
    """
    if packed.num_rows:
        db.ingest("bunce_packed", packed)
        db.execute(_REPACK, (account, int(keep_digest), int(if_same)))


def record_rejected(db: Database, load_file: LoadFile, rejected: pa.Table) -> None:
    """Record rejected values (REJECTED). A discarded one that was rejected here and is still the
    same stays discarded.
    """
    if rejected.num_rows:
        db.ingest("bunce_rejections", rejected)
        run = (load_file.run_id, load_file.pipeline_name)
        db.execute(_REJECT, (load_file.account, utc_now(), *run))


def refused_in(db: Database, load_file: LoadFile, words: str) -> list[dict[str, Any]]:
    """Return the values that the run saw refused, or not confirmed, in these words: customer_id,
    slot, and kind.
    """
    # where no words of Bunce are kept, those refused for themselves are sent again as well
    codes = ("refused", "unconfirmed")
    kept = [meaning(c) if load_file.letter_rows == "keys" else words for c in codes]
    return db.rows(
        "SELECT r.customer_id AS customer_id, r.slot AS slot, t.kind AS kind "
        "FROM bunce_rejected_values AS r JOIN bunce_targets AS t "
        "ON t.account = r.account AND t.slot = r.slot "
        "WHERE r.account = $1 AND r.run_id = $2 AND "
        "((r.code = 'refused' AND r.message = $3) OR (r.code = 'unconfirmed' AND r.message = $4))",
        (load_file.account, load_file.run_id, *kept),
    )


def meaning(code: str) -> str:
    """Return what a code of VALUE_CODES means, in words without a value."""
    return VALUE_CODES[code].meaning


def forget_rejected(db: Database, account: str, good: pa.Table) -> None:
    """Forget the rejections of values that are `good` (ANSWERED), or blank, by now."""
    db.ingest("bunce_answered", good)
    db.execute(_ANSWERED, (account,))


def codes_of(db: Database, account: str, rejected: pa.Table) -> dict[tuple[int, str], int]:
    """Count rejected values (ANSWERED) by slot and the code that they were rejected with."""
    db.ingest("bunce_asked_values", rejected)
    rows = db.rows(
        "SELECT r.slot AS slot, r.code AS code, COUNT(*) AS n FROM bunce_asked_values AS a "
        "JOIN bunce_rejected_values AS r ON r.account = $1 AND r.customer_id = a.customer_id "
        "AND r.slot = a.slot GROUP BY r.slot, r.code",
        (account,),
    )
    return {(int(row["slot"]), row["code"]): int(row["n"]) for row in rows}


def any_rejected(db: Database, account: str) -> bool:
    """Return whether the account has rejected values."""
    sql = "SELECT 1 AS n FROM bunce_rejected_values WHERE account = $1 LIMIT 1"
    return bool(db.rows(sql, (account,)))


def _binary(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column of bytes; SQLite gives one of nulls another type."""
    if column.null_count == len(column):
        return pa.chunked_array([pa.nulls(len(column), pa.binary())])
    return column.cast(pa.binary())
