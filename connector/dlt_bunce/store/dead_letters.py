"""Rows that could not go, with the reason, the row as read, and what became of it since."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from dlt_bunce.model import REJECT_CODES
from dlt_bunce.store.database import Database, utc_now
from dlt_bunce.store.dead_letter_query import Selection, pages
from dlt_bunce.store.statements import ACCEPTED_SINCE

if TYPE_CHECKING:
    from dlt_bunce.store.ledger import LoadFile

# what is known of a letter when it is written; the store adds the rest
LETTERS = pa.schema(
    [
        ("customer_id", pa.string()),
        ("code", pa.string()),
        ("field", pa.string()),
        ("message", pa.string()),
        ("stage", pa.string()),
        ("http_status", pa.int64()),
        ("source_row", pa.string()),
        ("payload", pa.string()),
        ("fingerprint", pa.string()),
        ("email_digest", pa.string()),
        ("version", pa.int64()),
        ("chunk", pa.int64()),
    ]
)
# rows that name the letter they correct: letter_id, and own_id, the letter that the row as it reads
# now would be; nothing but letter_id is known of a row that gave way to another of its customer
CORRECTED = pa.schema(
    [(name, pa.string()) for name in ("letter_id", "own_id", "customer_id", "fingerprint")]
    + [("version", pa.int64())]
)

_PORTION = 10_000
"""Letters that one transaction closes."""

_UPSERT = """
INSERT INTO bunce_dead_letters AS d
  (id, account, customer_id, code, field, message, stage, http_status, source_row, payload,
   fingerprint, email_digest, version, attempts, first_seen_at, last_seen_at, status, run_id,
   batch_id, chunk, pipeline_name, table_name, run_number)
SELECT id, $1, customer_id, code, field, message, stage, http_status, source_row, payload,
  fingerprint, email_digest, version, 1, $2, $2, 'open', $3, batch_id, chunk, $4, $5, $6
FROM bunce_letters WHERE true ORDER BY id
ON CONFLICT (id) DO UPDATE SET
  code = excluded.code, field = excluded.field, message = excluded.message,
  stage = excluded.stage, http_status = excluded.http_status,
  source_row = excluded.source_row, payload = excluded.payload,
  attempts = d.attempts + 1, last_seen_at = excluded.last_seen_at,
  status = 'open', resolved_at = NULL,
  run_id = excluded.run_id, batch_id = excluded.batch_id, chunk = excluded.chunk,
  pipeline_name = excluded.pipeline_name, table_name = excluded.table_name
