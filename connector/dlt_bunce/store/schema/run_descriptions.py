"""Descriptions of the tables of runs and their counts."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from dlt_bunce.model import FATE_MEANINGS
from dlt_bunce.store.schema.dlt_descriptions import ACCOUNT, PIPELINE, RUN_ID, TableDescription
from dlt_bunce.store.schema.first_tables import FATE_COLUMNS

_FATES: dict[str, str] = {
    fate: f"rows: {meaning}" for fate, meaning in FATE_MEANINGS.items() if fate in FATE_COLUMNS
}

RUN_TABLES: Mapping[str, TableDescription] = MappingProxyType(
    {
        "bunce_runs": TableDescription(
            "One row per run, with its counts. The fates add up to `read`.",
            {
                "run_id": RUN_ID,
                "pipeline_name": PIPELINE,
                "account": ACCOUNT,
                "table_name": "name of the table in the pipeline",
                "disposition": "`append` or `merge`",
                "state": "`running`, `completed`, `failed`, `stopped` by a signal, or "
                "`interrupted`: its process ended without recording the outcome, which the next "
                "run records",
                "read": "rows read",
                **_FATES,
                "deferred": f"rows: {FATE_MEANINGS['deferred']}",
                "requests": "HTTP requests, including retries",
                "bulk_requests": "requests that sent customers",
                "lookups": "requests that looked up customers",
                "retries": "requests that were sent again after a failure",
                "bytes_sent": "bytes of request bodies",
                "wait_seconds": "seconds spent waiting for the request limit, over all threads",
                "answer_seconds": "seconds spent waiting for responses, over all threads",
                "slowest_answer_seconds": "seconds that the slowest response took",
                "reject_codes": "rejected rows by reject code, as JSON",
                "warnings": "rows by warning code, as JSON",
                "linked": "customers that were linked to an id that Bunce already had",
                "number": "place in the order of runs, independent of clocks",
                "source": "name of the file, folder, or table that a command loaded, if any",
                "source_key": "digest of a command's source, or the name given to its pipeline: "
                "its runs are compared by it; null for runs that are compared by pipeline",
                "version_median": "median of the run's first versions, for comparison with the "
                "next run",
                "by_name": "fields that were mapped by column name alone, as JSON",
                "mapping": "source column of each field, as JSON",
                "error_class": "class of the error that ended the run",
                "error": "why the run ended, in one line, without customer data",
                "remedy": "what to do about it",
                "process": "process id of the run and a digest of its machine",
                "seen_at": "when the run was last seen in progress",
                "expected": "rows to load by table, as JSON, where the files say how many",
                "started_at": "time of the first job, or of a run that failed before it",
                "ended_at": "when the run completed, failed, or was stopped",
                "value_rows": "rows read that hold values alone",
                "value_fates": "attribute values and segment members by kind and fate, as JSON; "
                "null without any",
                "rejected_values": "values rejected in this run by attribute or segment and code, "
                "as JSON; null without any",
                "targets": "how the run reads its tables, by name, as JSON: mapping, disposition, "
                "types of columns, and columns of attributes and segments",
            },
        ),
        "bunce_run_chunks": TableDescription(
            "The counts of a run by chunk of a load file, so that a chunk that is read again is "
            "never counted twice.",
            {
                "run_id": RUN_ID,
                "job": "load file",
                "chunk": "chunk of that file",
                "read": "rows read",
                **_FATES,
                "warnings": "rows by warning code, as JSON",
            },
        ),
    }
)
