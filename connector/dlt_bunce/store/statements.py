"""What the ledger says to the database: one text for SQLite and Postgres."""

from __future__ import annotations

# a claimed row may be on the wire if it was so before the claim (no row), or if its batch has come
# that far
_INDETERMINATE = """c.claim_batch IS NOT NULL AND (c.claim_row IS NULL OR c.claim_row < COALESCE(
    (SELECT s.below_row FROM bunce_sendings AS s WHERE s.claim_batch = c.claim_batch), 0))"""

LONGEST_LEASE_MS = 900_000
"""No lease is longer: one that ends later was written while a clock was ahead, and has ended."""

# A claim protects its rows while its lease, or the renewed one of its batch, lasts; unless the
# batch or its owner is known to have ended, which a lease of 0 says.
LIVE = f"""(c.lease_until > {{now}} AND c.lease_until <= {{now}} + {LONGEST_LEASE_MS}
  OR EXISTS (SELECT 1 FROM bunce_leases AS l WHERE l.claim_batch = c.claim_batch
    AND l.lease_until > {{now}} AND l.lease_until <= {{now}} + {LONGEST_LEASE_MS}))
  AND NOT EXISTS (SELECT 1 FROM bunce_leases AS e
    WHERE e.claim_batch IN (c.claim_batch, c.claim_owner) AND e.lease_until = 0)"""  # noqa: S608, of constants alone

# The order of the branches is the rule: what this very chunk settled in an earlier try keeps its
# fate; a live claim of somebody else comes before everything that could lead to sending. The last
# two lines leave out the many rows of which the branches could only say that they are unchanged.
JUDGE = f"""
SELECT i.row AS row,
  CASE
    WHEN c.customer_id IS NULL THEN 'new'
    WHEN c.job = $1 AND c.chunk = $2 AND c.fingerprint = i.fingerprint THEN c.fate
    WHEN c.job = $1 AND c.chunk = $2 AND c.rejected_fingerprint = i.fingerprint THEN 'rejected'
    WHEN c.job = $1 AND c.chunk = $2 AND c.fate = 'adopted' THEN c.fate
    WHEN c.job = $1 AND c.chunk > $2 AND c.fate IN ('created', 'updated')
      AND (i.version IS NULL OR c.version IS NULL OR i.version <= c.version) THEN 'superseded'
    WHEN c.claim_batch IS NOT NULL AND c.claim_batch <> $3 AND {LIVE.format(now="$4")}
      THEN 'busy'
    WHEN c.fingerprint = i.fingerprint THEN 'unchanged'
    WHEN c.rejected_fingerprint = i.fingerprint THEN 'held'
    WHEN i.version < c.version THEN 'superseded'
    WHEN c.fate IS NULL OR c.fate = 'rejected' AND c.fingerprint IS NULL THEN 'new'
    ELSE 'changed'
  END AS verdict,
  CASE WHEN {_INDETERMINATE} THEN 1 ELSE 0 END AS indeterminate,
  CASE WHEN c.rejected_fingerprint IS NOT NULL THEN 1 ELSE 0 END AS had_letter
FROM bunce_incoming AS i
LEFT JOIN bunce_customers AS c ON c.account = $5 AND c.customer_id = i.customer_id
WHERE c.fingerprint IS NULL OR c.fingerprint <> i.fingerprint OR c.job = $1
  OR c.claim_batch IS NOT NULL OR c.rejected_fingerprint IS NOT NULL
"""  # noqa: S608, of constants alone

COUNT_CUSTOMERS = f"""
SELECT COUNT(*) AS customers, COUNT(delivered_at) AS delivered,
  COUNT(CASE WHEN {_INDETERMINATE} THEN 1 END) AS indeterminate
FROM bunce_customers AS c WHERE account = $1
"""  # noqa: S608

# Whether Bunce has accepted customer c since letter d was written: by the order of runs, and by the
# clock within one alone, for clocks can be wrong.
ACCEPTED_SINCE = """(COALESCE(c.run_number, 0), c.delivered_at)
  > (COALESCE(d.run_number, 0), d.last_seen_at)"""

# a correction is of the content that its letter held; what was accepted since is newer
OVERTAKEN = f"""
SELECT n.row AS row FROM bunce_correcting AS n
JOIN bunce_dead_letters AS d ON d.id = n.letter_id AND d.account = $1
JOIN bunce_customers AS c ON c.account = $1 AND c.customer_id = n.customer_id
WHERE {ACCEPTED_SINCE}
"""  # noqa: S608, of constants alone

CLAIM = f"""
INSERT INTO bunce_customers AS c
  (account, customer_id, claim_fingerprint, claim_batch, claim_row, lease_until, claim_owner)
SELECT $1, customer_id, fingerprint, $2, claim_row, $3, $5 FROM bunce_claimed WHERE true
ORDER BY customer_id
ON CONFLICT (account, customer_id) DO UPDATE SET
  claim_fingerprint = excluded.claim_fingerprint,
  claim_batch = excluded.claim_batch,
  claim_row = excluded.claim_row,
  lease_until = excluded.lease_until,
  claim_owner = excluded.claim_owner
WHERE c.claim_batch IS NULL OR c.claim_batch = excluded.claim_batch
  OR NOT ({LIVE.format(now="$4")})
"""  # noqa: S608, of constants alone