WHERE d.status NOT IN ('open', 'discarded') OR excluded.stage = 'api'
"""

# letters that stand beside those of the temporary table n, for the same customer
_BESIDE = """FROM {n} AS n JOIN bunce_dead_letters AS d
  ON d.account = $2 AND d.customer_id = n.customer_id AND d.status = 'open'"""
# a later chunk of the same job may have been judged while this one's rows were on the wire
_LATER = "d.batch_id = $3 || '.' || d.chunk AND d.chunk > n.chunk"
_CLOSE = "UPDATE bunce_dead_letters SET status = '{status}', resolved_at = $1 WHERE id IN ({ids})"


def letter_id(account: str, customer_id: str | None, fingerprint: str) -> str:
    """The same bad row of the same customer is the same letter, whenever it is met."""
    key = "\x1f".join((account, "" if customer_id is None else f"={customer_id}", fingerprint))
    return blake2b(key.encode(), digest_size=12).hexdigest()


def record_letters(db: Database, load_file: LoadFile, letters: pa.Table) -> dict[str, int]:
    """Writes letters inside the caller's transaction; returns how many rows count as `rejected`
    and how many as `held` (the same bad row is open, or discarded, since an earlier run).

    Of a customer's letters only that of the last row stays open, the others are `superseded`.
    Reading a chunk again changes nothing of what its letters have become since.
    """
    if not letters.num_rows:
        return {}
    rows = letters.to_pylist()
    for row in rows:
        row["id"] = letter_id(load_file.account, row["customer_id"], row["fingerprint"])
        row["batch_id"] = load_file.batch_id(row["chunk"])
        if load_file.letter_rows == "keys":
            row |= {"source_row": None, "payload": None, "message": _meaning(row)}
    unique = {row["id"]: row for row in rows}
    _ingest(db, unique.values())
    known = db.rows(
        "SELECT d.id AS id, d.batch_id = l.batch_id AS again, "
        "d.status IN ('open', 'discarded') AND d.batch_id <> l.batch_id AS held "
        "FROM bunce_letters AS l JOIN bunce_dead_letters AS d ON d.id = l.id "
        "WHERE l.stage = 'normalize'"
    )
    held = {row["id"] for row in known if row["held"]}
    again = {row["id"] for row in known if row["again"]}
    fresh = [row for letter, row in unique.items() if letter not in again]
    if fresh:
        _ingest(db, fresh)
        _write(db, load_file)
    count = sum(row["id"] in held for row in rows)
    return {"rejected": len(rows) - count, "held": count}


def _write(db: Database, load_file: LoadFile) -> None:
    now = utc_now()
    names = (load_file.pipeline_name, load_file.table_name)
    db.execute(_UPSERT, (load_file.account, now, load_file.run_id, *names, load_file.number))
    db.execute(
        "UPDATE bunce_dead_letters SET last_seen_at = $1, run_number = $2 "
        "WHERE id IN (SELECT id FROM bunce_letters)",
        (now, load_file.number),
    )
    beside = _BESIDE.format(n="bunce_letters") + " AND d.id <> n.id"
    older = f"SELECT d.id {beside} WHERE NOT ({_LATER})"
    db.execute(
        _CLOSE.format(status="superseded", ids=older), (now, load_file.account, load_file.name)
    )
    # what is open beside them now is later: then these are the older ones
    db.execute(
        _CLOSE.format(status="superseded", ids=f"SELECT n.id {beside}") + " AND status = 'open'",
        (now, load_file.account),
    )
    # what was refused last could not be sent at all: what could be sent is not held any more
    db.execute(
        "UPDATE bunce_customers SET rejected_fingerprint = '' WHERE account = $1 "
        "AND customer_id IN (SELECT l.customer_id FROM bunce_letters AS l "
        "JOIN bunce_dead_letters AS d ON d.id = l.id "
        "WHERE (l.stage = 'api') = (d.status = 'superseded'))",
        (load_file.account,),
    )


def _ingest(db: Database, rows: Iterable[dict[str, Any]]) -> None:
    schema = LETTERS.append(pa.field("id", pa.string())).append(pa.field("batch_id", pa.string()))
    db.ingest("bunce_letters", pa.Table.from_pylist(list(rows), schema))


def _meaning(row: dict[str, Any]) -> str:
    """A message without Bunce's words, which may quote the row."""
    code = REJECT_CODES.get(row["code"])
    return row["message"] if code is None or row["stage"] == "normalize" else code.meaning


def resolve_nameless(db: Database, account: str) -> None:
    """Closes letters of rows without an id whose email Bunce has accepted from a row with one.

    What is accepted lies in `bunce_settled`. Emails are unique among a workspace's customers.
    """
    where = "account = $1 AND customer_id IS NULL AND status = 'open'"
    if db.rows(f"SELECT 1 AS n FROM bunce_dead_letters WHERE {where} LIMIT 1", (account,)):  # noqa: S608
        db.execute(
            "UPDATE bunce_dead_letters SET status = 'resolved', resolved_at = $2 "  # noqa: S608
            f"WHERE {where} AND email_digest IN (SELECT email_digest FROM bunce_settled "
            "WHERE fate IN ('created', 'updated', 'adopted'))",
            (account, utc_now()),
        )


def resolve_letters(db: Database, load_file: LoadFile, settled: str) -> None:
    """Closes the open letters of customers whose row in the temporary table `settled` (with
    customer_id and chunk) is good; a letter of a later row of the job stays.
    """
    ids = f"SELECT d.id {_BESIDE.format(n=settled)} WHERE NOT ({_LATER})"
    db.execute(
        _CLOSE.format(status="resolved", ids=ids),
        (utc_now(), load_file.account, load_file.name),
    )
    db.execute(
        "UPDATE bunce_customers SET rejected_fingerprint = NULL "  # noqa: S608
        f"WHERE account = $1 AND customer_id IN (SELECT n.customer_id FROM {settled} AS n) "
        "AND rejected_fingerprint IS NOT NULL AND NOT EXISTS (SELECT 1 FROM bunce_dead_letters "
        "AS d WHERE d.account = $1 AND d.customer_id = bunce_customers.customer_id "
        "AND d.status = 'open')",
        (load_file.account,),
    )


def set_status(db: Database, account: str, ids: Sequence[str], status: str) -> int:
    """Closes open letters by hand; returns how many were open."""
    db.ingest("bunce_chosen", pa.table({"id": pa.array(ids, pa.string())}))
    closed = db.rows(
        "UPDATE bunce_dead_letters SET status = $1, resolved_at = $2 WHERE account = $3 "
        "AND status = 'open' AND id IN (SELECT id FROM bunce_chosen) RETURNING id",
        (status, utc_now(), account),
    )
    return len(closed)


