"""Dead letters: rows that could not be loaded, why, the row as read, and its status since."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from dlt_bunce.reject_codes import REJECT_CODES
from dlt_bunce.store.database import Database, utc_now
from dlt_bunce.store.letters.dead_letter_query import pages
from dlt_bunce.store.letters.late_rows import late_rows
from dlt_bunce.store.letters.selection import Selection
from dlt_bunce.store.statements import ACCEPTED_SINCE

if TYPE_CHECKING:
    from dlt_bunce.store.load_file import LoadFile

# the columns of a dead letter that its writer knows; the store adds the rest. `corrects`, which is
# not stored, is the dead letter that the row names
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
        ("other_defects", pa.string()),
        ("source", pa.string()),
        ("source_line", pa.int64()),
        ("corrects", pa.string()),
    ]
)
_PORTION = 10_000
"""Dead letters that one transaction closes."""

_UPSERT = """
INSERT INTO bunce_dead_letters AS d
  (id, account, customer_id, code, field, message, stage, http_status, source_row, payload,
   fingerprint, email_digest, version, attempts, first_seen_at, last_seen_at, status, run_id,
   batch_id, chunk, pipeline_name, table_name, run_number, other_defects,
   source, source_line)
SELECT id, $1, customer_id, code, field, message, stage, http_status, source_row, payload,
  fingerprint, email_digest, version, 1, $2, $2, 'open', $3, batch_id, chunk, {0}, $5, $6,
  other_defects, source, source_line
FROM bunce_letters AS n WHERE true ORDER BY id
ON CONFLICT (id) DO UPDATE SET
  code = excluded.code, field = excluded.field, message = excluded.message,
  stage = excluded.stage, http_status = excluded.http_status,
  source_row = excluded.source_row, payload = excluded.payload,
  email_digest = COALESCE(excluded.email_digest, d.email_digest),
  attempts = d.attempts + 1, last_seen_at = excluded.last_seen_at,
  status = 'open', resolved_at = NULL,
  run_id = excluded.run_id, batch_id = excluded.batch_id, chunk = excluded.chunk,
  pipeline_name = {1}.pipeline_name, table_name = excluded.table_name,
  other_defects = excluded.other_defects,
  source = excluded.source, source_line = excluded.source_line,
  read_run_id = NULL, read_pipeline_name = NULL
WHERE d.status NOT IN ('open', 'discarded') OR excluded.stage = 'api'
"""

# the pipeline of a replayed row: a replay sends those of several
_PIPELINE = """COALESCE((SELECT MAX(o.pipeline_name) FROM bunce_dead_letters AS o
  WHERE o.account = $1 AND o.customer_id = n.customer_id AND o.status = 'open'), $4)"""

# The dead letters that exist already: read_before by this job, held since an earlier run, and the
# same in all that writing them again would change. Writing a held row would rewrite four indexes.
KNOWN = f"""
SELECT d.id AS id, d.batch_id = l.batch_id AS read_before,
  d.status IN ('open', 'discarded') AND d.batch_id <> l.batch_id AS held,
  NOT EXISTS (SELECT 1 FROM bunce_dead_letters AS o WHERE o.account = $1
    AND o.customer_id = d.customer_id AND o.status = 'open' AND o.id <> d.id)
  AND NOT EXISTS (SELECT 1 FROM bunce_customers AS c WHERE c.account = $1
    AND c.customer_id = d.customer_id
    AND (c.rejected_fingerprint IS NULL OR c.rejected_fingerprint <> '' OR {ACCEPTED_SINCE}))
  AS same
