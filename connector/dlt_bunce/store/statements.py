"""The SQL statements of the ledger; each serves both SQLite and Postgres."""

from __future__ import annotations

# Test whether customer c may already be on the wire: the claim took over such a row (claim_row is
# null), or its batch has been sent that far.
_INDETERMINATE = """c.claim_batch IS NOT NULL AND (c.claim_row IS NULL OR c.claim_row < COALESCE(
    (SELECT s.below_row FROM bunce_sendings AS s WHERE s.claim_batch = c.claim_batch), 0))"""

LONGEST_LEASE_MS = 240_000
"""A lease and a minute, by which a clock may be corrected while a load goes on. A lease that ends
later was written by a fast clock and counts as expired.
"""

# Test whether the claim on customer c is live: its own lease or its batch's renewed lease has not
# expired, and neither the batch nor its owner has been marked as ended (a lease of 0).
LIVE = f"""(c.lease_until > {{now}} AND c.lease_until <= {{now}} + {LONGEST_LEASE_MS}
  OR EXISTS (SELECT 1 FROM bunce_leases AS l WHERE l.claim_batch = c.claim_batch
    AND l.lease_until > {{now}} AND l.lease_until <= {{now}} + {LONGEST_LEASE_MS}))
  AND NOT EXISTS (SELECT 1 FROM bunce_leases AS e
    WHERE e.claim_batch IN (c.claim_batch, c.claim_owner) AND e.lease_until = 0)"""  # noqa: S608, constants only

# Test whether the claim on customer c would be live by a lease that was written by a fast clock.
_AHEAD = f"""c.claim_batch IS NOT NULL AND (c.lease_until > {{now}} + {LONGEST_LEASE_MS}
  OR EXISTS (SELECT 1 FROM bunce_leases AS l WHERE l.claim_batch = c.claim_batch
    AND l.lease_until > {{now}} + {LONGEST_LEASE_MS}))"""  # noqa: S608, constants only

# Decide what to do with each incoming row: send it, skip it, or leave it to another run.
#
# The order of the branches matters: rows that an earlier try of this chunk settled keep their fate,
# and another run's live claim comes before every branch that leads to sending. The last two lines
# drop the many rows that the branches could only call unchanged.
_JUDGE = f"""
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
  CASE WHEN c.rejected_fingerprint IS NOT NULL THEN 1 ELSE 0 END AS had_letter,
  CASE WHEN c.listed = 1 THEN 1 ELSE 0 END AS listed,
  CASE WHEN {_AHEAD.format(now="$4")} THEN 1 ELSE 0 END AS lease_ahead,
  {{values_differ}} AS values_differ
FROM bunce_incoming AS i
LEFT JOIN bunce_customers AS c ON c.account = $5 AND c.customer_id = i.customer_id
WHERE c.fingerprint IS NULL OR c.fingerprint <> i.fingerprint OR c.job = $1
  OR c.claim_batch IS NOT NULL OR c.rejected_fingerprint IS NOT NULL OR c.listed = 1 {{also}}
"""  # noqa: S608, constants only
_DIFFER = "(i.digest IS NULL OR c.values_digest IS NULL OR c.values_digest <> i.digest)"
JUDGE = _JUDGE.format(values_differ="0", also="")
# The same, with a digest of the attribute values of each row.
JUDGE_WITH_VALUES = _JUDGE.format(
    values_differ=f"CASE WHEN {_DIFFER} THEN 1 ELSE 0 END", also=f"OR {_DIFFER}"
)

# Note that a row of the source has been met of customers that an adoption added.
MET = """
UPDATE bunce_customers SET listed = NULL WHERE account = $1 AND listed = 1
  AND customer_id IN (SELECT customer_id FROM {rows})
"""

# Count an account's customers: all, delivered, and those that may be on the wire.
COUNT_CUSTOMERS = f"""
SELECT COUNT(*) AS customers, COUNT(delivered_at) AS delivered,
  COUNT(CASE WHEN {_INDETERMINATE} THEN 1 END) AS indeterminate
FROM bunce_customers AS c WHERE account = $1
"""  # noqa: S608

# Test whether Bunce has accepted customer c since dead letter d was written: by the order of runs,
# and by the clock only within a run, because clocks can be wrong. An older version that arrives
# late does not count.
ACCEPTED_SINCE = """((COALESCE(c.run_number, 0), c.delivered_at)
  > (COALESCE(d.run_number, 0), d.last_seen_at)
  AND (c.version IS NULL OR d.version IS NULL OR d.version <= c.version))"""