def discard(db: Database, account: str, selection: Selection) -> int:
    """Closes the open letters of a selection by hand; returns how many.

    In portions, so that no load waits long for the store; broken off, do it again.
    """
    count = 0
    chosen = replace(selection, status="open")
    for page in pages(db, account, chosen, size=_PORTION, columns="id"):
        with db.transaction():
            count += set_status(db, account, [letter["id"] for letter in page], "discarded")
    return count


def release(db: Database, account: str, ids: Sequence[str]) -> None:
    """Lets refused rows go out again although they have not changed."""
    db.ingest("bunce_chosen", pa.table({"id": pa.array(ids, pa.string())}))
    db.execute(
        "UPDATE bunce_customers SET rejected_fingerprint = NULL WHERE account = $1 AND customer_id "
        "IN (SELECT d.customer_id FROM bunce_dead_letters AS d JOIN bunce_chosen AS c "
        "ON c.id = d.id WHERE d.account = $1)",
        (account,),
    )
    # a row of which only the email was refused counts as delivered, and would not go out
    db.execute(
        "UPDATE bunce_customers SET fingerprint = NULL WHERE account = $1 AND "
        "(customer_id, fingerprint) IN (SELECT d.customer_id, d.fingerprint "
        "FROM bunce_dead_letters AS d JOIN bunce_chosen AS c ON c.id = d.id "
        "WHERE d.account = $1 AND d.code = 'email_not_updated')",
        (account,),
    )


def close_unseen(db: Database, account: str, seen: Mapping[str, str], status: str) -> None:
    """Closes those letters that nothing has touched since: `seen` goes from id to last_seen_at."""
    ids, times = pa.array(seen.keys(), pa.string()), pa.array(seen.values(), pa.string())
    db.ingest("bunce_seen", pa.table({"id": ids, "last_seen_at": times}))
    db.execute(
        "UPDATE bunce_dead_letters SET status = $1, resolved_at = $2 WHERE account = $3 "
        "AND status = 'open' AND id IN (SELECT id FROM bunce_seen) AND last_seen_at = "
        "(SELECT s.last_seen_at FROM bunce_seen AS s WHERE s.id = bunce_dead_letters.id)",
        (status, utc_now(), account),
    )


_IS_THERE = """SELECT n.letter_id FROM bunce_corrected AS n JOIN bunce_customers AS c
  ON c.account = $2 AND c.customer_id = n.customer_id AND c.fingerprint = n.fingerprint
  WHERE n.own_id <> n.letter_id"""
_GAVE_WAY = f"""SELECT n.letter_id FROM bunce_corrected AS n WHERE n.own_id IS NULL
  UNION SELECT n.letter_id FROM bunce_corrected AS n JOIN bunce_dead_letters AS o
  ON o.id = n.own_id AND o.status IN ('open', 'discarded', 'superseded')
  WHERE n.own_id <> n.letter_id
  UNION SELECT n.letter_id FROM bunce_corrected AS n
  JOIN bunce_dead_letters AS d ON d.id = n.letter_id AND d.account = $2
  JOIN bunce_customers AS c ON c.account = $2 AND c.customer_id = n.customer_id
  WHERE n.own_id <> n.letter_id AND ({ACCEPTED_SINCE} OR n.version < c.version)"""  # noqa: S608


def close_corrected(db: Database, account: str, corrected: pa.Table) -> None:
    """Closes the open letters that settled rows (CORRECTED) name, as far as these are done with.

    A row that would be the very letter that it names leaves it as it is.
    """
    db.ingest("bunce_corrected", corrected)
    with db.transaction():
        for status, ids in (("resolved", _IS_THERE), ("superseded", _GAVE_WAY)):
            db.execute(
                _CLOSE.format(status=status, ids=ids) + " AND account = $2 AND status = 'open'",
                (utc_now(), account),
            )
        # a letter may have named another customer than its row does now
        db.execute(
            "UPDATE bunce_customers SET rejected_fingerprint = NULL WHERE account = $1 "
            "AND rejected_fingerprint IS NOT NULL AND customer_id IN (SELECT d.customer_id "
            "FROM bunce_corrected AS n JOIN bunce_dead_letters AS d ON d.id = n.letter_id "
            "WHERE d.account = $1) AND NOT EXISTS (SELECT 1 FROM bunce_dead_letters AS d "
            "WHERE d.account = $1 AND d.customer_id = bunce_customers.customer_id "
            "AND d.status IN ('open', 'discarded'))",
            (account,),
        )
