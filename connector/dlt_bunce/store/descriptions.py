"""What the tables and columns of the store mean, for those who query it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from dlt_bunce.model import FATE_MEANINGS
from dlt_bunce.store.migrations import FATE_COLUMNS


@dataclass(frozen=True)
class TableDescription:
    """A sentence for a table, and a phrase for each of its columns."""

    meaning: str
    columns: Mapping[str, str]


_ACCOUNT = "name of the workspace within the store, as the setting `account` has it"
_RUN_ID = "dlt's load id; `replay-…` for a replay"
_PIPELINE = "name of the dlt pipeline"
_FATES: dict[str, str] = {
    fate: f"rows: {meaning}" for fate, meaning in FATE_MEANINGS.items() if fate in FATE_COLUMNS
}

TABLES: Mapping[str, TableDescription] = MappingProxyType(
    {
        "bunce_store": TableDescription(
            "One row: which store this is, so that a run notices another in its place.",
            {"id": "random, made with the store"},
        ),
        "bunce_accounts": TableDescription(
            "One row a Bunce workspace, with what tells it apart and what was learned of it.",
            {
                "account": _ACCOUNT,
                "adopted_at": "when all of Bunce's customers were taken into the ledger",
                "host": "where it is: another host is another workspace",
                "key_salt": "salt of the digest, in hex",
                "key_digest": "digest of the API key, so that another workspace is noticed",
                "email_key": "key of the emails' digests, in hex",
                "batch_size": "customers in a batch that served best",
                "created_at": "time of the first load",
                "concurrency": "batches in flight that served best, within the budget",
            },
        ),
        "bunce_customers": TableDescription(
            "The ledger: one row a customer, with what Bunce has accepted last. No value of a "
            "customer but the id is in it.",
            {
                "account": _ACCOUNT,
                "customer_id": "the customer's id, as sent",
                "fingerprint": "of the content that Bunce accepted last",
                "version": "of that content, where a `version` column is mapped",
                "confirmation": "how it is known: by the `response`, by its `count`, by a "
                "`lookup`, or by a `conflict`: taken, after a request whose answer was lost",
                "email_digest": "keyed digest of the email that was accepted",
                "delivered_at": "when Bunce accepted it",
                "fate": "of the row that was settled last",
                "job": "load file of that row",
                "chunk": "part of that file",
                "rejected_fingerprint": "of what was refused since; empty where it could not even "
                "be sent",
                "claim_fingerprint": "of what is being sent, written before the request",
                "claim_batch": "who is sending it, or has left it in doubt; null once settled",
                "claim_owner": "which run of which process that is, random",
                "claim_row": "its number in that batch; null when an earlier batch may have "
                "sent it",
                "lease_until": "until when nobody else may take it over, milliseconds since 1970",
                "run_number": "which run that accepted it, in the order of runs",
            },
        ),
        "bunce_dead_letters": TableDescription(
            "One row a bad row. The only table that holds rows of the source.",
            {
                "id": "stable: the same bad row has the same id in each run",
                "account": _ACCOUNT,
                "customer_id": "the customer's id, where the row has one",
                "code": "reject code",
                "field": "Bunce's field at fault, where that is known",
                "message": "what is wrong, without a value",
                "stage": "`normalize` when stopped here, `api` when refused by Bunce",
                "http_status": "of Bunce's refusal",
                "source_row": 'the row as read, as JSON; null with `dead_letter_rows = "keys"`',
                "payload": "what was sent, as JSON",
                "fingerprint": "of the content",
                "version": "of the content, where a `version` column is mapped",
                "attempts": "how often it was opened or refused by Bunce",
                "first_seen_at": "when it was rejected first",
                "last_seen_at": "when it was rejected last",
                "status": "`open`, `resolved`, `superseded`, or `discarded`",
                "resolved_at": "when it ceased to be open",
                "run_id": _RUN_ID + ", of the run that saw it last",
                "batch_id": "load file that it came in",
                "pipeline_name": _PIPELINE,
                "table_name": "name of the table in the pipeline",
                "chunk": "part of the load file",
                "run_number": "which run saw it last, in the order of runs",
                "email_digest": "keyed digest of the email of a row without an id",
            },
        ),
        "bunce_runs": TableDescription(
            "One row a run, with its counts. The fates add up to `read`.",
            {
                "run_id": _RUN_ID,
                "pipeline_name": _PIPELINE,
                "account": _ACCOUNT,
                "table_name": "name of the table in the pipeline",
                "disposition": "`append` or `merge`",
                "state": "`running` (also after a kill), `completed`, `failed`, or `stopped`",
                "read": "rows read",
                **_FATES,
                "deferred": f"rows: {FATE_MEANINGS['deferred']}",
                "requests": "HTTP requests, retries included",
                "bulk_requests": "those that carried customers",
                "lookups": "those that asked for customers",
                "retries": "those that were made again",
                "bytes_sent": "bytes of the requests' bodies",
                "wait_seconds": "seconds that requests waited for the budget, of all threads",
                "answer_seconds": "seconds until answers were there, of all threads",
                "slowest_answer_seconds": "seconds until the slowest answer was there",
                "reject_codes": "rows rejected by code, as JSON",
                "warnings": "rows by code of what is odd about the run, as JSON",
                "number": "in which order runs began, whatever the clocks said",
                "version_median": "the median of the first versions, to compare the next run's "
                "with",
                "by_name": "its fields that followed from names of columns alone, as JSON",
                "mapping": "source column of each field, as JSON",
                "started_at": "time of the first job",
                "ended_at": "time of completion or failure",
            },
        ),
        "bunce_run_chunks": TableDescription(
            "The counts of a run by part of a load file: a part that is read again is never "
            "counted twice.",
            {
                "run_id": _RUN_ID,
                "job": "load file",
                "chunk": "part of that file",
                "read": "rows read",
                **_FATES,
                "warnings": "rows by code of what is odd about them, as JSON",
            },
        ),
        "bunce_sendings": TableDescription(
            "How far batches have come: what lies beyond was never sent. A row stays for each that "
            "was broken off.",
            {
                "claim_batch": "as in `bunce_customers`",
                "below_row": "rows with a `claim_row` below it may be on the wire",
                "inherited": "1 where an earlier try has announced some of them",
            },
        ),
        "bunce_leases": TableDescription(
            "Leases of batches that take longer than the lease of their rows, and claims that "
            "ended.",
            {
                "claim_batch": "as in `bunce_customers`, or a `claim_owner` whose process is gone",
                "lease_until": "milliseconds since 1970; 0 where the claims protect nobody",
            },
        ),
        "bunce_budgets": TableDescription(
            "One row an address that requests leave from: the budget that all loads share.",
            {
                "scope": "host of Bunce and the setting `egress`",
                "due_at": "when the next request is due at an even pace, milliseconds since 1970",
                "paused_until": "until when nobody sends, since Bunce said so",
                "share": "of the budget that may be used, from 0 to 1",
                "limited_at": "when Bunce last refused a request for its number",
            },
        ),
        "bunce_adoptions": TableDescription(
            "How far an adoption has got; no row once it is done.",
            {
                "account": _ACCOUNT,
                "next_cursor": "where Bunce's listing goes on",
                "listed": "customers listed so far",
            },
        ),
        "bunce_shard_plans": TableDescription(
            "Where the shards of a source begin, as agreed on by all who load one.",
            {
                "account": _ACCOUNT,
                "plan": "name of the plan, `--plan`",
                "source": "digest of the source",
                "marks": "bounds of the key's ranges, or files in the order of their numbers, as "
                "JSON",
                "made_at": "when it was agreed on",
            },
        ),
        "bunce_dlt_state": TableDescription(
            "dlt's state of each pipeline, incremental cursors included.",
            {
                "pipeline_name": _PIPELINE,
                "load_id": "dlt's load id; counts once the load is in `bunce_dlt_loads`",
                "version": "of the state",
                "engine_version": "of the state's format",
                "state": "the state, compressed by dlt",
                "created_at": "when dlt made it",
                "version_hash": "of the state",
                "account": _ACCOUNT,
            },
        ),
        "bunce_dlt_loads": TableDescription(
            "Loads that are complete, as dlt knows them.",
            {
                "load_id": "dlt's load id",
                "schema_name": "dlt's schema",
                "schema_version_hash": "of that schema",
                "inserted_at": "when the load was complete",
                "number": "in which order loads were completed",
            },
        ),
        "bunce_dlt_version": TableDescription(
            "dlt's schemas, so that a new machine can restore them.",
            {
                "version_hash": "of the schema",
                "schema_name": "dlt's name of it",
                "version": "of the schema",
                "engine_version": "of the schema's format",
                "inserted_at": "when it was stored",
                "schema_json": "the schema, as JSON",
            },
        ),
        "bunce_schema": TableDescription(
            "One row: how many migrations the store has seen.",
            {"version": "number of migrations"},
        ),
    }
)
