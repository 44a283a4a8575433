"""The tables of the store, as numbered migrations that are each applied once.

One SQL text serves SQLite and Postgres: timestamps are ISO-8601 text in UTC (they sort and read
well in both), leases are milliseconds since 1970, fingerprints are 32 hex digits.
"""

from __future__ import annotations

from dlt_bunce.store.schema.first_tables import FIRST_TABLES

_FIRST_VALUE_FATES = ("written", "unchanged", "blank", "waiting", "superseded", "rejected")
_VALUE_FATES = ", ".join(f"{fate} BIGINT NOT NULL DEFAULT 0" for fate in _FIRST_VALUE_FATES)
VALUE_FATE_COLUMNS = (*_FIRST_VALUE_FATES, "skipped")

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    FIRST_TABLES,
    (
        # with batch_id: tells which of two dead letters of one job is the later one
        "ALTER TABLE bunce_dead_letters ADD COLUMN chunk BIGINT",
    ),
    (
        # one row per chunk that takes longer to send than the lease of its claims: cheaper to
        # renew than the claims themselves, and quick chunks never write one
        """CREATE TABLE bunce_leases (
            claim_batch TEXT NOT NULL PRIMARY KEY,
            lease_until BIGINT NOT NULL)""",
        # the number of batches in flight that worked best
        "ALTER TABLE bunce_accounts ADD COLUMN concurrency BIGINT",
        # the position of an adoption in the API's listing; no row once it is done
        """CREATE TABLE bunce_adoptions (
            account TEXT NOT NULL PRIMARY KEY,
            next_cursor TEXT NOT NULL,
            listed BIGINT NOT NULL)""",
        # due_at: when the next request is due at an even pace; share: the part of the request
        # limit in use since limited_at, when Bunce last answered that the limit was exceeded
        """CREATE TABLE bunce_budgets (
            scope TEXT NOT NULL PRIMARY KEY,
            due_at BIGINT NOT NULL,
            paused_until BIGINT NOT NULL,
            share DOUBLE PRECISION NOT NULL,
            limited_at BIGINT NOT NULL)""",
    ),
    (
        # marks: the bounds of the key ranges, or the files in order of their numbers, as JSON
        """CREATE TABLE bunce_shard_plans (
            account TEXT NOT NULL,
            plan TEXT NOT NULL,
            source TEXT NOT NULL,
            marks TEXT,
            made_at TEXT NOT NULL,
            PRIMARY KEY (account, plan, source))""",
    ),
    (
        # dead letters in time order: a filter on one value finds a page without sorting, and a
        # filter on a second value without reading the dead letters that it excludes
        "DROP INDEX bunce_dead_letters_open",
        """CREATE INDEX bunce_dead_letters_seen
            ON bunce_dead_letters (account, status, last_seen_at, id)""",
        """CREATE INDEX bunce_dead_letters_code
            ON bunce_dead_letters (account, status, code, last_seen_at, id, field, run_id)""",
        """CREATE INDEX bunce_dead_letters_field
            ON bunce_dead_letters (account, status, field, last_seen_at, id, code, run_id)""",
        """CREATE INDEX bunce_dead_letters_run
            ON bunce_dead_letters (account, run_id, status, last_seen_at, id, code, field)""",
    ),
    (
        # every row that is settled looks up whether its customer has an open dead letter
        "DROP INDEX bunce_dead_letters_customer",
        """CREATE INDEX bunce_dead_letters_customer
            ON bunce_dead_letters (account, customer_id, status)""",
    ),
    (
        # claim_row: the row's number in the chunk; null where an earlier claim may have sent it
        "ALTER TABLE bunce_customers ADD COLUMN claim_row BIGINT",
        # one row per chunk that is being sent: how many of its rows may be on the wire. It stays
        # after an interrupted try, because that try's rows may depend on it
        """CREATE TABLE bunce_sendings (
            claim_batch TEXT NOT NULL PRIMARY KEY,
            below_row BIGINT NOT NULL,
            inherited BIGINT NOT NULL)""",
    ),
    (
        # who claims a row: random, for each run of each process
        "ALTER TABLE bunce_customers ADD COLUMN claim_owner TEXT",
        # null in an older store until the next load
        "ALTER TABLE bunce_accounts ADD COLUMN host TEXT",
        # when all of Bunce's customers were adopted into the ledger
        "ALTER TABLE bunce_accounts ADD COLUMN adopted_at TEXT",
        # a cursor is valid for one workspace only
        "ALTER TABLE bunce_dlt_state ADD COLUMN account TEXT",
        """UPDATE bunce_dlt_state SET account = (SELECT MIN(r.account) FROM bunce_runs AS r
            WHERE r.run_id = bunce_dlt_state.load_id
            AND r.pipeline_name = bunce_dlt_state.pipeline_name)""",
        # the fields that the run mapped by column name alone, as JSON
        "ALTER TABLE bunce_runs ADD COLUMN by_name TEXT",
        # one row, random: tells this store from another file or schema in its place
        "CREATE TABLE bunce_store (id TEXT NOT NULL)",
        # the order in which loads completed, which clocks cannot tell reliably
        "ALTER TABLE bunce_dlt_loads ADD COLUMN number BIGINT",
    ),
    (
        # the number of rows by warning code, as JSON
        "ALTER TABLE bunce_run_chunks ADD COLUMN warnings TEXT",
        "ALTER TABLE bunce_runs ADD COLUMN warnings TEXT",
        # the median of the run's first versions, to notice when the next run's use another scale
        "ALTER TABLE bunce_runs ADD COLUMN version_median BIGINT",
        # the order of runs, independent of clocks: a run is numbered as its jobs begin
        "ALTER TABLE bunce_runs ADD COLUMN number BIGINT",
        "ALTER TABLE bunce_customers ADD COLUMN run_number BIGINT",
        "ALTER TABLE bunce_dead_letters ADD COLUMN run_number BIGINT",
    ),
    (
        # for dead letters without a customer id: matches the customer once it arrives with an id
        "ALTER TABLE bunce_dead_letters ADD COLUMN email_digest TEXT",
    ),
    (
        # why a run failed: the class of the error, one line about it, and the remedy
        "ALTER TABLE bunce_runs ADD COLUMN error_class TEXT",
        "ALTER TABLE bunce_runs ADD COLUMN error TEXT",
        "ALTER TABLE bunce_runs ADD COLUMN remedy TEXT",
        # process and seen_at tell a run in progress from one whose process was killed
        "ALTER TABLE bunce_runs ADD COLUMN process TEXT",
        "ALTER TABLE bunce_runs ADD COLUMN seen_at TEXT",
        # rows to load by table, as JSON, so that a failed run shows how many wait
        "ALTER TABLE bunce_runs ADD COLUMN expected TEXT",
        # the runs of a pipeline since its last completed one
        """CREATE INDEX bunce_runs_pipeline
            ON bunce_runs (account, pipeline_name, state, number)""",
    ),
    (
        # the defects of a row after the first, as JSON
        "ALTER TABLE bunce_dead_letters ADD COLUMN other_defects TEXT",
        # open dead letters by code, for dashboards; counts only
        """CREATE VIEW bunce_open_dead_letters AS
            SELECT account, pipeline_name, table_name, code, field, COUNT(*) AS dead_letters,
              MIN(first_seen_at) AS first_seen_at, MAX(last_seen_at) AS last_seen_at
            FROM bunce_dead_letters WHERE status = 'open'
            GROUP BY account, pipeline_name, table_name, code, field""",
    ),
    (
        # what the run loads, as people call it; null where the pipeline has a name of its own
        "ALTER TABLE bunce_runs ADD COLUMN source TEXT",
    ),
    (
        # 1 for a customer that an adoption added and no row of the source has been met of
        "ALTER TABLE bunce_customers ADD COLUMN listed BIGINT",
        # customers whom Bunce has under another id, and links that have ended
        """CREATE TABLE bunce_links (
            account TEXT NOT NULL,
            customer_id TEXT NOT NULL,
            bunce_id TEXT NOT NULL,
            status TEXT NOT NULL,
            linked_at TEXT NOT NULL,
            ended_at TEXT,
            run_id TEXT,
            PRIMARY KEY (account, customer_id, bunce_id))""",
        """CREATE UNIQUE INDEX bunce_links_customer ON bunce_links (account, customer_id)
            WHERE status = 'linked'""",
        """CREATE UNIQUE INDEX bunce_links_bunce ON bunce_links (account, bunce_id)
            WHERE status = 'linked'""",
        "ALTER TABLE bunce_runs ADD COLUMN linked BIGINT NOT NULL DEFAULT 0",
    ),
    (
        # packed_values: eight bytes a slot of bunce_targets, the digest of the value that was sent
        # last and what became of it; values_digest: of all values of the row, once all are written
        "ALTER TABLE bunce_customers ADD COLUMN packed_values BYTEA",
        "ALTER TABLE bunce_customers ADD COLUMN values_digest BYTEA",
        # attributes and segments, each with its place in packed_values
        """CREATE TABLE bunce_targets (
            account TEXT NOT NULL,
            kind TEXT NOT NULL,
            id TEXT NOT NULL,
            slot BIGINT NOT NULL,
            name TEXT NOT NULL,
            data_type TEXT NOT NULL,
            PRIMARY KEY (account, kind, id))""",
        # what is rejected now: a row goes once its value is written, or blank
        """CREATE TABLE bunce_rejected_values (
            account TEXT NOT NULL,
            customer_id TEXT NOT NULL,
            slot BIGINT NOT NULL,
            name TEXT NOT NULL,
            column_name TEXT NOT NULL,
            code TEXT NOT NULL,
            message TEXT NOT NULL,
            http_status BIGINT,
            first_seen_at TEXT NOT NULL,
            last_seen_at TEXT NOT NULL,
            run_id TEXT NOT NULL,
            pipeline_name TEXT NOT NULL,
            PRIMARY KEY (account, customer_id, slot))""",
        # like bunce_run_chunks, for the values of one kind
        f"""CREATE TABLE bunce_run_values (
            run_id TEXT NOT NULL,
            job TEXT NOT NULL,
            kind TEXT NOT NULL,
            chunk BIGINT NOT NULL,
            read BIGINT NOT NULL,
            {_VALUE_FATES},
            PRIMARY KEY (run_id, job, kind, chunk))""",
        # the number of values in a request that worked best
        "ALTER TABLE bunce_accounts ADD COLUMN value_batch_size BIGINT",
        # fates of values by kind, as JSON; null for a run without any
        "ALTER TABLE bunce_runs ADD COLUMN value_fates TEXT",
    ),
    (
        # what the last probe of an account found; contradicted: what a load found otherwise since
        """CREATE TABLE bunce_probes (
            account TEXT NOT NULL PRIMARY KEY,
            host TEXT NOT NULL,
            probed_at TEXT NOT NULL,
            answers TEXT NOT NULL,
            figures TEXT NOT NULL,
            report TEXT NOT NULL,
            contradicted TEXT)""",
    ),
    (
        # when a rejected value was chosen to be sent again; null until then
        "ALTER TABLE bunce_rejected_values ADD COLUMN retry_at TEXT",
        # counts by attribute and code, and pages in this order, without sorting
        """CREATE INDEX bunce_rejected_values_slot
            ON bunce_rejected_values (account, slot, code, customer_id)""",
        # values rejected in the run, by attribute or segment and by code, as JSON
        "ALTER TABLE bunce_runs ADD COLUMN rejected_values TEXT",
        # the columns of each attribute and segment by table, as JSON, for replays
        "ALTER TABLE bunce_runs ADD COLUMN targets TEXT",
    ),
    (
        # values of rows numbered below this may have been sent; those sent again by a later try
        "ALTER TABLE bunce_run_values ADD COLUMN sent_below BIGINT NOT NULL DEFAULT 0",
        "ALTER TABLE bunce_run_values ADD COLUMN resent BIGINT NOT NULL DEFAULT 0",
        # rows read that hold values alone
        "ALTER TABLE bunce_runs ADD COLUMN value_rows BIGINT NOT NULL DEFAULT 0",
    ),
    (
        # where the row of a dead letter came from
        "ALTER TABLE bunce_dead_letters ADD COLUMN source TEXT",
        "ALTER TABLE bunce_dead_letters ADD COLUMN source_line BIGINT",
    ),
    (
        # 1 once a table of customers has fed it, so that values_digest may cover it
        "ALTER TABLE bunce_targets ADD COLUMN in_values_digest BIGINT",
        "UPDATE bunce_targets SET in_values_digest = 1",
    ),
    (
        # values of linked customers that append leaves as Bunce has them
        "ALTER TABLE bunce_run_values ADD COLUMN skipped BIGINT NOT NULL DEFAULT 0",
    ),
    (
        # of a segment that a table declared whole is being loaded into; null once it is settled
        # who is absent
        "ALTER TABLE bunce_targets ADD COLUMN members_before BIGINT",
    ),
    (
        # what a command's runs are compared by; null where that is the pipeline's name
        "ALTER TABLE bunce_runs ADD COLUMN source_key TEXT",
    ),
    (
        # when a rejected value was discarded; digest: of a value that never reached Bunce, so that
        # a discarded one is listed again once it is another
        "ALTER TABLE bunce_rejected_values ADD COLUMN discarded_at TEXT",
        "ALTER TABLE bunce_rejected_values ADD COLUMN digest BYTEA",
    ),
    (
        # whom rows of values wait for; a row goes once a load reads it with its customer accepted
        """CREATE TABLE bunce_waiting_values (
            account TEXT NOT NULL,
            customer_id TEXT NOT NULL,
            pipeline_name TEXT NOT NULL,
            table_name TEXT NOT NULL,
            waiting_since TEXT NOT NULL,
            run_id TEXT NOT NULL,
            PRIMARY KEY (account, customer_id, pipeline_name, table_name))""",
    ),
    (
        # the most values to put into a request, since more were refused for their number, and when
        # that was
        "ALTER TABLE bunce_accounts ADD COLUMN value_cap BIGINT",
        "ALTER TABLE bunce_accounts ADD COLUMN value_cap_at TEXT",
    ),
    (
        # counts by pipeline are read from the index alone
        "DROP INDEX bunce_dead_letters_seen",
        """CREATE INDEX bunce_dead_letters_seen
            ON bunce_dead_letters (account, status, last_seen_at, id, pipeline_name)""",
    ),
    (
        # the run that has read a held row as it is stored now; null if that is the one that
        # rejected it
        "ALTER TABLE bunce_dead_letters ADD COLUMN read_run_id TEXT",
        "ALTER TABLE bunce_dead_letters ADD COLUMN read_pipeline_name TEXT",
        """CREATE INDEX bunce_dead_letters_read ON bunce_dead_letters (account, read_run_id)
            WHERE read_run_id IS NOT NULL""",
    ),
)
