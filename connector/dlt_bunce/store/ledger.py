"""What Bunce has accepted, what it refused, and who is sending what right now.

A row is claimed (its intent is committed) before it goes on the wire, and settled in the same
transaction as its dead letter and its count, so that the three can never disagree.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bunce.model import Traffic
from dlt_bunce.store import runs
from dlt_bunce.store.database import Database, utc_now
from dlt_bunce.store.dead_letters import LETTERS, record_letters, resolve_letters

DEFAULT_LEASE_S = 900
"""How long a claim protects a row: longer than every retry of one batch together."""

# what settle() takes: one row a customer whose fate is known now
SETTLED = pa.schema(
    [
        ("customer_id", pa.string()),
        ("fate", pa.string()),
        ("confirmation", pa.string()),
        ("fingerprint", pa.string()),
        ("version", pa.int64()),
        ("email_digest", pa.string()),
        ("chunk", pa.int64()),
        ("in_doubt", pa.bool_()),
    ]
)
_VERDICTS = pa.schema(
    [
        ("row", pa.int64()),
        ("verdict", pa.string()),
        ("in_doubt", pa.int64()),
        ("had_letter", pa.int64()),
    ]
)

# The order of the branches is the rule: what this very chunk settled in an earlier try keeps its
# fate; a live claim of somebody else comes before everything that could lead to sending.
_JUDGE = """
SELECT i.row AS row,
  CASE
    WHEN c.customer_id IS NULL THEN 'new'
    WHEN c.job = $1 AND c.chunk = $2 AND c.fingerprint = i.fingerprint THEN c.fate
    WHEN c.job = $1 AND c.chunk = $2 AND c.rejected_fingerprint = i.fingerprint THEN 'rejected'
    WHEN c.job = $1 AND c.chunk = $2 AND c.fate IN ('adopted', 'skipped') THEN c.fate
    WHEN c.job = $1 AND c.chunk > $2 AND c.fate IN ('created', 'updated') THEN 'superseded'
    WHEN c.claim_batch IS NOT NULL AND c.claim_batch <> $3 AND c.lease_until > $4 THEN 'busy'
    WHEN c.fingerprint = i.fingerprint THEN 'unchanged'
    WHEN c.rejected_fingerprint = i.fingerprint THEN 'held'
    WHEN i.version < c.version THEN 'superseded'
    WHEN c.fate IS NULL OR c.fate = 'rejected' AND c.fingerprint IS NULL THEN 'new'
    ELSE 'changed'
  END AS verdict,
  CASE WHEN c.claim_batch IS NOT NULL THEN 1 ELSE 0 END AS in_doubt,
  CASE WHEN c.rejected_fingerprint IS NOT NULL THEN 1 ELSE 0 END AS had_letter
FROM bunce_incoming AS i
LEFT JOIN bunce_customers AS c ON c.account = $5 AND c.customer_id = i.customer_id
"""

_CLAIM = """
INSERT INTO bunce_customers AS c
  (account, customer_id, claim_fingerprint, claim_batch, lease_until)
SELECT $1, customer_id, fingerprint, $2, $3 FROM bunce_claimed WHERE true ORDER BY customer_id
ON CONFLICT (account, customer_id) DO UPDATE SET
  claim_fingerprint = excluded.claim_fingerprint,
  claim_batch = excluded.claim_batch,
  lease_until = excluded.lease_until
WHERE c.claim_batch IS NULL OR c.claim_batch = excluded.claim_batch OR c.lease_until <= $4
"""

_ACCEPT = """
INSERT INTO bunce_customers AS c
  (account, customer_id, fingerprint, version, confirmation, email_digest, delivered_at, fate,
   job, chunk)
SELECT $1, customer_id, fingerprint, version, confirmation,
  email_digest, $2, fate, $3, chunk
FROM bunce_settled WHERE fate IN ('created', 'updated', 'adopted', 'skipped') ORDER BY customer_id
ON CONFLICT (account, customer_id) DO UPDATE SET
  fingerprint = excluded.fingerprint,
  version = excluded.version,
  confirmation = excluded.confirmation,
  email_digest = excluded.email_digest,
  delivered_at = excluded.delivered_at,
  fate = excluded.fate,
  job = excluded.job,
  chunk = excluded.chunk,
  rejected_fingerprint = NULL,
  claim_fingerprint = NULL,
  claim_batch = NULL,
  lease_until = NULL
