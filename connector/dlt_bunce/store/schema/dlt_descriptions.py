"""Descriptions of the tables that dlt's state is kept in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class TableDescription:
    """A table's meaning in a sentence or two, and a phrase for each of its columns."""

    meaning: str
    columns: Mapping[str, str]


ACCOUNT = "name of the workspace in the store, from the setting `account`"
PIPELINE = "name of the dlt pipeline"
RUN_ID = "dlt's load id; `replay-…` for a replay, `attempt-…` for a run that had none (yet)"

DLT_TABLES: Mapping[str, TableDescription] = MappingProxyType(
    {
        "bunce_dlt_state": TableDescription(
            "dlt's state of each pipeline, incremental cursors included.",
            {
                "pipeline_name": PIPELINE,
                "load_id": "dlt's load id; the state takes effect once the load is in "
                "`bunce_dlt_loads`",
                "version": "version of the state",
                "engine_version": "version of the state's format",
                "state": "the state, compressed by dlt; the value of an incremental cursor is a "
                "customer id if the cursor is one, and `erase` does not remove it",
                "created_at": "when dlt created it, as dlt writes it: with a blank instead of T",
                "version_hash": "hash of the state",
                "account": ACCOUNT,
            },
        ),
        "bunce_dlt_loads": TableDescription(
            "Loads that are complete.",
            {
                "load_id": "dlt's load id",
                "schema_name": "name of dlt's schema",
                "schema_version_hash": "hash of that schema",
                "inserted_at": "when the load completed",
                "number": "place in the order in which loads completed",
            },
        ),
        "bunce_dlt_version": TableDescription(
            "dlt's schemas, from which a new machine restores them.",
            {
                "version_hash": "hash of the schema",
                "schema_name": "name of the schema",
                "version": "version of the schema",
                "engine_version": "version of the schema's format",
                "inserted_at": "when it was stored",
                "schema_json": "the schema, as JSON",
            },
        ),
    }
)