FROM {{letters}} AS l JOIN bunce_dead_letters AS d ON d.id = l.id
"""  # noqa: S608, constants only

# the dead letters, of some statuses, of the customers in the temporary table n
_BESIDE = """FROM {n} AS n JOIN bunce_dead_letters AS d
  ON d.account = $2 AND d.customer_id = n.customer_id AND d.status IN ({statuses})"""
# a later chunk of the same job may have been judged while this chunk's rows were in flight, and
# rows of an older version may arrive late
_LATER = """(d.batch_id = $3 || '.' || d.chunk AND d.chunk > n.chunk
  OR n.version IS NOT NULL AND d.version IS NOT NULL AND d.version > n.version)"""
CLOSE = "UPDATE bunce_dead_letters SET status = '{status}', resolved_at = $1 WHERE id IN ({ids})"


def letter_id(account: str, customer_id: str | None, fingerprint: str) -> str:
    """Return the id of a dead letter: the same for the same bad row of a customer in every run."""
    key = "\x1f".join((account, "" if customer_id is None else f"={customer_id}", fingerprint))
    return blake2b(key.encode(), digest_size=12).hexdigest()


def record_letters(db: Database, load_file: LoadFile, letters: pa.Table) -> dict[str, int]:
    """Write dead letters inside the caller's transaction.

    Returns how many rows count as `rejected`, how many as `held` (the same bad row has been open or
    discarded since an earlier run), and how many as `superseded` (Bunce has accepted a newer
    version of the customer, or the row was exported with a dead letter that is closed). Rows that
    are held or superseded write nothing. Of a customer's dead letters only the one for the last row
    stays open; the others become `superseded`. Reading a chunk again does not change the status of
    its dead letters.
    """
    if not letters.num_rows:
        return {}
    rows = letters.to_pylist()
    for row in rows:
        row["id"] = letter_id(load_file.account, row["customer_id"], row["fingerprint"])
        row["batch_id"] = load_file.batch_id(row["chunk"])
        row["source"] = row["source"] or load_file.origin
        if load_file.letter_rows == "keys":
            row |= {"source_row": None, "payload": None, "message": _meaning(row)}
    unique = {row["id"]: row for row in rows}
    _ingest(db, unique.values())
    known = db.rows(
        KNOWN.format(letters="bunce_letters") + "WHERE l.stage = 'normalize'", (load_file.account,)
    )
    held = {row["id"] for row in known if row["held"]}
    may_skip = not load_file.is_replay
    written = {
        row["id"]
        for row in known
        if row["read_before"] or (may_skip and row["held"] and row["same"])
    }
    # an open dead letter holds its row, but not if the row is replayed
    stopped_here = {letter for letter, row in unique.items() if row["stage"] == "normalize"}
    late = late_rows(db, load_file.account, "bunce_letters") & stopped_here - written
    late -= held if may_skip else set()
    fresh = [row for letter, row in unique.items() if letter not in written | late]
    if fresh:
        _ingest(db, fresh)
        _write(db, load_file)
    return Counter(
        "superseded" if row["id"] in late else "held" if row["id"] in held else "rejected"
        for row in rows
    )


def held_again(db: Database, load_file: LoadFile, rejected: pa.Table, chunk: int) -> list[bool]:
    """Return which rows (customer_id, fingerprint) of a chunk are held, with nothing to write.

    For such a row, no dead letter needs to be made.
    """
    if load_file.is_replay or not rejected.num_rows:
        return [False] * rejected.num_rows
    pairs = zip(
        rejected.column("customer_id").to_pylist(),
        rejected.column("fingerprint").to_pylist(),
        strict=True,
    )
    ids = [letter_id(load_file.account, *pair) for pair in pairs]
    batches = pa.repeat(pa.scalar(load_file.batch_id(chunk)), len(ids))
    db.ingest("bunce_rejected", pa.table({"id": pa.array(ids, pa.string()), "batch_id": batches}))
    known = db.rows(
        f"SELECT id FROM ({KNOWN.format(letters='bunce_rejected')}) AS known "  # noqa: S608
        "WHERE held AND same",
        (load_file.account,),
    )
    held = {row["id"] for row in known}
    return [one in held for one in ids]


def _write(db: Database, load_file: LoadFile) -> None:
    now = utc_now()
    names = (load_file.pipeline_name, load_file.table_name)
    own = (_PIPELINE, "d") if load_file.is_replay else ("$4", "excluded")
    db.execute(
        _UPSERT.format(*own), (load_file.account, now, load_file.run_id, *names, load_file.number)
    )
    db.execute(
        "UPDATE bunce_dead_letters SET last_seen_at = $1, run_number = $2 "
        "WHERE id IN (SELECT id FROM bunce_letters)",
        (now, load_file.number),
    )
    beside = _BESIDE.format(n="bunce_letters", statuses="'open'") + " AND d.id <> n.id"
    older = f"SELECT d.id {beside} WHERE NOT {_LATER}"
    db.execute(
        CLOSE.format(status="superseded", ids=older), (now, load_file.account, load_file.name)
    )
    # other dead letters still open for these customers come from later rows, so these are older
    db.execute(
        CLOSE.format(status="superseded", ids=f"SELECT n.id {beside}") + " AND status = 'open'",
        (now, load_file.account),
    )
    # the last bad row could not be sent at all, so content that Bunce refused earlier is no longer
    # held
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
    """Return a message without the text of Bunce's response, which may quote the row."""
    code = REJECT_CODES.get(row["code"])
    return row["message"] if code is None or row["stage"] == "normalize" else code.meaning