"""

_REJECT = """
INSERT INTO bunce_customers AS c
  (account, customer_id, rejected_fingerprint, fate, job, chunk)
SELECT $1, customer_id, fingerprint, 'rejected', $2, chunk
FROM bunce_settled WHERE fate = 'rejected' ORDER BY customer_id
ON CONFLICT (account, customer_id) DO UPDATE SET
  rejected_fingerprint = excluded.rejected_fingerprint,
  fate = CASE WHEN c.fingerprint IS NULL THEN 'rejected' ELSE c.fate END,
  job = excluded.job,
  chunk = excluded.chunk,
  claim_fingerprint = NULL,
  claim_batch = NULL,
  lease_until = NULL
"""

# a row in doubt keeps its claim, with the lease ended: whoever comes next looks it up first
_DEFER = """
INSERT INTO bunce_customers AS c (account, customer_id)
SELECT $1, customer_id FROM bunce_settled WHERE fate = 'deferred' AND in_doubt = $2
ORDER BY customer_id
ON CONFLICT (account, customer_id) DO UPDATE SET
  claim_fingerprint = CASE WHEN $2 = 1 THEN c.claim_fingerprint ELSE NULL END,
  claim_batch = CASE WHEN $2 = 1 THEN c.claim_batch ELSE NULL END,
  lease_until = CASE WHEN $2 = 1 THEN 0 ELSE NULL END
"""


@dataclass(frozen=True)
class Job:
    """Which file of which run is being loaded, and for whom."""

    account: str
    run_id: str
    pipeline_name: str
    table_name: str
    job_id: str
    disposition: str
    letter_rows: str = "full"

    @property
    def name(self) -> str:
        """Identifies the job across tries and processes: dlt keeps both parts."""
        return f"{self.run_id}.{self.job_id}"

    def batch_id(self, chunk: int) -> str:
        """Identifies one chunk of the job's file: what a claim and a dead letter refer to."""
        return f"{self.name}.{chunk}"


@dataclass(frozen=True)
class Claim:
    """The rows of a chunk that are now this job's to send.

    `to_send` is the accepted table plus `in_doubt` (bool: an earlier request may have delivered
    the row); `busy` counts rows that another live run is sending.
    """

    to_send: pa.Table
    busy: int


