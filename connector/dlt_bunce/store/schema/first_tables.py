"""The tables that a store began with."""

from __future__ import annotations

FATE_COLUMNS = (
    "created",
    "updated",
    "adopted",
    "skipped",
    "unchanged",
    "held",
    "superseded",
    "rejected",
)
_FATES = ", ".join(f"{fate} BIGINT NOT NULL DEFAULT 0" for fate in FATE_COLUMNS)

FIRST_TABLES = (
    # batch_size: the largest batch this workspace is known to accept; key_digest guards against
    # using a ledger with another workspace; email_key is the key of the email digests
    """CREATE TABLE bunce_accounts (
        account TEXT NOT NULL PRIMARY KEY,
        key_salt TEXT NOT NULL,
        key_digest TEXT NOT NULL,
        email_key TEXT NOT NULL,
        batch_size BIGINT,
        created_at TEXT NOT NULL)""",
    # fingerprint: the content that Bunce accepted last; rejected_fingerprint: content refused
    # since, while its dead letter is open ('' where the row could not even be sent); claim_*:
    # the intent, written before the request; job and chunk: where the row was last settled
    """CREATE TABLE bunce_customers (
        account TEXT NOT NULL,
        customer_id TEXT NOT NULL,
        fingerprint TEXT,
        version BIGINT,
        confirmation TEXT,
        email_digest TEXT,
        delivered_at TEXT,
        fate TEXT,
        job TEXT,
        chunk BIGINT,
        rejected_fingerprint TEXT,
        claim_fingerprint TEXT,
        claim_batch TEXT,
        lease_until BIGINT,
        PRIMARY KEY (account, customer_id))""",
    """CREATE TABLE bunce_dead_letters (
        id TEXT NOT NULL PRIMARY KEY,
        account TEXT NOT NULL,
        customer_id TEXT,
        code TEXT NOT NULL,
        field TEXT,
        message TEXT NOT NULL,
        stage TEXT NOT NULL,
        http_status BIGINT,
        source_row TEXT,
        payload TEXT,
        fingerprint TEXT NOT NULL,
        version BIGINT,
        attempts BIGINT NOT NULL,
        first_seen_at TEXT NOT NULL,
        last_seen_at TEXT NOT NULL,
        status TEXT NOT NULL,
        resolved_at TEXT,
        run_id TEXT,
        batch_id TEXT,
        pipeline_name TEXT,
        table_name TEXT)""",
    """CREATE INDEX bunce_dead_letters_customer ON bunce_dead_letters (account, customer_id)""",
    """CREATE INDEX bunce_dead_letters_open ON bunce_dead_letters (account, code, id)
        WHERE status = 'open'""",
    f"""CREATE TABLE bunce_runs (
        run_id TEXT NOT NULL,
        pipeline_name TEXT NOT NULL,
        account TEXT NOT NULL,
        table_name TEXT,
        disposition TEXT,
        state TEXT NOT NULL,
        read BIGINT NOT NULL DEFAULT 0,
        {_FATES},
        deferred BIGINT NOT NULL DEFAULT 0,
        requests BIGINT NOT NULL DEFAULT 0,
        bulk_requests BIGINT NOT NULL DEFAULT 0,
        lookups BIGINT NOT NULL DEFAULT 0,
        retries BIGINT NOT NULL DEFAULT 0,
        bytes_sent BIGINT NOT NULL DEFAULT 0,
        wait_seconds DOUBLE PRECISION NOT NULL DEFAULT 0,
        answer_seconds DOUBLE PRECISION NOT NULL DEFAULT 0,
        slowest_answer_seconds DOUBLE PRECISION NOT NULL DEFAULT 0,
        reject_codes TEXT,
        mapping TEXT,
        started_at TEXT NOT NULL,
        ended_at TEXT,
        PRIMARY KEY (run_id, pipeline_name))""",
    # one row per chunk of a load file, replaced whole when the chunk is read again, so that a
    # retried job can never count a row twice
    f"""CREATE TABLE bunce_run_chunks (
        run_id TEXT NOT NULL,
        job TEXT NOT NULL,
        chunk BIGINT NOT NULL,
        read BIGINT NOT NULL,
        {_FATES},
        PRIMARY KEY (run_id, job, chunk))""",
    """CREATE TABLE bunce_dlt_state (
        pipeline_name TEXT NOT NULL,
        load_id TEXT NOT NULL,
        version BIGINT NOT NULL,
        engine_version BIGINT NOT NULL,
        state TEXT NOT NULL,
        created_at TEXT NOT NULL,
        version_hash TEXT,
        PRIMARY KEY (pipeline_name, load_id))""",
    """CREATE TABLE bunce_dlt_loads (
        load_id TEXT NOT NULL,
        schema_name TEXT NOT NULL,
        schema_version_hash TEXT,
        inserted_at TEXT NOT NULL,
        PRIMARY KEY (load_id, schema_name))""",
    """CREATE TABLE bunce_dlt_version (
        version_hash TEXT NOT NULL PRIMARY KEY,
        schema_name TEXT NOT NULL,
        version BIGINT NOT NULL,
        engine_version BIGINT NOT NULL,
        inserted_at TEXT NOT NULL,
        schema_json TEXT NOT NULL)""",
)