# Find corrected rows whose customer Bunce has accepted since: that content is newer than the dead
# letter that was corrected. Where this letter is gone, it may be newer. A replay ($2 is 1)
# begins with open ones: one that is closed by now has met a newer row, or somebody discarded it.
OVERTAKEN = f"""
SELECT n.row AS row FROM bunce_correcting AS n
JOIN bunce_customers AS c ON c.account = $1 AND c.customer_id = n.customer_id
LEFT JOIN bunce_dead_letters AS d ON d.id = n.letter_id AND d.account = $1
WHERE CASE WHEN d.id IS NOT NULL THEN {ACCEPTED_SINCE} OR $2 = 1 AND d.status <> 'open'
  ELSE c.delivered_at IS NOT NULL AND NOT COALESCE(n.version > c.version, 1 = 0) END
"""  # noqa: S608, constants only

# Claim rows for this batch, except those that another live run has claimed.
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
"""  # noqa: S608, constants only

# Index the email digests, only once they are needed: digests are random, so the index doubles what
# each settlement writes.
INDEX_EMAILS = tuple(
    f"CREATE INDEX IF NOT EXISTS {table}_email ON {table} (account, email_digest) "
    "WHERE email_digest IS NOT NULL"
    for table in ("bunce_customers", "bunce_dead_letters")
)

# Find customers whose email was delivered under another id. A cross join, because SQLite would
# otherwise start with the customers while it has no statistics of the new index.
EMAILS_OF_OTHERS = """
SELECT DISTINCT e.customer_id AS customer_id FROM bunce_emails AS e
CROSS JOIN bunce_customers AS c WHERE c.account = $1 AND c.email_digest = e.email_digest
  AND c.customer_id <> e.customer_id
"""

# Record how far a batch may have been sent: all rows numbered below `below_row`. It never goes
# down, because rows that an earlier try claimed, and this one does not, depend on it.
SENDING = """
INSERT INTO bunce_sendings AS s (claim_batch, below_row, inherited) VALUES ($1, $2, 0)
ON CONFLICT (claim_batch) DO UPDATE SET below_row =
  CASE WHEN s.below_row > excluded.below_row THEN s.below_row ELSE excluded.below_row END
"""

# End all claims of a batch or an owner, with a lease of 0.
END_CLAIMS = """
INSERT INTO bunce_leases AS l (claim_batch, lease_until) VALUES ($1, 0)
ON CONFLICT (claim_batch) DO UPDATE SET lease_until = 0
"""

# Mark a batch as one that an earlier try began to send.
INHERIT = "UPDATE bunce_sendings SET inherited = 1 WHERE claim_batch = $1"

# Forget how far a finished batch was sent, unless an earlier try began it.
ARRIVED = "DELETE FROM bunce_sendings WHERE claim_batch = $1 AND inherited = 0"

# Extend the lease of a batch.
RENEW = """
INSERT INTO bunce_leases AS l (claim_batch, lease_until) VALUES ($1, $2)
ON CONFLICT (claim_batch) DO UPDATE SET lease_until = excluded.lease_until
"""

# Store what Bunce has accepted, and release the claims. A customer who is created has no values.
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
  packed_values = CASE WHEN excluded.fate = 'created' THEN NULL ELSE c.packed_values END,
  values_digest = CASE WHEN excluded.fate = 'created' THEN NULL ELSE c.values_digest END,
  claim_fingerprint = NULL,
  claim_batch = NULL,
  claim_row = NULL,
  lease_until = NULL,
  claim_owner = NULL
"""

# Store what Bunce has rejected, and release the claims.
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

# Find settled rows that need attention: those that another run has claimed since (a job may stall
# past its lease), and those whose customer has a dead letter to close or a rejected fingerprint to
# clear. These are few, if any. Subqueries look up the ledger by key, so that no planner can choose
# to read all of it for a join.
NOTABLE = """
SELECT customer_id, state = 'lost' AS lost FROM (
  SELECT s.customer_id AS customer_id,
    COALESCE((SELECT CASE WHEN c.claim_batch IS NULL OR c.claim_batch <> $2 || '.' || s.chunk
        THEN 'lost' WHEN c.rejected_fingerprint IS NOT NULL THEN 'refused' ELSE 'ours' END
      FROM bunce_customers AS c WHERE c.account = $1 AND c.customer_id = s.customer_id), 'lost')
      AS state,
    EXISTS (SELECT 1 FROM bunce_dead_letters AS d WHERE d.account = $1
      AND d.customer_id = s.customer_id AND d.status IN ('open', 'discarded')) AS has_letter
  FROM bunce_settled AS s
) AS s WHERE state <> 'ours' OR has_letter
"""

# Release rows that were not settled. A row that may have been delivered keeps its claim with an
# expired lease, so that the next run looks it up first.
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