class Ledger:
    """The ledger of one account, as one job sees it."""

    def __init__(
        self,
        database: Database,
        job: Job,
        *,
        clock: Callable[[], float] = time.time,
        lease_s: float = DEFAULT_LEASE_S,
    ) -> None:
        self._db = database
        self._job = job
        self._clock = clock
        self._lease_ms = int(lease_s * 1000)

    def judge(self, accepted: pa.Table, chunk: int) -> pa.Table:
        """Compares the rows with the ledger: table of row, verdict, in_doubt, had_letter."""
        job = self._job
        incoming = accepted.select(["row", "customer_id", "fingerprint", "version"])
        self._db.ingest("bunce_incoming", incoming)
        return self._db.query(
            _JUDGE,
            (job.name, chunk, job.batch_id(chunk), int(self._clock() * 1000), job.account),
            schema=_VERDICTS,
        )

    def claim(
        self, accepted: pa.Table, letters: pa.Table, *, chunk: int, read: int, superseded: int
    ) -> Claim:
        """Counts a chunk, records its `letters`, and commits the intent for what must be sent.

        `accepted` and `superseded` are as records.Prepared has them, `letters` as LETTERS.
        """
        job, db = self._job, self._db
        with db.transaction():
            verdicts = self.judge(accepted, chunk) if accepted.num_rows else _VERDICTS.empty_table()
            fates = Counter(verdicts.column("verdict").to_pylist())
            fates["superseded"] += superseded
            fates.update(record_letters(db, job, letters))
            changed = fates.pop("changed", 0)
            # merge creates only what is new so far: a changed customer is counted, never lost
            fates["skipped"] += changed
            to_send = self._intend(accepted, verdicts, chunk)
            self._settle_unsent(accepted, verdicts)
            busy = fates.pop("busy", 0) + fates.pop("new", 0) - to_send.num_rows
            runs.put_chunk(db, job, chunk, read, fates)
        return Claim(to_send, busy)

    def settle(self, settled: pa.Table, letters: pa.Table, traffic: Traffic) -> None:
        """Writes fates (SETTLED), dead letters (LETTERS), and counts in one transaction."""
        job, db = self._job, self._db
        with db.transaction():
            db.ingest("bunce_settled", settled)
            present = set(settled.column("fate").to_pylist())
            if present & {"created", "updated", "adopted", "skipped"}:
                db.execute(_ACCEPT, (job.account, utc_now(), job.name))
                resolve_letters(db, job.account, "bunce_settled")
            if "rejected" in present:
                db.execute(_REJECT, (job.account, job.name))
                record_letters(db, job, letters)
            if "deferred" in present:
                for in_doubt in (0, 1):
                    db.execute(_DEFER, (job.account, in_doubt))
            runs.add_fates(db, job, settled)
            runs.add_traffic(db, job, traffic)

    def renew(self, chunks: list[int]) -> None:
        """Extends the lease of chunks that are still being sent."""
        until = int(self._clock() * 1000) + self._lease_ms
        for chunk in chunks:
            self._db.execute(
                "UPDATE bunce_customers SET lease_until = $1 WHERE account = $2 "
                "AND claim_batch = $3 AND lease_until > 0",
                (until, self._job.account, self._job.batch_id(chunk)),
            )

    def emails_of_others(self, digests: dict[str, str]) -> set[str]:
        """Which customer_ids of `digests` (customer_id -> email digest) use an email that the
        ledger has delivered under another id.
        """
        if not digests:
            return set()
        table = pa.table({"customer_id": list(digests), "email_digest": list(digests.values())})
        self._db.ingest("bunce_emails", table)
        found = self._db.query(
            "SELECT DISTINCT e.customer_id AS customer_id FROM bunce_emails AS e "
            "JOIN bunce_customers AS c ON c.account = $1 AND c.email_digest = e.email_digest "
            "AND c.customer_id <> e.customer_id",
            (self._job.account,),
        )
        return set(found.column("customer_id").to_pylist())

    def _intend(self, accepted: pa.Table, verdicts: pa.Table, chunk: int) -> pa.Table:
        wanted = verdicts.filter(pc.equal(verdicts.column("verdict"), "new"))
        doubts = pc.equal(wanted.column("in_doubt"), 1)
        rows = accepted.take(pc.index_in(wanted.column("row"), accepted.column("row")))
        rows = rows.append_column("in_doubt", doubts)
        if not rows.num_rows:
            return rows
        now = int(self._clock() * 1000)
        batch = self._job.batch_id(chunk)
        self._db.ingest("bunce_claimed", rows.select(["customer_id", "fingerprint"]))
        self._db.execute(_CLAIM, (self._job.account, batch, now + self._lease_ms, now))
        ours = self._db.query(
            "SELECT i.customer_id AS customer_id FROM bunce_claimed AS i JOIN bunce_customers AS c "
            "ON c.account = $1 AND c.customer_id = i.customer_id WHERE c.claim_batch = $2",
            (self._job.account, batch),
        )
        if ours.num_rows == rows.num_rows:
            return rows
        mine = pc.is_in(rows.column("customer_id"), ours.column("customer_id").combine_chunks())
        return rows.filter(mine)

    def _settle_unsent(self, accepted: pa.Table, verdicts: pa.Table) -> None:
        """Content that Bunce has already, after a refused change: the letter is done with."""
        back = pc.and_(
            pc.equal(verdicts.column("verdict"), "unchanged"),
            pc.equal(verdicts.column("had_letter"), 1),
        )
        rows = verdicts.filter(back).column("row")
        if not len(rows):
            return
        ids = accepted.take(pc.index_in(rows, accepted.column("row"))).select(["customer_id"])
        self._db.ingest(
            "bunce_settled", ids.append_column("fate", pa.array(["adopted"] * len(ids)))
        )
        self._db.execute(
            "UPDATE bunce_customers SET rejected_fingerprint = NULL WHERE account = $1 "
            "AND customer_id IN (SELECT customer_id FROM bunce_settled)",
            (self._job.account,),
        )
        resolve_letters(self._db, self._job.account, "bunce_settled")


__all__ = ["DEFAULT_LEASE_S", "LETTERS", "SETTLED", "Claim", "Job", "Ledger"]
