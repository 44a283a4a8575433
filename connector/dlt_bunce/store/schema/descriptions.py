"""Descriptions of the store's tables and columns, for people who query them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from dlt_bunce.store.schema.dlt_descriptions import (
    ACCOUNT,
    DLT_TABLES,
    PIPELINE,
    RUN_ID,
    TableDescription,
)
from dlt_bunce.store.schema.run_descriptions import RUN_TABLES
from dlt_bunce.store.schema.value_descriptions import VALUE_TABLES

TABLES: Mapping[str, TableDescription] = MappingProxyType(
    {
        "bunce_store": TableDescription(
            "One row: the identity of this store, so that a run notices if it was replaced.",
            {"id": "random, generated when the store is created"},
        ),
        "bunce_accounts": TableDescription(
            "One row per Bunce workspace: how to recognize it, and which batch settings work best.",
            {
                "account": ACCOUNT,
                "adopted_at": "when all of Bunce's customers were adopted into the ledger",
                "host": "host of the workspace; a different host means a different workspace",
                "key_salt": "salt of `key_digest`, in hex",
                "key_digest": "digest of the API key, to notice a different workspace",
                "email_key": "key of the email digests, in hex",
                "batch_size": "batch size that worked best, in customers",
                "created_at": "time of the first load",
                "concurrency": "number of batches in flight that worked best",
                "value_batch_size": "number of attribute values in a request that worked best",
                "value_cap": "most attribute values to put into a request, since Bunce refused "
                "more for their number; null if it has not",
                "value_cap_at": "when that was: the cap counts for 30 days",
            },
        ),
        "bunce_customers": TableDescription(
            "The ledger: one row per customer, with what Bunce last accepted. It contains no value "
            "of a customer except the id.",
            {
                "account": ACCOUNT,
                "customer_id": "the customer's id, as sent",
                "fingerprint": "fingerprint of the content that Bunce last accepted",
                "version": "version of that content, where a `version` column is mapped",
                "confirmation": "how acceptance was confirmed: by the `response`, by the `count` "
                "in it, by a `lookup`, or by a `conflict` (the customer already exists, after a "
                "request whose response was lost)",
                "email_digest": "keyed digest of the email that was accepted",
                "delivered_at": "when Bunce accepted the content",
                "fate": "fate of the row that was last settled",
                "job": "load file of that row",
                "chunk": "chunk of that file",
                "rejected_fingerprint": "fingerprint of content rejected since; empty if it could "
                "not be sent at all",
                "claim_fingerprint": "fingerprint of the content being sent, written before the "
                "request",
                "claim_batch": "batch that is sending the customer, or stopped before its outcome "
                "was known; null once settled",
                "claim_owner": "random id of the run and process that claimed it",
                "claim_row": "row number in that batch; null if an earlier batch may have sent it",
                "lease_until": "until when no other run may take it over, in milliseconds since "
                "1970",
                "run_number": "number of the run in which Bunce accepted it, in the order of runs",
                "listed": "1 if only `adopt` has found the customer, and no load has read it yet",
                "packed_values": "eight bytes for each attribute or segment, by its slot: a digest "
                "of the value that was sent last, and what became of it",
                "values_digest": "digest of all values of the row, once all of them are written",
            },
        ),
        **VALUE_TABLES,
        "bunce_links": TableDescription(
            "Customers that Bunce has under another id: updates of `customer_id` go to `bunce_id`.",
            {
                "account": ACCOUNT,
                "customer_id": "the customer's id in the source",
                "bunce_id": "the customer's id in Bunce",
                "status": "`linked`; `ended` if the link proved wrong; `removed` if a person "
                "removed it, after which these two are never linked again",
                "linked_at": "when the link was made",
                "ended_at": "when it ended or was removed",
                "run_id": RUN_ID + ", of the run that made it",
            },
        ),
        "bunce_dead_letters": TableDescription(
            "One row per bad row. The only table that contains rows of the source.",
            {
                "id": "stable id: the same bad row has the same id in every run",
                "account": ACCOUNT,
                "customer_id": "the customer's id, if the row has one",
                "code": "reject code",
                "field": "the Bunce field at fault, if known",
                "message": "what is wrong, without values of the row",
                "other_defects": "the row's further defects, as a JSON list of code, field, and "
                "message; null if there are none or Bunce rejected it",
                "stage": "`normalize` if stopped before sending, `api` if rejected by Bunce",
                "http_status": "HTTP status of Bunce's response",
                "source_row": 'the row as read, as JSON; null if `dead_letter_rows = "keys"`',
                "source": "where the row came from: its file, else what the run loads, such as a "
                "table, else `table_name`; null in dead letters of older versions",
                "source_line": "its line in the file, from 1 with the header, or the number of the "
                "row where a file has no lines; null if unknown",
                "payload": "the customer as sent, as JSON",
                "fingerprint": "fingerprint of the content",
                "version": "version of the content, where a `version` column is mapped",
                "attempts": "how often it was opened or rejected by Bunce",
                "first_seen_at": "when it was first rejected",
                "last_seen_at": "when it was last rejected; a run that only holds the row back "
                "counts it as `held`, and changes nothing here",
                "status": "`open`, `resolved`, `superseded`, or `discarded`: by hand, and then "
                "`resolved` once Bunce accepts another row of the customer",
                "resolved_at": "when it was closed",
                "run_id": RUN_ID + ", of the run that last rejected it",
                "batch_id": "load file and chunk that it came from",
                "pipeline_name": PIPELINE,
                "table_name": "name of the table in the pipeline",
                "chunk": "chunk of the load file",
                "run_number": "number of the run that last rejected it, in the order of runs",
                "read_run_id": "the later run that held the row and read it as it is stored, as "
                "its attributes and segments had other values or came from other columns; a replay "
                "uses its mapping. Null if that is `run_id`",
                "read_pipeline_name": "name of the dlt pipeline of `read_run_id`",
                "email_digest": "keyed digest of the email",
            },
        ),
        **RUN_TABLES,
        "bunce_sendings": TableDescription(
            "How far each batch has been sent; rows beyond that were never sent. The row of an "
            "interrupted batch stays.",
            {
                "claim_batch": "as in `bunce_customers`",
                "below_row": "rows with a smaller `claim_row` may have been sent",
                "inherited": "1 if an earlier try had begun to send some of them",
            },
        ),
        "bunce_leases": TableDescription(
            "Leases of batches that take longer to send than the lease of their rows, and claims "
            "that have ended.",
            {
                "claim_batch": "as in `bunce_customers`, or the `claim_owner` of a process that "
                "has ended",
                "lease_until": "milliseconds since 1970; 0 if the claims have ended",
            },
        ),
        "bunce_budgets": TableDescription(
            "One row per address that requests come from: the limit that all of its loads share.",
            {
                "scope": "Bunce's host and the setting `egress`",
                "due_at": "when the next request is due at an even pace, in milliseconds since "
                "1970",
                "paused_until": "until when all requests pause after a 429 response, in "
                "milliseconds since 1970",
                "share": "share of the request limit in use, from 0 to 1",
                "limited_at": "when Bunce last answered 429, in milliseconds since 1970",
            },
        ),
        "bunce_adoptions": TableDescription(
            "Progress of an adoption; its row is deleted when the adoption is complete.",
            {
                "account": ACCOUNT,
                "next_cursor": "cursor of the next page of Bunce's customers",
                "listed": "customers listed so far",
            },
        ),
        "bunce_probes": TableDescription(
            "What the last `dlt-bunce probe` of each account found. It contains no value of a "
            "customer.",
            {
                "account": ACCOUNT,
                "host": "host that was probed; at another host nothing of it is used",
                "probed_at": "when the probe ended",
                "answers": "answer to each question, as JSON",
                "figures": "numbers that loads start from, as JSON",
                "report": "the whole report, as JSON",
                "contradicted": "what a load has found to be otherwise since, as JSON",
            },
        ),
        "bunce_shard_plans": TableDescription(
            "Where the shards of a source begin, shared by all processes that load one.",
            {
                "account": ACCOUNT,
                "plan": "name of the plan, `--plan`",
                "source": "digest of the source",
                "marks": "bounds of the key ranges (ids if the key is the id, and `erase` keeps "
                "them), or files in order of their numbers, as JSON",
                "made_at": "when the plan was made",
            },
        ),
        **DLT_TABLES,
        "bunce_schema": TableDescription(
            "One row: how many migrations have been applied to the store.",
            {"version": "number of migrations"},
        ),
    }
)