# digests are scattered: an index of them would double what each settlement writes
INDEX_EMAILS = """
CREATE INDEX IF NOT EXISTS bunce_customers_email ON bunce_customers (account, email_digest)
WHERE email_digest IS NOT NULL
"""

# a cross join, for SQLite would begin with the customers while it knows nothing of the new index
EMAILS_OF_OTHERS = """
SELECT DISTINCT e.customer_id AS customer_id FROM bunce_emails AS e
CROSS JOIN bunce_customers AS c WHERE c.account = $1 AND c.email_digest = e.email_digest
  AND c.customer_id <> e.customer_id
"""

# a mark never goes back: rows that an earlier try claimed, and this one does not, rest on it
SENDING = """
INSERT INTO bunce_sendings AS s (claim_batch, below_row, inherited) VALUES ($1, $2, 0)
ON CONFLICT (claim_batch) DO UPDATE SET below_row =
  CASE WHEN s.below_row > excluded.below_row THEN s.below_row ELSE excluded.below_row END
"""

# a lease of 0 ends all claims of a batch, or of an owner
END_CLAIMS = """
INSERT INTO bunce_leases AS l (claim_batch, lease_until) VALUES ($1, 0)
ON CONFLICT (claim_batch) DO UPDATE SET lease_until = 0
"""

INHERIT = "UPDATE bunce_sendings SET inherited = 1 WHERE claim_batch = $1"

ARRIVED = "DELETE FROM bunce_sendings WHERE claim_batch = $1 AND inherited = 0"

RENEW = """
INSERT INTO bunce_leases AS l (claim_batch, lease_until) VALUES ($1, $2)
ON CONFLICT (claim_batch) DO UPDATE SET lease_until = excluded.lease_until
"""

ACCEPT = """
INSERT INTO bunce_customers AS c
  (account, customer_id, fingerprint, version, confirmation, email_digest, delivered_at, fate,
   job, chunk, run_number)
SELECT $1, customer_id, fingerprint, version, confirmation,
  email_digest, $2, fate, $3, chunk, $4
FROM bunce_settled WHERE fate IN ('created', 'updated', 'adopted') ORDER BY customer_id
ON CONFLICT (account, customer_id) DO UPDATE SET
  fingerprint = excluded.fingerprint,
  version = COALESCE(excluded.version, c.version),
  confirmation = excluded.confirmation,
  email_digest = COALESCE(excluded.email_digest, c.email_digest),
  delivered_at = excluded.delivered_at,
  run_number = excluded.run_number,
  fate = excluded.fate,
  job = excluded.job,
  chunk = excluded.chunk,
  claim_fingerprint = NULL,
  claim_batch = NULL,
  claim_row = NULL,
  lease_until = NULL,
  claim_owner = NULL
"""

REJECT = """
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
  claim_row = NULL,
  lease_until = NULL,
  claim_owner = NULL
"""

# Few rows, if any: those that somebody else has claimed since (a job may stall past its lease), and
# those of customers with something to tidy up after a refusal. The ledger is asked row by row, by
# its key: no planner can come to read it whole for a join.
NOTABLE = """
SELECT customer_id, state = 'lost' AS lost FROM (
  SELECT s.customer_id AS customer_id,
    COALESCE((SELECT CASE WHEN c.claim_batch IS NULL OR c.claim_batch <> $2 || '.' || s.chunk
        THEN 'lost' WHEN c.rejected_fingerprint IS NOT NULL THEN 'refused' ELSE 'ours' END
      FROM bunce_customers AS c WHERE c.account = $1 AND c.customer_id = s.customer_id), 'lost')
      AS state,
    EXISTS (SELECT 1 FROM bunce_dead_letters AS d WHERE d.account = $1
      AND d.customer_id = s.customer_id AND d.status = 'open') AS has_letter
  FROM bunce_settled AS s
) AS s WHERE state <> 'ours' OR has_letter
"""

# a row in doubt keeps its claim, with the lease ended: whoever comes next looks it up first
DEFER = """
INSERT INTO bunce_customers AS c (account, customer_id)
SELECT $1, customer_id FROM bunce_settled WHERE fate = 'deferred' AND indeterminate = $2
ORDER BY customer_id
ON CONFLICT (account, customer_id) DO UPDATE SET
  claim_fingerprint = CASE WHEN $2 = 1 THEN c.claim_fingerprint ELSE NULL END,
  claim_batch = CASE WHEN $2 = 1 THEN c.claim_batch ELSE NULL END,
  claim_row = NULL,
  lease_until = CASE WHEN $2 = 1 THEN 0 ELSE NULL END
"""
