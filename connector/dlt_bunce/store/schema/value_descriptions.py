"""Descriptions of the tables of attribute values and segment members."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from dlt_bunce.model import VALUE_FATE_MEANINGS
from dlt_bunce.store.schema.dlt_descriptions import ACCOUNT, PIPELINE, RUN_ID, TableDescription
from dlt_bunce.store.schema.migrations import VALUE_FATE_COLUMNS

_VALUE_FATES: dict[str, str] = {
    fate: f"values: {meaning}"
    for fate, meaning in VALUE_FATE_MEANINGS.items()
    if fate in VALUE_FATE_COLUMNS
}

VALUE_TABLES: Mapping[str, TableDescription] = MappingProxyType(
    {
        "bunce_targets": TableDescription(
            "One row per attribute and segment that columns feed.",
            {
                "account": ACCOUNT,
                "kind": "`attributes` or `segments`",
                "id": "its id in Bunce",
                "slot": "its place in `packed_values` of `bunce_customers`",
                "name": "its name in Bunce",
                "data_type": "the attribute's type in Bunce; `boolean` for a segment",
                "in_values_digest": "1 if a table of customers has fed it, so that `values_digest` "
                "may cover it",
                "members_before": "members of the segment before a table that is declared whole "
                "was loaded, until it is settled who is absent from it",
            },
        ),
        "bunce_rejected_values": TableDescription(
            "One row per attribute value or segment member that is rejected now. It goes once the "
            "value is accepted, or blank. It contains no value.",
            {
                "account": ACCOUNT,
                "customer_id": "the customer's id, as sent",
                "slot": "slot of the attribute or segment in `bunce_targets`",
                "name": "name of the attribute or segment",
                "column_name": "source column",
                "code": "reject code of values",
                "message": "what is wrong: for a value that Bunce refused, in Bunce's words",
                "http_status": "HTTP status of Bunce's response",
                "first_seen_at": "when it was first rejected",
                "last_seen_at": "when it was last rejected",
                "run_id": RUN_ID,
                "pipeline_name": PIPELINE,
                "retry_at": "when somebody chose to have it sent again; null once that has "
                "happened",
                "discarded_at": "when somebody discarded it; null once it is rejected as another "
                "value",
                "digest": "keyed digest of a value that was rejected before it was sent, by which "
                "a discarded one is known again; null for one that Bunce rejected",
            },
        ),
        "bunce_waiting_values": TableDescription(
            "One row per customer whom a row of values alone waits for, by table. It goes once a "
            "load reads the row with its customer accepted. It contains no value.",
            {
                "account": ACCOUNT,
                "customer_id": "the customer's id, as read",
                "pipeline_name": PIPELINE,
                "table_name": "table of the row",
                "waiting_since": "when the row was first read and not sent",
                "run_id": RUN_ID,
            },
        ),
        "bunce_run_values": TableDescription(
            "The counts of attribute values and segment members of a run by chunk of a load file.",
            {
                "run_id": RUN_ID,
                "job": "load file",
                "kind": "`attributes`, `segments`, `value_rows` (values alone), `absent_members`",
                "chunk": "chunk of that file",
                "read": "values read, blank ones included",
                **_VALUE_FATES,
                "sent_below": "values of rows with a smaller number in the chunk may have been "
                "sent",
                "resent": "values that a later try of the file sent again, because it did not know "
                "what had become of them",
            },
        ),
    }
)