def resolve_nameless(db: Database, account: str) -> None:
    """Resolve dead letters of rows without an id whose email Bunce has accepted with an id.

    Accepted rows are in the temporary table `bunce_settled`. An email is unique within a workspace.
    """
    where = "account = $1 AND customer_id IS NULL AND status = 'open'"
    if db.rows(f"SELECT 1 AS n FROM bunce_dead_letters WHERE {where} LIMIT 1", (account,)):  # noqa: S608
        db.execute(
            "UPDATE bunce_dead_letters SET status = 'resolved', resolved_at = $2 "  # noqa: S608
            f"WHERE {where} AND email_digest IN (SELECT email_digest FROM bunce_settled "
            "WHERE fate IN ('created', 'updated', 'adopted'))",
            (account, utc_now()),
        )


def resolve_letters(db: Database, load_file: LoadFile, settled: str, *, accepted: bool) -> None:
    """Resolve the open dead letters of customers whose row is now good, and the discarded ones if
    Bunce has just `accepted` these rows: the same bad row would be news then.

    The temporary table named `settled` has these rows (customer_id, version, and chunk). A dead
    letter of a later row of the same job stays as it is, and so does one of a newer version.
    """
    statuses = "'open', 'discarded'" if accepted else "'open'"
    ids = f"SELECT d.id {_BESIDE.format(n=settled, statuses=statuses)} WHERE NOT {_LATER}"
    db.execute(
        CLOSE.format(status="resolved", ids=ids),
        (utc_now(), load_file.account, load_file.name),
    )
    db.execute(
        "UPDATE bunce_customers SET rejected_fingerprint = NULL "  # noqa: S608
        f"WHERE account = $1 AND customer_id IN (SELECT n.customer_id FROM {settled} AS n) "
        "AND rejected_fingerprint IS NOT NULL AND NOT EXISTS (SELECT 1 FROM bunce_dead_letters "
        "AS d WHERE d.account = $1 AND d.customer_id = bunce_customers.customer_id "
        "AND (d.status = 'open' OR d.status = 'discarded' "
        "AND d.fingerprint = bunce_customers.rejected_fingerprint))",
        (load_file.account,),
    )


def set_status(db: Database, account: str, ids: Sequence[str], status: str) -> int:
    """Set the status of open dead letters to `status`; return how many were open."""
    db.ingest("bunce_chosen", pa.table({"id": pa.array(ids, pa.string())}))
    closed = db.rows(
        "UPDATE bunce_dead_letters SET status = $1, resolved_at = $2 WHERE account = $3 "
        "AND status = 'open' AND id IN (SELECT id FROM bunce_chosen) RETURNING id",
        (status, utc_now(), account),
    )
    return len(closed)


def discard(db: Database, account: str, selection: Selection) -> int:
    """Discard the open dead letters of a selection; return how many.

    This takes one transaction for every 10,000 dead letters, so that no load waits long for the
    store. If it is interrupted, run it again.
    """
    total = 0
    chosen = replace(selection, status="open")
    for page in pages(db, account, chosen, size=_PORTION, columns="id"):
        with db.transaction():
            total += set_status(db, account, [letter["id"] for letter in page], "discarded")
    return total


def close_unseen(db: Database, account: str, seen: Mapping[str, str], status: str) -> None:
    """Close the dead letters in `seen` (id to last_seen_at) that have not been seen again since."""
    ids, times = pa.array(seen.keys(), pa.string()), pa.array(seen.values(), pa.string())
    db.ingest("bunce_seen", pa.table({"id": ids, "last_seen_at": times}))
    db.execute(
        "UPDATE bunce_dead_letters SET status = $1, resolved_at = $2 WHERE account = $3 "
        "AND status = 'open' AND id IN (SELECT id FROM bunce_seen) AND last_seen_at = "
        "(SELECT s.last_seen_at FROM bunce_seen AS s WHERE s.id = bunce_dead_letters.id)",
        (status, utc_now(), account),
    )
